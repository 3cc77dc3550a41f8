"""One measured stretch: a server, a hall of viewers, and what the captions cost."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from bench.load.crowd import Crowd, Heard, crowd
from bench.load.systems import Server, Setting

MOST_PER_S = 10_000
"""Deliveries a second that a room's rate aims at where the table has no other."""

RATES_HZ = {1000: 8.0, 5000: 3.0, 10_000: 1.0, 50: 8.0, 500: 2.0}
"""Captions a second in each room, by viewers a room: 4,000 to 15,000 deliveries a second."""

WITHIN_S = 10.0
"""A caption that is not there when nothing has come for so long is lost."""

Serve = Callable[[Setting], AbstractContextManager[Server]]


@dataclass(frozen=True, slots=True)
class Run:
    """What a stretch cost, and what came of it."""

    name: str
    said: int
    heard: Heard
    cpu_s: float
    """The server process's."""

    crowd_cpu_s: float
    took_s: float
    kb_per_viewer: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether each viewer that reads has had each caption once."""
        return self.heard.is_all(self.said)

    @property
    def cpu_s_per_million(self) -> float:
        """CPU seconds of the server per million deliveries."""
        return self.cpu_s / self.heard.deliveries * 1e6

    @property
    def crowd_s_per_million(self) -> float:
        """The viewers' own: less than the server's, and they cannot have held it up."""
        return self.crowd_cpu_s / self.heard.deliveries * 1e6

    @property
    def crowd_share(self) -> float:
        """Of a core, what the viewers took: well below 1, they held nobody up."""
        return self.crowd_cpu_s / self.took_s

    def complaint(self) -> str:
        """Return what is wrong with it, or nothing."""
        if self.is_whole:
            return ""
        heard = self.heard
        return (
            f"LOST or doubled: {self.name}: viewers have {heard.least} to {heard.most} of "
            f"{self.said}, {heard.repeated} came again, {heard.ended} were cut off"
        )


class Stretch:
    """Counts from its beginning what a server's process and its viewers use."""

    def __init__(self, process: psutil.Process, hall: Crowd) -> None:
        self._process = process
        self._hall = hall
        self._crowd_cpu_s = hall.heard("reset").cpu_s
        self._cpu_s = cpu_s(process)
        self._began_s = time.monotonic()

    def end(self, name: str, said: int, within_s: float) -> Run:
        """Wait until everybody has what was said, and return what that took."""
        heard = until_heard(self._hall, said, within_s)
        return Run(
            name,
            said,
            heard,
            cpu_s(self._process) - self._cpu_s,
            heard.cpu_s - self._crowd_cpu_s,
            time.monotonic() - self._began_s,
        )


def measure(
    name: str,
    serve: Serve,
    setting: Setting,
    viewers: int,
    seconds: float,
    within_s: float = WITHIN_S,
) -> Run:
    """Measure one system with so many viewers in each room; say so where captions are lost."""
    with serve(setting) as server:
        empty = server.process.memory_info().rss
        with crowd(server.entrance, setting.rooms, viewers) as hall:
            settle(server, hall)
            kb = (server.process.memory_info().rss - empty) / 1024 / (setting.rooms * viewers)
            stretch = Stretch(server.process, hall)
            run = stretch.end(name, server.say(rate_hz(viewers), seconds), within_s)
    run = replace(run, kb_per_viewer=kb)
    if complaint := run.complaint():
        print(f"  {complaint}", flush=True)
    return run


def settle(server: Server, hall: Crowd) -> None:
    """Wait until everybody is in the hall and has heard the first words."""
    hall.until_ready()
    until_heard(hall, server.say(2.0, 1.0))


def rate_hz(viewers: int) -> float:
    """Return how many captions a second a room with so many viewers says."""
    return RATES_HZ.get(viewers) or min(8.0, MOST_PER_S / viewers)


def until_heard(hall: Crowd, said: int, within_s: float = WITHIN_S, each_s: float = 0.05) -> Heard:
    """Return what was heard once everybody has all of it, or nobody hears more for that long."""
    before, end = -1, 0.0
    while (heard := hall.heard()).least < said:
        if heard.deliveries > before:
            before, end = heard.deliveries, time.monotonic() + within_s
        elif time.monotonic() > end:
            break
        time.sleep(each_s)
    return heard


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds a process has used."""
    times = process.cpu_times()
    return times.user + times.system


class Memory:
    """A process's resident memory from now on."""

    def __init__(self, process: psutil.Process) -> None:
        self._folder = Path(f"/proc/{process.pid}")
        # Source: proc(5), clear_refs: 5 sets the peak to what there is now.
        (self._folder / "clear_refs").write_text("5")
        self.before_mib = self._read("VmRSS")

    def peak_mib(self) -> float:
        """Return the most there was."""
        return self._read("VmHWM")

    def _read(self, name: str) -> float:
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Return min / median / max."""
    found = (min(values), statistics.median(values), max(values))
    return " / ".join(format(value, form) for value in found)


def verdict(what: str, found: float, goal: float, form: str = ".2f") -> str:
    """Return whether a figure is within its goal, in words."""
    word = "reached" if found <= goal else "MISSED"
    return f"{what}: {found:{form}}, the goal is {goal:g} at most: {word}"
