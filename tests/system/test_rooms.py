"""Ten rooms at once, and what is left of a talk when the server is killed in its middle."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import connect

from parola.engines.scripted import marked_audio
from tests.servers import RunningServer, serving


async def speak(server: RunningServer, room: str, numbers: range, pause_s: float = 0.0) -> None:
    """Speak numbers into a room, one frame each, and wait until all of it is in the log."""
    start = {"type": "start", "session": str(uuid4()), "language": "en-US"}
    async with connect(f"{server.ws}/ws/audio/{room}") as socket:
        await socket.send(json.dumps(start))
        assert json.loads(await socket.recv())["type"] == "ready"
        for number in numbers:
            await socket.send(marked_audio([number]))
            await asyncio.sleep(pause_s)
        await socket.send(json.dumps({"type": "end"}))
        position = 0
        async for frame in socket:
            position = json.loads(frame)["position"]
    assert position == len(numbers) * 1600


async def view(
    server: RunningServer, room: str, words: int, query: str = ""
) -> list[dict[str, Any]]:
    """Read a room's finals until it has so many words."""
    finals: list[dict[str, Any]] = []
    async with asyncio.timeout(60), connect(f"{server.ws}/ws/transcript/{room}{query}") as socket:
        while sum(len(final["text"].split()) for final in finals) < words:
            finals.append(json.loads(await socket.recv()))
    return finals


async def test_ten_rooms_at_once_do_not_mix(scripted: RunningServer) -> None:
    """Each of three viewers in each of ten rooms gets its room's words, all, in order, once."""
    count = 200
    rooms = {f"room-{n}": range(n * 1000, n * 1000 + count) for n in range(10)}
    async with asyncio.TaskGroup() as tasks:
        views = {
            room: [tasks.create_task(view(scripted, room, count)) for _ in range(3)]
            for room in rooms
        }
        for room, numbers in rooms.items():
            tasks.create_task(speak(scripted, room, numbers))
    for room, numbers in rooms.items():
        for task in views[room]:
            finals = task.result()
            assert " ".join(final["text"] for final in finals).split() == [str(n) for n in numbers]
            assert {final["room"] for final in finals} == {room}
            assert [final["segment"] for final in finals] == list(range(1, len(finals) + 1))
            seqs = [final["seq"] for final in finals]
            assert seqs == sorted(set(seqs))


async def test_what_a_viewer_saw_survives_a_kill(tmp_path: Path) -> None:
    """SIGKILL in mid-talk, again and again: every final that was seen is in the transcript."""
    seen: list[str] = []
    for round_ in range(4):
        numbers = range(round_ * 1000, round_ * 1000 + 400)
        with serving(tmp_path / "data", "--engine", "scripted") as server:
            transcript = await kill_in_mid_talk(server, numbers, after_finals=5 + 3 * round_)
            seen += transcript
        with serving(tmp_path / "data", "--engine", "scripted") as server:
            kept = httpx.get(f"{server.url}/api/rooms/hall/transcript.json").json()
            texts = [s["text"] for session in kept["sessions"] for s in session["segments"]]
            assert [text for text in texts if text in seen] == seen
            assert len(texts) == len(set(texts)), "nothing twice"
            late = await view(server, "hall", sum(len(text.split()) for text in seen), "?after=0")
            assert [final["text"] for final in late][: len(seen)] == texts[: len(seen)]


async def kill_in_mid_talk(server: RunningServer, numbers: range, after_finals: int) -> list[str]:
    """Kill the server the moment a viewer has so many finals; return what the viewer saw."""
    seen: list[str] = []
    talking = asyncio.create_task(speak(server, "hall", numbers, pause_s=0.01))
    try:
        async with asyncio.timeout(30), connect(f"{server.ws}/ws/transcript/hall") as socket:
            while len(seen) < after_finals:
                final = json.loads(await socket.recv())
                if set(final["text"].split()) & {str(n) for n in numbers}:
                    seen.append(final["text"])
            server.kill()
    finally:
        talking.cancel()
        await asyncio.wait({talking})
    return seen


async def test_a_stop_in_mid_talk_keeps_the_sentence(tmp_path: Path) -> None:
    """SIGTERM: what has been heard is made final and saved, and the exit code says well done."""
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        async with connect(f"{server.ws}/ws/audio/hall?lang=en-US") as socket:
            await socket.send(marked_audio(range(13)))
            async with asyncio.timeout(20):
                async with connect(f"{server.ws}/ws/transcript/hall?partial=1") as viewer:
                    while json.loads(await viewer.recv())["text"] != "10 11 12":
                        pass
            assert await asyncio.to_thread(server.stop) == 0
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        text = httpx.get(f"{server.url}/api/rooms/hall/transcript.txt").text
        assert "0 1 2 3 4 5 6 7 8 9" in text
        assert "10 11 12" in text
