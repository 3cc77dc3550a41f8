"""Backing up, restoring, pruning and letting go, by command, with a real server."""

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from parola.cli import run
from parola.domain.jobs import Job, Written
from parola.domain.log import Body, Entry, StateChange
from parola.domain.transcript import Segment
from parola.domain.vocabulary import language_tag
from parola.stores.recordings import recording_path
from parola.stores.sqlite import open_sqlite
from parola.stores.sqlite_access import ACCESS_FILE
from parola.stores.sqlite_jobs import open_sqlite_jobs
from parola.wiring import RECORDINGS
from tests.commands import Command
from tests.deploy.image import asked_by_the_image
from tests.servers import RunningServer, serving
from tests.speakers import Source, speak

SCRIPTED = ("--engine", "scripted")


@pytest.fixture
def parola(capfd: pytest.CaptureFixture[str]) -> Command:
    """The command line, in a thread of this process."""
    return Command(capfd)


async def fill(data: Path) -> None:
    """Write a talk and a recording of forty days ago, and one of now, with the talks' sound."""
    now_ms = time.time_ns() // 1_000_000
    async with open_sqlite(data, reads=True) as stores:
        for room, at_ms in (("old", now_ms - 40 * 86_400_000), ("new", now_ms)):
            spoken = [
                Segment(room, n, f"the {room} word {n}", n * 100, n * 100 + 90, True, "en-US")
                for n in range(1, 6)
            ]
            sound = recording_path(data / RECORDINGS, room, room)
            sound.parent.mkdir(exist_ok=True)
            sound.write_bytes(room.encode())
            bodies: list[Body] = [StateChange("session_started", room, "en-US"), *spoken]
            await stores.log.append(
                [Entry(room, n, at_ms + n, body) for n, body in enumerate(bodies, 1)]
            )
            async with open_sqlite_jobs(data) as book:
                written = Written(tuple(spoken), 1.0)
                job = Job(room, f"{room}.wav", language_tag("en-US"), at_ms)
                await book.put(job.done(written, at_ms), written)


def get(server: RunningServer, path: str) -> httpx.Response:
    return httpx.get(f"{server.url}{path}", timeout=20)


def audit(server: RunningServer) -> list[str]:
    return [entry["action"] for entry in get(server, "/api/audit").json()["audit"]]


async def test_a_running_server_is_backed_up_and_restored(tmp_path: Path, parola: Command) -> None:
    """Another server on the restored folder serves the same transcripts, settings and audit."""
    data, file, new = tmp_path / "data", tmp_path / "backup.zip", tmp_path / "new"
    with serving(data, *SCRIPTED) as server:
        await speak(server, "hall", 31)
        httpx.put(f"{server.url}/api/rooms/hall/mode", json={"mode": "paused"}).raise_for_status()
        code, told = await parola("backup", file, "--data", data)
        assert (code, "of 1 rooms, with the access book" in told) == (0, True), told
        assert (await parola("backup", file, "--data", data))[0] == 2
        code, told = await parola("restore", file, "--data", data)
        assert (code, "in use by process" in told) == (1, True)
        before = get(server, "/api/rooms/hall/transcript.txt").text
    assert (await parola("restore", file, "--data", new))[0] == 0
    code, told = await parola("restore", file, "--data", new)
    assert (code, "nothing is overwritten" in told) == (1, True)
    with serving(new, *SCRIPTED) as server:
        assert get(server, "/api/rooms/hall/transcript.txt").text == before
        assert get(server, "/api/search?q=17").json()["lines"]
        assert "PUT /api/rooms/hall/mode" in audit(server)
        await speak(server, "hall", 5)
    assert (new / ACCESS_FILE).stat().st_mode & 0o777 == 0o600


