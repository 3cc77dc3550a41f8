"""A real Redis on loopback, with a folder of its own, as docs/howto/several-nodes.md asks for."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import free_port

START_S = 20.0

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@dataclass(slots=True)
class Broker:
    """A broker that can be killed and started again on what it has written."""

    folder: Path
    host: str
    port: int
    options: tuple[str, ...] = DURABLE
    before: tuple[str, ...] = ()
    """A command to start it with, such as one that enters a network namespace."""

    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://{self.host}:{self.port}/0"

    def start(self) -> None:
        """Start it; returns at once, see `wait`."""
        command = [*self.before, "redis-server", "--bind", self.host, "--port", str(self.port)]
        command += ["--dir", str(self.folder), "--save", "", *self.options]
        # Nothing on loopback or in a namespace of the tests' own is reached by anybody else.
        command += ["--protected-mode", "no"]
        with (self.folder / "broker.log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def wait(self) -> None:
        """Wait until it answers on this side's loopback."""
        until_s = time.monotonic() + START_S
        while True:
            try:
                with socket.create_connection((self.host, self.port), 1) as sock:
                    sock.sendall(b"PING\r\n")
                    if sock.recv(64).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "broker.log").read_text()
            assert time.monotonic() < until_s, "the broker does not answer"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None


def no_broker() -> str | None:
    """Return why no broker can be started here, or None."""
    if shutil.which("redis-server"):
        return None
    return "no redis-server here; Debian's package has it (make test installs it)"


def all_there_or_not(reason: str | None) -> None:
    """Leave the test out for a reason, if there is one; in CI that is a failure."""
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@contextmanager
def running_broker(folder: Path, *, options: tuple[str, ...] = DURABLE) -> Iterator[Broker]:
    """Run a broker on loopback and a free port."""
    all_there_or_not(no_broker())
    broker = Broker(folder, "127.0.0.1", free_port(), options)
    broker.start()
    try:
        broker.wait()
        yield broker
    finally:
        broker.kill()


@dataclass(slots=True)
class DeafLine:
    """A line to a broker whose answers may get lost; what is said to the broker arrives."""

    broker: Broker
    is_deaf: bool = False


@asynccontextmanager
async def deaf_line(broker: Broker) -> AsyncIterator[DeafLine]:
    """Listen on a free port and pass on what is said to a broker."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to, back = await asyncio.open_connection(broker.host, broker.port)

        async def answers() -> None:
            while data := await to.read(65536):
                if not line.is_deaf:
                    writer.write(data)

        answering = asyncio.create_task(answers())
        while data := await reader.read(65536):
            back.write(data)
        answering.cancel()
        back.close()
        writer.close()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        line = DeafLine(Broker(broker.folder, "127.0.0.1", port))
        yield line
