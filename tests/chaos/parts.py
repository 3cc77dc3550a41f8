"""A talk's parts as real processes: `parola listen`, a proxy, `parola serve`."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.disk import Disk
from tests.servers import RunningServer, free_port, serving


class Parts:
    """What can be killed, and started again where it was; everything ends with the stack."""

    def __init__(
        self,
        stack: ExitStack,
        folder: Path,
        disk: Disk,
        source: Sequence[str],
        engine: str = "scripted",
    ) -> None:
        """Begin with nothing running; `source` is what `parola listen` is told to hear."""
        self.folder = folder
        self.disk = disk
        self._stack = stack
        self._source = source
        self._log = stack.enter_context((folder / "parts.log").open("w"))
        self._server_port, self._proxy_port = free_port(), free_port()
        self._running: dict[str, subprocess.Popen[str]] = {}
        self.server: RunningServer | None = None
        self._engine = engine
        stack.callback(self._end)

    @property
    def url(self) -> str:
        """Where client and viewers find the server: at the proxy."""
        return f"ws://127.0.0.1:{self._proxy_port}"

    @property
    def client(self) -> "subprocess.Popen[str]":
        """The `parola listen` that was started last."""
        return self._running["client"]

    def start_server(self) -> bool:
        """Start the server; return whether it could: on a full disk it says why it cannot."""
        data, prefix = self.disk.folder / "data", self.disk.prefix
        running = serving(data, "--engine", self._engine, port=self._server_port, prefix=prefix)
        with ExitStack() as starting:
            try:
                self.server = starting.enter_context(running)
            except AssertionError:
                return False
            self._stack.push(starting.pop_all())
        return True

    def kill_server(self) -> None:
        """End it with SIGKILL, if it runs."""
        server, self.server = self.server, None
        if server:
            server.kill()

    def start_client(self) -> None:
        """Start the client on its spool as it is."""
        command = [sys.executable, "-m", "parola.cli", "listen", *self._source]
        command += ["--spool", str(self.folder / "spool"), "--server", self.url]
        self._start("client", command)

    def start_proxy(self) -> None:
        """Start the proxy, and wait until it listens."""
        ports = (str(self._proxy_port), str(self._server_port))
        proxy = self._start("proxy", [sys.executable, "-m", "tests.chaos.proxy", *ports])
        assert proxy.stdout is not None
        assert proxy.stdout.readline() == "ready\n", "the proxy does not start"

    def command(self, words: str) -> None:
        """Tell the proxy what to do to the connections."""
        proxy = self._running["proxy"]
        assert proxy.stdin is not None
        if proxy.poll() is None:
            proxy.stdin.write(f"{words}\n")
            proxy.stdin.flush()

    def kill(self, name: str) -> None:
        """End the client or the proxy with SIGKILL."""
        process = self._running[name]
        process.kill()
        _close(process)

    def _start(self, name: str, command: list[str]) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        self._running[name] = subprocess.Popen(
            command,
            stdin=pipe if name == "proxy" else subprocess.DEVNULL,
            stdout=pipe if name == "proxy" else self._log,
            stderr=self._log,
            text=True,
        )
        return self._running[name]

    def _end(self) -> None:
        for name in self._running:
            self.kill(name)


def _close(process: "subprocess.Popen[str]") -> None:
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
