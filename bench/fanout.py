"""What a delivery to a viewer costs, and what slow viewers and a returning hall do to the others.

Our server on both paths, and nginx with nchan (Debian's nginx and libnginx-mod-nchan), interleaved
in one run over loopback, one after the other so that they share nothing but the machine. CPU
seconds are the server process's, from /proc, per million deliveries; delays are from a caption's
making to the viewer's read; figures are min / median / max of the repeats.

    python -m bench.fanout [--repeats 3] [--seconds 6] [--shapes 1x1000,1x5000,10x50,10x500]
    python -m bench.fanout --faults | --storm
"""

import argparse
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import psutil

from bench.load.crowd import Crowd, Heard, cores, crowd, raise_file_limit
from bench.load.nchan import MODULE, nchan

ROOT = Path(__file__).parents[1]

RATES_HZ = {1000: 8.0, 5000: 3.0, 50: 8.0, 500: 2.0}
"""Captions a second in each room, by viewers a room: 3,000 to 15,000 deliveries a second."""


class Server(Protocol):
    """One that viewers connect to."""

    @property
    def port(self) -> int:
        """On 127.0.0.1."""

    @property
    def path(self) -> str:
        """A viewer's, with "%d" for the room's number."""

    @property
    def process(self) -> psutil.Process:
        """The one that is measured."""

    def say(self, rate_hz: float, seconds: float) -> int:
        """Make every room say captions; return how many each said."""


class Ours:
    """Our server, on one of its paths."""

    path = "/ws/transcript/r%d"

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        self._pipes = process
        self.process = psutil.Process(process.pid)
        self.port = int(process.stdout.readline())

    def say(self, rate_hz: float, seconds: float) -> int:
        """Make every room say captions; return how many each said."""
        assert self._pipes.stdin
        assert self._pipes.stdout
        self._pipes.stdin.write(f"{rate_hz} {seconds}\n")
        self._pipes.stdin.flush()
        return int(self._pipes.stdout.readline())