async def test_old_talks_are_pruned(tmp_path: Path, parola: Command) -> None:
    """By command, by a server that is asked, and by one that does it itself: for good, and told.

    So are recordings that were written down, however long they would be kept otherwise.
    """
    for name in ("folder", "asked", "itself"):
        await fill(tmp_path / name)
    deleted = "1 talks with 6 lines and 1 recordings are deleted.\n"
    action = "prune: 1 talks and 1 recordings older than 30 days"
    options = (*SCRIPTED, "--keep-jobs-h", "10000")
    assert await parola("prune", "--days", "30", "--data", tmp_path / "folder") == (0, deleted)
    with serving(tmp_path / "folder", *options) as server:
        assert_pruned(server, action)
        code, told = await parola("prune", "--days", "30", "--data", server.data)
        assert (code, "Or ask that server, with --server" in told) == (1, True)
        await speak(server, "old", 5)
        assert await first_number(server, "old") > 6, "a number was given twice"
    with serving(tmp_path / "asked", *options) as server:
        await read(server, "old", 5)
        assert "the old word" in get(server, "/api/rooms/old/transcript.txt").text
        assert await parola("prune", "--days", "30", "--server", server.url) == (0, deleted)
        assert_pruned(server, "POST /api/prune")
        assert get(server, "/api/rooms/old/mood").json()["read"] == 0
        await read(server, "new", 5)
    with serving(tmp_path / "itself", *options, "--keep-transcripts-days", "30") as server:
        # The day's work begins with the server, beside its first requests.
        while action not in audit(server):  # noqa: ASYNC110 - a server
            await asyncio.sleep(0.05)
        assert_pruned(server, action)


def assert_pruned(server: RunningServer, action: str) -> None:
    assert "word" not in get(server, "/api/rooms/old/transcript.txt").text
    assert "the new word" in get(server, "/api/rooms/new/transcript.txt").text
    assert [talk["room"] for talk in get(server, "/api/talks").json()["talks"]] == ["new"]
    found = get(server, "/api/search?q=word").json()["lines"]
    assert {line["room"] for line in found} == {"new"}
    assert [job["id"] for job in get(server, "/api/jobs").json()["jobs"]] == ["new"]
    assert get(server, "/api/jobs/old").status_code == 404
    assert action in audit(server)
    kept = [path.read_bytes() for path in (server.data / RECORDINGS).iterdir()]
    assert kept == [b"new"], "its sound goes with a talk"
    files = [path for path in server.data.rglob("*") if path.is_file()]
    assert [path for path in files if b"the old word" in path.read_bytes()] == []


async def read(server: RunningServer, room: str, lines: int) -> None:
    """Wait until it is known, and remembered, how so many lines of a room sound."""
    async with asyncio.timeout(30):
        while get(server, f"/api/rooms/{room}/mood").json()["read"] != lines:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def first_number(server: RunningServer, room: str) -> int:
    """Return the number of the room's first line as its viewers have it."""
    async with connect(f"{server.ws}/ws/transcript/{room}?after=0") as viewer:
        return int(json.loads(await viewer.recv())["seq"])


async def test_a_drained_server_waits_for_its_talks(
    tmp_path: Path, parola: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    """No new talk, a proxy is told, the running one ends in its own time, and then it is gone.

    The container's own health check says yes until then: nobody ends it too early.
    """
    source = Source("hall")
    with serving(tmp_path / "data", *SCRIPTED, "--no-open") as server:
        host = server.url.removeprefix("http://")
        code, told = await parola("drain", "--server", server.url)
        assert (code, "It takes a token to operate" in told) == (2, True), told
        assert (
            await asyncio.to_thread(run, ["token", "--role", "operate", "--data", str(server.data)])
            == 0
        )
        token = capfd.readouterr().out.strip()
        async with source.connected(server, token) as socket, asyncio.TaskGroup() as tasks:
            await source.say(socket, 12)
            operator = f"http://me:{token}@{host}"
            draining = tasks.create_task(parola("drain", "--wait", "60", "--server", operator))
            while get(server, "/healthz").status_code == 200:  # noqa: ASYNC110 - a server
                await asyncio.sleep(0.05)
            assert get(server, "/livez").status_code == 200
            assert await asyncio.to_thread(asked_by_the_image, server.url) == 0
            async with connect(f"{server.ws}/ws/audio/other?token={token}") as other:
                start = {
                    "type": "start",
                    "session": source.session,
                    "language": "en",
                    "position": 0,
                }
                await other.send(json.dumps(start))
                assert json.loads(await other.recv())["code"] == "stopping"
            await source.say(socket, 26)
            await source.end(socket)
            assert source.safe == 26
            expected = f"{server.url} takes no new talks; 1 run.\n{server.url} has gone.\n"
            assert await draining == (0, expected)
        assert await asyncio.to_thread(server.process.wait, 30) == 0
        assert await asyncio.to_thread(asked_by_the_image, server.url) != 0
