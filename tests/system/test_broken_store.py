"""A log that cannot be written: people are told, captions flow, and what was shown is saved."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect

from parola.stores.sqlite_file import LOG_FILE
from tests.servers import serving
from tests.speakers import Source


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Keep everybody else from writing into the log."""
    with closing(sqlite3.connect(data / LOG_FILE, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


async def until(viewer: ClientConnection, kind: str, word: str) -> None:
    """Read up to a final that ends with a word, or to a state."""
    while True:
        said = json.loads(await viewer.recv())
        if kind == "state" == said["type"] and said["state"] == word:
            return
        is_final = said["type"] == "segment" and not said["is_partial"]
        if kind == "final" and is_final and said["text"].split()[-1] == word:
            return


async def test_a_log_that_somebody_holds_is_told_and_caught_up_with(tmp_path: Path) -> None:
    """Shown at once, said to be unsaved, saved when the log is free; a stop ends all the same."""
    data, source = tmp_path / "data", Source("hall")
    with serving(data, "--engine", "scripted", "--stop-within-s", "2") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
            viewing = connect(f"{server.ws}/ws/transcript/hall?v=1")
            async with source.connected(server) as socket, viewing as viewer:
                await source.say(socket, 10)
                await until(viewer, "final", "9")
                with held(data):
                    await source.say(socket, 20)
                    await until(viewer, "final", "19")
                    await until(viewer, "state", "unsaved")
                    readiness = await http.get("/readyz")
                    assert readiness.status_code == 503
                    assert "cannot be saved" in readiness.text
                    assert "parola_log_failing 1.0" in (await http.get("/metrics")).text
                await until(viewer, "state", "listening")
                transcript = await http.get("/api/rooms/hall/transcript.txt")
                assert transcript.text.split()[-1] == "19"
                with held(data):
                    await source.say(socket, 30)
                    await until(viewer, "final", "29")
                    server.process.send_signal(signal.SIGTERM)
                    assert server.process.wait(60) == 1, "not all is well"
                await source.hear_acks(socket)
                assert source.safe <= 20, "what is not saved is never called safe"
    assert "could not be saved before the stop" in (tmp_path / "server.log").read_text()
    with serving(data, "--engine", "scripted") as server:
        async with source.connected(server) as socket:
            await source.say(socket, 30)
            await source.end(socket)
        talks = httpx.get(f"{server.url}/api/rooms/hall/transcript.json").json()["sessions"]
        words = " ".join(s["text"] for talk in talks for s in talk["segments"]).split()
        assert words == [str(number) for number in range(30)]
