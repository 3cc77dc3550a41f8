"""A TCP proxy in a process of its own, that does to connections what networks do.

Run with: python -m tests.chaos.proxy PORT SERVER_PORT. Commands come on stdin, one a line, and
hold for the connections of that moment:

    reset         both sides hear at once that the connection is gone
    late S        half a second of what the peer sends is held up, then the peer hears a reset, and
                  S seconds later the server gets what was held up: by then it has come twice
    black-hole    nothing arrives any more, and nobody hears of it
    stall S       nothing arrives for S seconds, then everything
    delay S       everything arrives S seconds later, also over connections to come
"""

import asyncio
import socket
import struct
import sys
from contextlib import suppress

HELD_UP_S = 0.5
"""How much of a source's sound comes twice after `late`."""

_LINGER_NOT = struct.pack("ii", 1, 0)
_END = b""


class Pipe:
    """One direction of a connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_its_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self.delay_s = delay_s
        self.held_until_s = 0.0
        self.is_black = False

    async def run(self) -> None:
        """Carry bytes until the end of them has arrived."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take())
            tasks.create_task(self._give())

    async def _take(self) -> None:
        data = b"-"
        while data:
            try:
                data = await self._reader.read(65_536)
            except OSError:
                data = _END
            self._on_its_way.put_nowait((self._loop.time() + self.delay_s, data))

    async def _give(self) -> None:
        while True:
            due_s, data = await self._on_its_way.get()
            # It may be held up for longer while it is.
            while max(due_s, self.held_until_s) > self._loop.time():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            if data == _END:
                # A black hole says no goodbye either; the peer notices by its own pings.
                if not self.is_black:
                    self._writer.close()
                return
            if not self.is_black:
                self._writer.write(data)
                with suppress(OSError):
                    await self._writer.drain()


class Line:
    """One connection through the proxy."""

    def __init__(self, peer: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._peer = peer
        self._server = server
        self.pipes: list[Pipe] = []

    def reset(self) -> None:
        """End it for both."""
        for writer in (self._peer, self._server):
            _reset(writer)

    def reset_late(self, late_s: float) -> None:
        """End it for the peer soon, and for the server late."""
        loop = asyncio.get_running_loop()
        up, _ = self.pipes
        up.held_until_s = loop.time() + HELD_UP_S + late_s
        loop.call_later(HELD_UP_S, _reset, self._peer)


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        held: socket.socket = writer.get_extra_info("socket")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    writer.transport.abort()


class Proxy:
    """All connections, and what is done to them."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._lines: set[Line] = set()
        self._delay_s = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to the server, where there is one."""
        try:
            server = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            _reset(writer)
            return
        line = Line(writer, server[1])
        line.pipes = [
            Pipe(reader, server[1], self._delay_s),
            Pipe(server[0], writer, self._delay_s),
        ]
        self._lines.add(line)
        try:
            async with asyncio.TaskGroup() as tasks:
                for pipe in line.pipes:
                    tasks.create_task(pipe.run())
        finally:
            self._lines.discard(line)
            line.reset()

    def obey(self, command: str) -> None:
        """Do what a line of stdin says."""
        what, _, number = command.partition(" ")
        seconds = float(number or 0)
        if what == "delay":
            self._delay_s = seconds
        for line in self._lines:
            if what == "reset":
                line.reset()
            elif what == "late":
                line.reset_late(seconds)
            for pipe in line.pipes:
                if what == "black-hole":
                    pipe.is_black = True
                elif what == "stall":
                    pipe.held_until_s = asyncio.get_running_loop().time() + seconds
                elif what == "delay":
                    pipe.delay_s = seconds


async def main(port: int, server_port: int) -> None:
    """Serve until stdin ends."""
    proxy = Proxy(server_port)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", port):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while command := await commands.readline():
            proxy.obey(command.decode().strip())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
