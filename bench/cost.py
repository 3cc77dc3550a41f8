"""What a room costs: CPU seconds and memory per room-hour, with and without the engine.

Rooms are played from one process at the pace of the clock into a real server: 1, 4 and 8 rooms,
with the scripted engine (all of Parola except recognition, and its gate) and with the embedded
one. Runs are interleaved and repeated; each figure is printed as min / median / max. CPU is that
of the server's process and of its workers, from the kernel; memory is proportional (PSS), so
that what processes share is counted once.

    python -m bench.cost [--seconds 20] [--repeats 3] [--rooms 1 4 8]
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
from websockets.asyncio.client import connect

from parola.audio.decode import decode
from parola.domain.audio import RATE_HZ
from parola.wiring import SAMPLE
from tests.servers import RunningServer, serving

FRAME_BYTES = 3200

AUDIO_IN_S = 2.5
"""CPU seconds per audio-hour: what the server stack takes for audio in, without anything else."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One run."""

    cpu_s: float
    """CPU seconds per room-hour of audio."""

    memory_mb: float
    """Of all rooms together, near the end of the run."""


def processes(server: RunningServer) -> list[psutil.Process]:
    """Return the server and everything it started."""
    parent = psutil.Process(server.process.pid)
    return [parent, *parent.children(recursive=True)]


def cpu_s(server: RunningServer) -> float:
    """Return the CPU seconds used so far, children that have ended included."""
    every = (process.cpu_times() for process in processes(server))
    return sum(t.user + t.system + t.children_user + t.children_system for t in every)


def memory_mb(server: RunningServer) -> float:
    """Return the proportional memory of the server and its workers, in MiB."""
    return sum(process.memory_full_info().pss for process in processes(server)) / 2**20


async def speak(server: RunningServer, room: str, pcm: bytes, seconds: float) -> None:
    """Send audio at the pace of the clock, over and over, for so many seconds."""
    start = {"type": "start", "session": str(uuid4()), "language": "en-US"}
    async with connect(f"{server.ws}/ws/audio/{room}", compression=None) as socket:
        await socket.send(json.dumps(start))
        began, sent = time.monotonic(), 0
        while sent < seconds * RATE_HZ * 2:
            at = sent % (len(pcm) - FRAME_BYTES)
            await socket.send(pcm[at : at + FRAME_BYTES])
            sent += FRAME_BYTES
            await asyncio.sleep(max(0.0, began + sent / RATE_HZ / 2 - time.monotonic()))
        # What is still being recognised belongs to the cost.
        await socket.send(json.dumps({"type": "end"}))
        async for _ in socket:
            pass


async def view(server: RunningServer, room: str) -> None:
    """Read a room as one display does."""
    async with connect(
        f"{server.ws}/ws/transcript/{room}?partial=1&v=1", compression=None
    ) as socket:
        async for _ in socket:
            pass


async def run_rooms(server: RunningServer, rooms: int, pcm: bytes, seconds: float) -> Cost:
    """Play rooms, each with a viewer, and return what they cost."""
    names = [f"{rooms}-{uuid4().hex[:6]}" for _ in range(rooms)]
    viewers = [asyncio.create_task(view(server, name)) for name in names]
    before = cpu_s(server)
    # Rooms start a little apart, as people do: otherwise all second passes fall together.
    offsets = [round(len(pcm) * i / rooms) // 2 * 2 for i in range(rooms)]
    async with asyncio.TaskGroup() as tasks:
        for name, offset in zip(names, offsets, strict=True):
            turned = pcm[offset:] + pcm[:offset]
            tasks.create_task(speak(server, name, turned, seconds))
        # Near the end, while every worker is still there.
        await asyncio.sleep(seconds * 0.9)
        memory = memory_mb(server)
    used = cpu_s(server) - before
    for viewer in viewers:
        viewer.cancel()
    await asyncio.wait(viewers)
    return Cost(used * 3600 / (rooms * seconds), memory)


def spread(values: Sequence[float]) -> str:
    """Return min / median / max."""
    return " / ".join(f"{f(values):.1f}" for f in (min, statistics.median, max))


def main() -> None:
    """Run the bench and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rooms", type=int, nargs="+", default=[1, 4, 8])
    options = parser.parse_args()
    pcm = b"".join(chunk.pcm for chunk in decode(SAMPLE))
    found: dict[tuple[str, int], list[Cost]] = {}
    idle: dict[str, float] = {}
    for _ in range(options.repeats):
        for engine in ("scripted", "pocketsphinx"):
            with (
                tempfile.TemporaryDirectory() as folder,
                serving(Path(folder) / "data", "--engine", engine) as server,
            ):
                idle[engine] = memory_mb(server)
                for rooms in options.rooms:
                    cost = asyncio.run(run_rooms(server, rooms, pcm, options.seconds))
                    found.setdefault((engine, rooms), []).append(cost)
    print(f"{options.repeats} runs of {options.seconds:g} s, {psutil.cpu_count()} cores")
    print("engine        rooms  CPU s per room-hour    memory MiB, all rooms   × one room's CPU")
    for (engine, rooms), costs in found.items():
        cpu = [cost.cpu_s for cost in costs]
        one = statistics.median(cost.cpu_s for cost in found[engine, options.rooms[0]])
        print(
            f"{engine:<13} {rooms:>5}  {spread(cpu):<22} "
            f"{spread([cost.memory_mb for cost in costs]):<23} {statistics.median(cpu) / one:.2f}"
        )
    for engine, memory in idle.items():
        print(f"idle server with {engine}: {memory:.0f} MiB")
    most = statistics.median(cost.cpu_s for cost in found["scripted", options.rooms[-1]])
    print(
        f"without recognition, {options.rooms[-1]} rooms: {most / AUDIO_IN_S:.1f} × the "
        f"{AUDIO_IN_S} CPU s per hour that taking audio in alone may cost (docs/reference/cost.md)"
    )


if __name__ == "__main__":
    main()
