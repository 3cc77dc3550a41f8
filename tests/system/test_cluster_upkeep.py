"""Backing up and restoring what several nodes share, by command, with real nodes and brokers."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from parola.broker import open_broker
from parola.stores.redis_backup import RESTORING
from tests.broker import running_broker
from tests.commands import Command
from tests.servers import RunningServer, serving
from tests.speakers import speak

SCRIPTED = ("--engine", "scripted")


@pytest.fixture
def parola(capfd: pytest.CaptureFixture[str]) -> Command:
    """The command line, in a thread of this process."""
    return Command(capfd)


def _get(server: RunningServer, path: str) -> bytes:
    return httpx.get(f"{server.url}{path}", timeout=20).raise_for_status().content


async def _until_over(server: RunningServer) -> None:
    """Wait until all of a talk is saved: its last word is, before the line that says so."""
    async with asyncio.timeout(20):
        while not json.loads(_get(server, "/api/talks"))["talks"][0]["ended_at"]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def _numbers(server: RunningServer, count: int) -> list[int]:
    """Return the numbers of the hall's first lines, as its viewers have them."""
    async with connect(f"{server.ws}/ws/transcript/hall?after=0") as viewer:
        return [int(json.loads(await viewer.recv())["seq"]) for _ in range(count)]


async def test_nodes_are_backed_up_and_restored_onto_a_new_broker(
    tmp_path: Path, parola: Command
) -> None:
    """Byte for byte the same transcript there, the next number follows; and in a data folder."""
    file, alone = tmp_path / "backup.zip", tmp_path / "alone" / "data"
    for name in ("old", "new", "uno", "due", "alone"):
        (tmp_path / name).mkdir()
    form = {"blocked": ["accidenti"]}
    with running_broker(tmp_path / "old") as old, running_broker(tmp_path / "new") as new:
        with serving(tmp_path / "uno" / "data", *SCRIPTED, "--cluster", old.url) as node:
            await speak(node, "hall", 31)
            await _until_over(node)
            httpx.put(f"{node.url}/api/rooms/hall/settings", json=form).raise_for_status()
            code, told = await parola("backup", file, "--cluster", old.url)
            assert (code, "of 1 rooms, with the access book" in told) == (0, True), told
            code, told = await parola("backup", file, "--cluster", old.url)
            assert (code, "nothing is overwritten" in told) == (2, True)
            code, told = await parola("restore", file, "--cluster", old.url)
            assert (code, "FLUSHDB" in told) == (1, True)
            before = {
                path: _get(node, path)
                for path in (
                    *(f"/api/rooms/hall/transcript.{form}" for form in ("txt", "json", "srt")),
                    "/api/rooms/hall/settings",
                    "/api/talks",
                    "/api/search?q=17",
                )
            }
            numbers = await _numbers(node, 4)
        assert (await parola("restore", file, "--cluster", new.url))[0] == 0
        assert (await parola("restore", file, "--data", alone))[0] == 0
        places = ((tmp_path / "due" / "data", ("--cluster", new.url)), (alone, ()))
        for data, options in places:
            with serving(data, *SCRIPTED, *options) as node:
                assert {path: _get(node, path) for path in before} == before
                assert b"PUT /api/rooms/hall/settings" in _get(node, "/api/audit")
                await speak(node, "hall", 5)
                # Between the two: that the one talk ended, and that the other began.
                assert await _numbers(node, 5) == [*numbers, numbers[-1] + 3]


async def test_commands_say_where_they_have_to_be_given(
    tmp_path: Path, parola: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two places, a broker that only half a backup reached, and a prune that goes round nodes."""
    file = tmp_path / "b.zip"
    (tmp_path / "broker").mkdir()
    with running_broker(tmp_path / "broker") as broker:
        code, told = await parola("backup", file, "--data", tmp_path, "--cluster", broker.url)
        assert (code, "name one of them" in told) == (2, True)
        monkeypatch.setenv("PAROLA_CLUSTER", broker.url)
        for command in (("prune", "--days", "30"), ("export", "hall")):
            code, told = await parola(*command)
            assert (code, "ask one of them, with --server" in told) == (2, True)
        code, told = await parola("backup", file)
        assert (code, "nothing of Parola's" in told) == (2, True)
        async with open_broker(broker.url) as client:
            await client.set(RESTORING, 1)
        code, told = await parola("backup", file)
        assert (code, "broken off" in told) == (1, True)
        with (
            pytest.raises(AssertionError, match="broken off"),
            serving(tmp_path / "data", *SCRIPTED, "--cluster", broker.url),
        ):
            pass
    assert not file.exists()
