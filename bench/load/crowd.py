"""The C viewers as a process: compiled when needed, asked over pipes."""

import json
import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent / "viewers.c"


@dataclass(frozen=True, slots=True)
class Heard:
    """What the viewers had when they were asked; those that do not read are not counted."""

    deliveries: int
    least: int
    most: int
    """Messages of the viewer with the fewest and with the most."""

    ended: int
    stalled_ended: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cpu_s: float
    """The viewers' own, since they began."""


@cache
def _program() -> Path:
    """Compile the viewers. Raises FileNotFoundError where there is no `cc`."""
    program = Path(tempfile.mkdtemp(prefix="parola-load-")) / "viewers"
    subprocess.run(["cc", "-O2", "-o", str(program), str(SOURCE)], check=True)
    return program


class Crowd:
    """Viewers that are connected."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def until_ready(self) -> None:
        """Wait until every handshake is over."""
        assert self._process.stdout
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError("the viewers could not connect; is the file limit high enough?")

    def heard(self, question: str = "report") -> Heard:
        """Return what they have; "reset" starts counting anew."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        return Heard(**json.loads(self._process.stdout.readline()))


@contextmanager
def crowd(port: int, path: str, rooms: int, viewers: int, stalled: int = 0) -> Iterator[Crowd]:
    """Connect so many viewers to each room; `path` holds "%d" for its number."""
    command = [str(_program()), str(port), path, str(rooms), str(viewers), str(stalled)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Crowd(process)
        finally:
            process.kill()


def raise_file_limit() -> None:
    """Let this process and its children open as many sockets as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cores() -> int:
    """Return how many cores the machine lends us."""
    return len(os.sched_getaffinity(0))
