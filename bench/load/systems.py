"""Our server as a process to load: started, told to speak, and looked at from outside."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

import psutil

from bench.load.crowd import Entrance, Medium
from parola.transcribe_api.dev_ca import dev_certificate
from parola.transcribe_api.serving import Certificate

ROOT = Path(__file__).parents[2]

VIEWERS_PATHS: dict[Medium, str] = {
    "socket": "/ws/transcript/r%d",
    "events": "/api/rooms/r%d/events",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a server is started for."""

    rooms: int
    medium: Medium = "socket"
    past: int = 0
    """Captions that each room has in its log."""

    certificate: Certificate | None = None
    """With it, viewers come over TLS."""


@contextmanager
def certified(*, tls: bool) -> Iterator[Certificate | None]:
    """Make a certificate for this machine, in a folder that is gone afterwards, if it takes one."""
    if not tls:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        yield dev_certificate(Path(folder), datetime.now(UTC))[1]


class Server(Protocol):
    """One that viewers connect to."""

    @property
    def entrance(self) -> Entrance:
        """Where viewers come in."""

    @property
    def process(self) -> psutil.Process:
        """The one that is measured."""

    def say(self, rate_hz: float, seconds: float) -> int:
        """Make every room say captions; return how many each said."""


class Ours:
    """Our server, on one of its paths."""

    def __init__(self, process: "subprocess.Popen[str]", setting: Setting) -> None:
        assert process.stdout
        self._pipes = process
        self.process = psutil.Process(process.pid)
        port = int(process.stdout.readline())
        path, tls = VIEWERS_PATHS[setting.medium], setting.certificate is not None
        self.entrance = Entrance(port, path, setting.medium, tls)

    def say(self, rate_hz: float, seconds: float) -> int:
        """Make every room say captions; return how many each said."""
        assert self._pipes.stdin
        assert self._pipes.stdout
        self._pipes.stdin.write(f"{rate_hz} {seconds}\n")
        self._pipes.stdin.flush()
        return int(self._pipes.stdout.readline())


@contextmanager
def ours(setting: Setting, path: Literal["direct", "plain"] = "direct") -> Iterator[Ours]:
    """Run our server in a process of its own."""
    command = [sys.executable, "-m", "bench.load.server", path]
    command += [str(setting.rooms), str(setting.past)]
    if setting.certificate:
        command += [str(setting.certificate.chain), str(setting.certificate.key)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Ours(process, setting)
        finally:
            process.kill()
