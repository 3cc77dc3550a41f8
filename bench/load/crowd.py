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
from typing import Literal

SOURCE = Path(__file__).parent / "viewers.c"

Medium = Literal["socket", "events"]
"""A WebSocket or server-sent events."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the viewers had when they were asked; those that do not read are not counted."""

    deliveries: int
    least: int
    most: int
    """Messages of the viewer with the fewest and with the most."""

    repeated: int
    """Messages that were no newer than one before."""

    ended: int
    stalled_ended: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cpu_s: float
    """The viewers' own, since they began."""

    def is_all(self, said: int) -> bool:
        """Return whether each viewer that reads has each of so many messages, once, in order."""
        return self.least == self.most == said and not (self.repeated or self.ended)


@cache
def _program(*, tls: bool) -> Path:
    """Compile the viewers.

    Raises:
        FileNotFoundError: there is no `cc`.
        RuntimeError: it cannot compile them; with TLS they take OpenSSL's headers.
    """
    program = Path(tempfile.mkdtemp(prefix="parola-load-")) / "viewers"
    more = ["-DTLS", "-lssl", "-lcrypto"] if tls else []
    if subprocess.run(
        ["cc", "-O2", "-o", str(program), str(SOURCE), *more], check=False
    ).returncode:
        needs = "; TLS takes OpenSSL's headers (Debian: libssl-dev)" if tls else ""
        raise RuntimeError(f"the viewers do not compile{needs}")
    return program


class Crowd:
    """Viewers that are connected."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def until_ready(self) -> None:
        """Wait until every handshake is over.

        Raises:
            RuntimeError: the viewers could not connect; they have said why on stderr.
        """
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


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where viewers come in."""

    port: int
    path: str
    """With "%d" for the room's number."""

    medium: Medium = "socket"
    tls: bool = False

    marks: str = "@@"
    """The characters before and after a caption's time."""


@contextmanager
def crowd(
    entrance: Entrance, rooms: int, viewers: int, *, stalled: int = 0, per_second: float = 0.0
) -> Iterator[Crowd]:
    """Connect so many viewers to each room, as fast as they are let in or so many a second.

    Args:
        entrance: where.
        rooms: numbered from 0.
        viewers: in each room.
        stalled: how many of those never read.
        per_second: 0: as fast as they are let in.
    """
    medium = f"{entrance.medium}+tls" if entrance.tls else entrance.medium
    command = [str(_program(tls=entrance.tls)), medium, str(entrance.port), entrance.path]
    command += [str(rooms), str(viewers), str(stalled), str(per_second), entrance.marks]
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
