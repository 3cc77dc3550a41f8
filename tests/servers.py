"""Real servers for tests: the console command in a process of its own, on a free port."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY = "Parola is ready: "


@dataclass(slots=True)
class RunningServer:
    """A `parola serve` that is ready."""

    process: subprocess.Popen[str]
    urls: list[str]
    """One for each port, such as "http://127.0.0.1:40123"."""

    data: Path

    @property
    def url(self) -> str:
        """Where the pages are."""
        return self.urls[0]

    @property
    def ws(self) -> str:
        """The same for sockets."""
        return self.url.replace("http", "ws", 1)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """Ask it to end in order, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def serving(
    data: Path,
    *options: str,
    ports: int = 1,
    port: int = 0,
    prefix: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[RunningServer]:
    """Start `parola serve` on loopback and free ports, or one port; it is ended with the context.

    What it writes to stderr is in `<data>/../server.log`. `prefix` goes before its command;
    `environment` is added to ours.
    """
    command = [*prefix, sys.executable, "-m", "parola.cli", "serve", "--data", str(data), *options]
    for _ in range(ports):
        command += ["--port", str(port)]
    ours = {k: v for k, v in os.environ.items() if not k.startswith("PAROLA_")}
    with (data.parent / "server.log").open("a") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**ours, **(environment or {})},
        )
    try:
        yield RunningServer(process, _wait_until_ready(process, ports, data), data)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _wait_until_ready(process: subprocess.Popen[str], ports: int, data: Path) -> list[str]:
    assert process.stdout is not None
    urls: list[str] = []
    while len(urls) < ports:
        line = process.stdout.readline()
        if not line:
            log = (data.parent / "server.log").read_text()
            raise AssertionError(f"the server ended with {process.wait()}:\n{log}")
        if line.startswith(READY):
            urls.append(line.removeprefix(READY).strip())
    return urls


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
