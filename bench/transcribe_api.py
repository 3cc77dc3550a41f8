"""What a stream costs the Transcribe-compatible endpoint, every signature checked.

The endpoint runs over TLS in a process of its own, with a scripted engine and no voice gate, and
takes streams in real time over HTTP/2 (every chunk signed) and WebSocket (the address signed).
Its CPU time is counted while they run. The floor is the same endpoint in the same run with
signatures off. Runs are interleaved and repeated; figures are min / median / max.

    python -m bench.transcribe_api [--streams 20] [--seconds 15] [--repeats 3]
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import psutil

from parola.engines.scripted import ScriptedEngine
from parola.transcribe_api.dev_ca import dev_certificate
from parola.transcribe_api.door import Setup
from parola.transcribe_api.faults import Scenario
from parola.transcribe_api.serving import open_transcribe_api, run
from tests.unit.transcribe_api.callers import ENGLISH, KEY, Caller, over_http2, over_websocket

ROOT = Path(__file__).parents[1]

LIMIT_MS = 2.3
"""Per stream-second: what an earlier endpoint took with every signature checked."""

CHUNK_S = 0.1
CHUNK = bytes(3200)

TRANSPORTS: Mapping[str, Callable[..., AbstractAsyncContextManager[Caller]]] = {
    "HTTP/2": over_http2,
    "WebSocket": over_websocket,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One that runs."""

    url: str
    ca: Path
    process: psutil.Process
    signed: bool


async def serve(folder: Path, *, signed: bool) -> None:
    """Serve until standard input ends; print the address."""
    _, certificate = dev_certificate(folder, datetime.now(UTC))
    setup = Setup(
        [ScriptedEngine()],
        lambda: None,
        time.monotonic,
        keys={KEY.access_key: KEY} if signed else {},
        scenario=Scenario(streams=1000, starts_per_s=1000),
    )
    async with open_transcribe_api(setup, certificate=certificate) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def endpoint(folder: Path, *, signed: bool) -> Iterator[Endpoint]:
    """Run an endpoint in a process of its own."""
    command = [sys.executable, "-m", "bench.transcribe_api", "--serve", str(folder)]
    command += ["--signed"] if signed else []
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        url = process.stdout.readline().strip()
        yield Endpoint(url, folder / "ca.pem", psutil.Process(process.pid), signed)
        process.stdin.close()


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds that a process has taken."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def speak(caller: Caller, chunks: int) -> None:
    """Send silence in real time, then the end."""
    began = time.monotonic()
    for n in range(chunks):
        await caller.send_audio(CHUNK)
        await asyncio.sleep(max(began + (n + 1) * CHUNK_S - time.monotonic(), 0))
    await caller.end()


async def stream(
    transport: str, at: Endpoint, seconds: int, ready: asyncio.Semaphore, go: asyncio.Event
) -> int:
    """Play one stream; return how many results were final."""
    key = KEY if at.signed else None
    async with TRANSPORTS[transport](at.url, ENGLISH, key=key, trust=at.ca) as caller:
        ready.release()
        await go.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(caller, round(seconds / CHUNK_S)))
            finals = tasks.create_task(caller.finals())
    return len(finals.result())


async def measure(transport: str, at: Endpoint, streams: int, seconds: int) -> float:
    """Return the endpoint's CPU milliseconds per stream-second."""
    ready, go = asyncio.Semaphore(0), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        playing = [
            tasks.create_task(stream(transport, at, seconds, ready, go)) for _ in range(streams)
        ]
        for _ in range(streams):
            await ready.acquire()
        before = cpu_s(at.process)
        go.set()
    assert all(task.result() for task in playing), "a stream was told nothing"
    return 1000 * (cpu_s(at.process) - before) / (streams * seconds)


def spread(values: Sequence[float]) -> str:
    """Return least, median and most."""
    return f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"


def show(runs: Mapping[tuple[str, bool], list[float]]) -> None:
    """Print what was measured."""
    heads = ("transport", "CPU ms per stream-second", "floor", "signatures / floor")
    print("| " + " | ".join((*heads, f"of the limit {LIMIT_MS} ms", "streams per core")) + " |")
    print("|---" * 6 + "|")
    for transport in TRANSPORTS:
        checked, floor = runs[transport, True], runs[transport, False]
        median = statistics.median(checked)
        cells = (
            transport,
            spread(checked),
            spread(floor),
            f"{median / statistics.median(floor):.2f}",
            f"{median / LIMIT_MS:.2f}",
            f"{1000 / median:.0f}",
        )
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", type=Path)
    parser.add_argument("--signed", action="store_true")
    asked = parser.parse_args()
    if asked.serve:
        run(serve(asked.serve, signed=asked.signed))
        return
    runs: dict[tuple[str, bool], list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as checking,
        tempfile.TemporaryDirectory() as trusting,
        endpoint(Path(checking), signed=True) as checked,
        endpoint(Path(trusting), signed=False) as floor,
    ):
        for _, at, transport in product(range(asked.repeats), (checked, floor), TRANSPORTS):
            took_ms = asyncio.run(measure(transport, at, asked.streams, asked.seconds))
            runs.setdefault((transport, at.signed), []).append(took_ms)
    show(runs)


if __name__ == "__main__":
    main()
