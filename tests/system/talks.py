"""Talks as tests hold them: sources that speak, viewers that read, and a neighbour to disturb."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect

from parola.engines.scripted import BLOCK_FRAMES, marked_audio
from tests.servers import RunningServer

DEADLINE_S = 30.0
"""How long a test waits for what has to come."""

Frame = dict[str, Any]


def numbers(first: int, end: int) -> str:
    """Return what a scripted engine reads in the marks of range(first, end)."""
    return " ".join(map(str, range(first, end)))


def spoken(frames: Iterable[Frame]) -> str:
    """Return the words of the finals among the frames."""
    return " ".join(f["text"] for f in frames if "is_partial" in f and not f["is_partial"])


def audio_url(server: RunningServer, room: str, query: str = "") -> str:
    """Return where a source speaks into the room."""
    return f"{server.ws}/ws/audio/{quote(room, safe='')}{query}"


def viewer(server: RunningServer, room: str, query: str = "") -> connect:
    """Return a viewer of the room, to be entered."""
    return connect(f"{server.ws}/ws/transcript/{quote(room, safe='')}{query}")


async def read_until(
    socket: ClientConnection, enough: Callable[[list[Frame]], object]
) -> list[Frame]:
    """Return the viewer's frames up to the one with which there is enough of them."""
    frames: list[Frame] = []
    async with asyncio.timeout(DEADLINE_S):
        while not enough(frames):
            frames.append(json.loads(await socket.recv()))
    return frames


async def read_words(socket: ClientConnection, count: int) -> list[Frame]:
    """Return the viewer's frames up to the final that completes so many words."""
    return await read_until(socket, lambda frames: len(spoken(frames).split()) >= count)


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Ask until the answer is yes."""
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():  # noqa: ASYNC110 - the server does not tell when
            await asyncio.sleep(0.02)


def cut(pcm: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Return the sound in pieces of these sizes, again and again."""
    pieces: list[bytes] = []
    cycle = list(sizes)
    at = 0
    while at < len(pcm):
        size = cycle[len(pieces) % len(cycle)]
        pieces.append(pcm[at : at + size])
        at += size
    return pieces


async def speak(
    server: RunningServer, room: str, pcm: bytes, query: str = "", sizes: Iterable[int] = (3200,)
) -> None:
    """Speak as the conference system's client does, and leave without a word."""
    async with connect(audio_url(server, room, query)) as socket:
        for piece in cut(pcm, sizes):
            await socket.send(piece)


def start_message(**fields: object) -> str:
    """Return the first frame of a source that wants acknowledgements."""
    fields = {"session": str(uuid4()), "language": "en-US", **fields}
    return json.dumps({"type": "start", **fields})


async def speak_safely(
    server: RunningServer, room: str, pcm: bytes, **fields: object
) -> list[Frame]:
    """Speak with the JSON protocol; return what the server said until it closed the socket."""
    async with asyncio.timeout(DEADLINE_S), connect(audio_url(server, room)) as socket:
        await socket.send(start_message(**fields))
        said = [json.loads(await socket.recv())]
        for piece in cut(pcm, [3200]):
            await socket.send(piece)
        await socket.send('{"type":"end"}')
        return said + [json.loads(frame) async for frame in socket]


async def kept(server: RunningServer, room: str) -> str:
    """Return the words that a room's transcript holds."""
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.get(f"/api/rooms/{quote(room, safe='')}/transcript.json")
    if answer.status_code == 404:
        return ""
    talks = answer.raise_for_status().json()["sessions"]
    return " ".join(segment["text"] for talk in talks for segment in talk["segments"])


@asynccontextmanager
async def neighbour(server: RunningServer) -> AsyncIterator[None]:
    """Hold a talk in another room meanwhile, and see that it noticed nothing.

    It speaks ten times as fast as people do, before, during and after the body.
    """
    room, stop, count = f"neighbour-{uuid4()}", asyncio.Event(), 0
    at_full_speed = asyncio.Event()

    async def talk() -> list[Frame]:
        nonlocal count
        async with connect(audio_url(server, room)) as socket:
            await socket.send(start_message())
            said = [json.loads(await socket.recv())]
            while count % 10 != 5 or not stop.is_set():
                await socket.send(marked_audio([count]))
                count += 1
                if count == 20:
                    at_full_speed.set()
                await asyncio.sleep(0.01)
            await socket.send('{"type":"end"}')
            return said + [json.loads(frame) async for frame in socket]

    async with viewer(server, room, "?after=0") as reader, asyncio.TaskGroup() as tasks:
        talking = tasks.create_task(talk())
        await at_full_speed.wait()
        yield
        stop.set()
        said = await talking
        frames = await read_words(reader, count)
    assert spoken(frames) == numbers(0, count)
    assert said[-1] == {"type": "ack", "position": count * BLOCK_FRAMES}
    assert await kept(server, room) == numbers(0, count)
