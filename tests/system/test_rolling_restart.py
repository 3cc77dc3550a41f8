"""Servers replace one another behind a proxy while somebody speaks: no word is lost or repeated."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from parola.beside import beside
from parola.engines.scripted import marked_audio
from tests.servers import RunningServer, free_port, serving

NUMBERS = 120
"""12 s of talk, at the pace of the clock: a number is a word of a tenth of a second. The third
server has to be there before its end."""


class Proxy:
    """Sends each new connection to whichever server says that it is ready, as proxies do."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self.server: asyncio.Server | None = None
        self.used: list[int] = []
        """The servers that connections were sent to, in order."""

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self.server
        return int(self.server.sockets[0].getsockname()[1])

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        """Listen on loopback."""
        self.server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        try:
            yield self
        finally:
            self.server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            port = await self._ready_port()
            if port is not None:
                self.used.append(port)
                back, forth = await asyncio.open_connection("127.0.0.1", port)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_pump(reader, forth))
                    tasks.create_task(_pump(back, writer))
        except* OSError:
            pass
        finally:
            writer.close()

    async def _ready_port(self) -> int | None:
        async with httpx.AsyncClient(timeout=5) as client:
            for port in self._ports:
                with suppress(httpx.HTTPError):
                    answer = await client.get(f"http://127.0.0.1:{port}/healthz")
                    if answer.status_code == 200:
                        return port
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        with suppress(OSError):
            writer.close()


class Viewer:
    """Reads a room through the proxy; comes back with its last number, as every page does."""

    def __init__(self) -> None:
        self.finals: list[tuple[int, str]] = []
        self._changed = asyncio.Event()

    async def read(self, port: int) -> None:
        """Read for ever."""
        while True:
            after = self.finals[-1][0] if self.finals else 0
            with suppress(OSError, WebSocketException, EOFError):
                url = f"ws://127.0.0.1:{port}/ws/transcript/main?after={after}"
                async with connect(url, open_timeout=5) as socket:
                    async for frame in socket:
                        said = json.loads(frame)
                        self.finals.append((said["seq"], said["text"]))
                        self._changed.set()
            await asyncio.sleep(0.1)

    @property
    def words(self) -> list[str]:
        """All words read."""
        return " ".join(text for _, text in self.finals).split()

    async def has(self, count: int) -> None:
        """Wait until so many words are there."""
        while len(self.words) < count:
            self._changed.clear()
            await self._changed.wait()


@contextmanager
def listening(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Let the real client speak to the proxy."""
    (folder / "talk.raw").write_bytes(marked_audio(range(NUMBERS)))
    command = [sys.executable, "-m", "parola.cli", "listen", "--rate", "16000", "--room", "main"]
    command += ["--file", str(folder / "talk.raw"), "--spool", str(folder / "spool")]
    command += ["--server", f"ws://127.0.0.1:{port}"]
    with (folder / "listen.log").open("w") as log:
        client = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield client
    finally:
        client.kill()
        client.wait()


async def said(port: int) -> list[tuple[str, float, float]]:
    """Return the words of the log's one talk with their times; check that its lines are one run."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/api/rooms/main/transcript.json")
    (talk,) = answer.json()["sessions"]
    assert [s["segment"] for s in talk["segments"]] == list(range(1, len(talk["segments"]) + 1))
    words = [word for segment in talk["segments"] for word in segment["words"]]
    return [(word["text"], round(word["start_s"], 3), round(word["end_s"], 3)) for word in words]


async def let_go(server: RunningServer, how: str) -> int:
    """Let a server go by signal or by command, and return its exit code."""
    if how == "drain":
        command = [sys.executable, "-m", "parola.cli", "drain", "--server", server.url]
        drained = await asyncio.create_subprocess_exec(*command)
        assert await drained.wait() == 0
    else:
        server.process.send_signal(signal.SIGTERM)
    return await asyncio.to_thread(server.process.wait, 30)


async def until_waiting(log: Path, times: int) -> None:
    """Wait until a server has said, for the n-th time, that it waits for the data folder."""
    while log.read_text().count("waiting for the data folder") < times:  # noqa: ASYNC110 - a file
        await asyncio.sleep(0.05)


async def test_a_live_room_moves_twice_without_a_lost_word(tmp_path: Path) -> None:
    """The next server waits for the data folder, is ready when it has it, and goes on.

    Once by SIGTERM and once by `parola drain`: the log's words and times are those of an unbroken
    talk, and a viewer reads each of them once, in order.
    """
    ports = [free_port() for _ in range(3)]
    viewer, proxy, servers = Viewer(), Proxy(ports), ExitStack()

    async def start(port: int) -> RunningServer:
        options = ("--engine", "scripted", "--wait-for-data-s", "60")
        server = serving(tmp_path / "data", *options, port=port)
        return await asyncio.to_thread(servers.enter_context, server)

    async with asyncio.timeout(100), proxy.running(), beside(viewer.read(proxy.port)):
        with servers:
            server = await start(ports[0])
            client = servers.enter_context(listening(tmp_path, proxy.port))
            for turn, how in enumerate(("SIGTERM", "drain"), start=1):
                await viewer.has(20 * turn)
                async with asyncio.TaskGroup() as tasks:
                    following = tasks.create_task(start(ports[turn]))
                    await until_waiting(tmp_path / "server.log", turn)
                    assert await let_go(server, how) == 0
                server = following.result()
            assert await asyncio.to_thread(client.wait, 60) == 0
            await viewer.has(NUMBERS)
            spoken = [(str(n), n / 10, (n + 1) / 10) for n in range(NUMBERS)]
            assert await said(ports[2]) == spoken
    assert viewer.words == [str(n) for n in range(NUMBERS)]
    numbers = [number for number, _ in viewer.finals]
    assert numbers == sorted(set(numbers))
    assert set(proxy.used) == set(ports)
