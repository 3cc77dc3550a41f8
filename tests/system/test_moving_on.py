"""A server that stops sends everybody on, in order, and a viewer of events resumes."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.servers import RunningServer, serving
from tests.speakers import Source, speak


async def kept(server: RunningServer, room: str) -> str:
    """Return the room's text."""
    async with httpx.AsyncClient(base_url=server.url) as http:
        talks = (await http.get(f"/api/rooms/{room}/transcript.json")).json()["sessions"]
    assert len(talks) == 1
    return " ".join(segment["text"] for segment in talks[0]["segments"])


async def test_a_live_talk_moves_to_the_next_server(tmp_path: Path) -> None:
    """The sentence is shown up to the cut, sockets close with 1012, the next one goes on there."""
    source = Source("main")
    data = tmp_path / "data"
    with serving(data, "--engine", "scripted") as server:
        async with (
            source.connected(server) as socket,
            connect(f"{server.ws}/ws/transcript/main") as viewer,
        ):
            await source.say(socket, 26)
            while json.loads(await viewer.recv())["text"].split()[-1] != "19":
                pass
            server.process.send_signal(signal.SIGTERM)
            await source.hear_acks(socket)
            assert source.safe == 25, "finished, saved and acknowledged, but for the cut word"
            assert socket.close_code == 1012
            assert json.loads(await viewer.recv())["text"].split()[-1] == "24"
            with pytest.raises(ConnectionClosed) as closed:
                await viewer.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        assert await asyncio.to_thread(server.process.wait, 15) == 0
    with serving(data, "--engine", "scripted") as server:
        async with source.connected(server) as socket:
            await source.say(socket, 45)
            await source.end(socket)
        assert await kept(server, "main") == " ".join(map(str, range(45)))


@asynccontextmanager
async def events(
    server: RunningServer, headers: dict[str, str]
) -> AsyncIterator[AsyncIterator[tuple[int, str]]]:
    """Give a room's events as numbers and texts."""
    url = f"{server.url}/api/rooms/events/events?after=0"
    async with (
        httpx.AsyncClient(timeout=20) as http,
        http.stream("GET", url, headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _read(answer)


async def _read(answer: httpx.Response) -> AsyncIterator[tuple[int, str]]:
    number = -1
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            number = int(value)
        elif name == "data":
            yield number, json.loads(value)["text"]


async def test_events_go_on_after_the_last_one_seen(tmp_path: Path) -> None:
    """A browser that reconnects sends its last id: exactly what it missed comes, in order."""
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        await speak(server, "events", 35)
        async with events(server, {}) as first:
            seen = [await anext(first), await anext(first)]
        async with events(server, {"Last-Event-ID": str(seen[-1][0])}) as second:
            seen += [await anext(second), await anext(second)]
    assert [number for number, _ in seen] == [2, 3, 4, 5]
    assert " ".join(text for _, text in seen) == " ".join(map(str, range(35)))