@contextmanager
def ours(rooms: int, *, path: str, past: int = 0) -> Iterator[Ours]:
    """Run our server in a process of its own."""
    command = [sys.executable, "-m", "bench.load.server", path, str(rooms), str(past)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Ours(process)
        finally:
            process.kill()


SYSTEMS: Mapping[str, Callable[[int], AbstractContextManager[Server]]] = {
    "nchan": nchan,
    "shared bytes": partial(ours, path="direct"),
    "a task a viewer": partial(ours, path="plain"),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One measured stretch."""

    cpu_s_per_million: float
    heard: Heard
    kb_per_viewer: float
    crowd_share: float
    """Of a core, what the viewers themselves took: well below 1, they held nobody up."""


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds a process has used."""
    times = process.cpu_times()
    return times.user + times.system


def measure(system: str, rooms: int, viewers: int, seconds: float, stalled: int = 0) -> Run:
    """Measure one system with so many viewers in each of so many rooms."""
    with SYSTEMS[system](rooms) as server:
        empty = server.process.memory_info().rss
        with crowd(server.port, server.path, rooms, viewers, stalled) as hall:
            hall.until_ready()
            server.say(2.0, 1.0)
            time.sleep(0.5)
            kb = (server.process.memory_info().rss - empty) / 1024 / (rooms * viewers)
            before, began = hall.heard("reset"), time.monotonic()
            used = cpu_s(server.process)
            said = server.say(RATES_HZ[viewers], seconds)
            heard = until_heard(hall, said)
            took = cpu_s(server.process) - used
            share = (heard.cpu_s - before.cpu_s) / (time.monotonic() - began)
    if heard.least != said or heard.most != said:
        print(f"  LOST or doubled: {system}: {heard.least} to {heard.most} of {said}")
    return Run(took / heard.deliveries * 1e6, heard, kb, share)


def until_heard(hall: Crowd, said: int, within_s: float = 10.0) -> Heard:
    """Return what was heard once everybody has all of it, or time is up."""
    end = time.monotonic() + within_s
    while (heard := hall.heard()).least < said and time.monotonic() < end:
        time.sleep(0.05)
    return heard


def spread(values: list[float], form: str = ".2f") -> str:
    """Return min / median / max."""
    found = (min(values), statistics.median(values), max(values))
    return " / ".join(format(value, form) for value in found)


def compare(shapes: list[tuple[int, int]], seconds: float, repeats: int) -> None:
    """Print a table of all systems at each shape."""
    systems = [name for name in SYSTEMS if name != "nchan" or MODULE.exists()]
    print(
        "| Rooms × viewers | System | CPU s per million | × nchan | p50 ms | p95 ms | p99 ms "
        "| KB a viewer | viewers' own core |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for rooms, viewers in shapes:
        runs: dict[str, list[Run]] = {name: [] for name in systems}
        for turn in range(repeats):
            for name in systems[turn % len(systems) :] + systems[: turn % len(systems)]:
                runs[name].append(measure(name, rooms, viewers, seconds))
        for name in systems:
            done = runs[name]
            ratios = [
                run.cpu_s_per_million / base.cpu_s_per_million
                for run, base in zip(done, runs.get("nchan", done), strict=True)
            ]
            print(
                f"| {rooms} × {viewers:,} | {name} "
                f"| {spread([run.cpu_s_per_million for run in done], '.1f')} | {spread(ratios)} "
                f"| {spread([run.heard.p50_ms for run in done])} "
                f"| {spread([run.heard.p95_ms for run in done])} "
                f"| {spread([run.heard.p99_ms for run in done])} "
                f"| {statistics.median(run.kb_per_viewer for run in done):.0f} "
                f"| {max(run.crowd_share for run in done):.2f} |",
                flush=True,
            )  # fmt: skip


def faults(seconds: float, repeats: int) -> None:
    """Print what slow, restless and hostile viewers do to the healthy ones."""
    calm, rough = [], []
    for _ in range(repeats):
        calm.append(measure("shared bytes", 1, 1000, seconds))
        rough.append(_rough(seconds))
    for name, runs in (("undisturbed", calm), ("5 % stopped, one reloads, one rubbish", rough)):
        p99 = spread([run.heard.p99_ms for run in runs])
        print(f"{name}: p99 {p99} ms; lost {any(r.heard.least != r.heard.most for r in runs)}")
    ratios = [b.heard.p99_ms / a.heard.p99_ms for a, b in zip(calm, rough, strict=True)]
    print(f"p99 × undisturbed: {spread(ratios)}")


def _rough(seconds: float) -> Run:
    with ours(1, path="direct") as server, crowd(server.port, server.path, 1, 1000, 50) as hall:
        hall.until_ready()
        server.say(2.0, 1.0)
        time.sleep(0.5)
        before = hall.heard("reset")
        rss, used, began = server.process.memory_info().rss, cpu_s(server.process), time.monotonic()
        over = threading.Event()
        others = [
            threading.Thread(target=_reload, args=(server, over)),
            threading.Thread(target=_talk_rubbish, args=(server, over)),
        ]
        for other in others:
            other.start()
        said = server.say(8.0, seconds)
        heard = until_heard(hall, said)
        over.set()
        for other in others:
            other.join()
        held = sum(c.status == "ESTABLISHED" for c in server.process.net_connections("tcp"))
        grown_mb = (server.process.memory_info().rss - rss) / 2**20
        print(
            f"  healthy had {heard.least} to {heard.most} of {said}; memory {grown_mb:+.1f} MiB; "
            f"the server holds {held} of 1,000 connections after {seconds:.0f} s"
        )
        took = cpu_s(server.process) - used
        share = (heard.cpu_s - before.cpu_s) / (time.monotonic() - began)
        return Run(took / heard.deliveries * 1e6, heard, 0.0, share)


def _reload(server: Server, over: threading.Event) -> None:
    while not over.wait(1.0):
        with crowd(server.port, server.path, 1, 1) as one:
            one.until_ready()


def _talk_rubbish(server: Server, over: threading.Event) -> None:
    import socket  # noqa: PLC0415

    while not over.wait(0.1):
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            head = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            sock.sendall(f"GET /ws/transcript/r0 HTTP/1.1\r\nHost: x\r\n{head}{key}".encode())
            sock.sendall(bytes(range(256)) * 100)


def storm(viewers: int, repeats: int, missed: int = 100) -> None:
    """Print how long a hall that comes back all at once waits, and what it costs."""
    for _ in range(repeats):
        with ours(1, path="direct", past=1000) as server:
            rss, used = server.process.memory_info().rss, cpu_s(server.process)
            began = time.monotonic()
            with crowd(server.port, f"{server.path}?after={1000 - missed}", 1, viewers) as hall:
                hall.until_ready()
                open_s = time.monotonic() - began
                heard = until_heard(hall, missed, 60.0)
                all_s = time.monotonic() - began
                peak = server.process.memory_info().rss
                print(
                    f"{viewers:,} viewers missed {missed}: all connected {open_s:.1f} s, all have "
                    f"all {all_s:.1f} s (least {heard.least}, most {heard.most}); server CPU "
                    f"{cpu_s(server.process) - used:.1f} s; memory {rss / 2**20:.0f} → "
                    f"{peak / 2**20:.0f} MiB",
                    flush=True,
                )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--shapes", default="1x1000,1x5000,10x50,10x500")
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--storm", action="store_true")
    asked = parser.parse_args()
    raise_file_limit()
    print(f"{cores()} cores, Python {sys.version.split()[0]}, load {psutil.getloadavg()[0]:.1f}")
    if asked.faults:
        faults(max(asked.seconds, 20.0), asked.repeats)
    elif asked.storm:
        storm(5000, asked.repeats)
    else:
        shapes = [tuple(map(int, shape.split("x"))) for shape in asked.shapes.split(",")]
        compare([(rooms, viewers) for rooms, viewers in shapes], asked.seconds, asked.repeats)


if __name__ == "__main__":
    main()
