"""Real processes and sockets: `parola listen` speaks to servers that are killed under it."""

import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from parola.engines.scripted import marked_audio
from tests.servers import RunningServer, serving

NUMBERS = 80
"""Eight seconds of talk, at the pace of the clock."""

PATIENCE_S = 60


def expected() -> list[tuple[int, str, float, float]]:
    """Return the segments of the talk when nothing goes wrong: ten words each."""
    return [
        (n + 1, " ".join(str(10 * n + word) for word in range(10)), float(n), float(n + 1))
        for n in range(NUMBERS // 10)
    ]


def verdict(seed: int) -> str | None:
    """Return what is wrong after two to four kills at moments drawn from the seed, or None."""
    with tempfile.TemporaryDirectory() as folder:
        code, found = _live_through(random.Random(seed), Path(folder))  # noqa: S311 - drawn again
    if code:
        return f"parola listen ended with {code}"
    return None if found == expected() else f"the transcript differs: {found}"


def _live_through(
    draw: random.Random, folder: Path
) -> tuple[int, list[tuple[int, str, float, float]]]:
    (folder / "talk.raw").write_bytes(marked_audio(range(NUMBERS)))
    port, kills = _free_port(), draw.randint(2, 4)
    command = [sys.executable, "-m", "parola.cli", "listen", "--rate", "16000"]
    command += ["--file", str(folder / "talk.raw"), "--spool", str(folder / "spool")]
    command += ["--server", f"ws://127.0.0.1:{port}", "--room", "main"]
    options = ("--engine", "scripted", "--port", str(port))
    with serving(folder / "data", *options) as server, (folder / "listen.log").open("w") as log:
        client = subprocess.Popen(command, stdout=log, stderr=log)
        _wait_until_speaking(server)
        _wait(client, draw.uniform(0.2, 4))
        server.kill()
    try:
        for number in range(kills):
            with serving(folder / "data", *options) as server:
                is_last = number == kills - 1
                _wait(client, PATIENCE_S if is_last else draw.uniform(0.2, 4))
                if is_last:
                    return client.wait(1), _segments(server)
                server.kill()
    finally:
        client.kill()
        client.wait()
    raise AssertionError("there is always a last one")


def _wait_until_speaking(server: RunningServer) -> None:
    """A client that has never reached its server gives up, rightly."""
    until_s = time.monotonic() + PATIENCE_S
    while not httpx.get(f"{server.url}/api/rooms").json()["rooms"]:
        assert time.monotonic() < until_s, "the client never came"
        time.sleep(0.05)


def _wait(client: "subprocess.Popen[bytes]", seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while client.poll() is None and time.monotonic() < until_s:
        time.sleep(0.02)


def _segments(server: RunningServer) -> list[tuple[int, str, float, float]]:
    talks = httpx.get(f"{server.url}/api/rooms/main/transcript.json").json()["sessions"]
    return [
        (s["segment"], s["text"], s["start_s"], s["end_s"])
        for talk in talks
        for s in talk["segments"]
    ]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
