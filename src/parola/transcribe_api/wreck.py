"""Stands before the server and does to connections what a server cannot do to its own.

A plain proxy for bytes: TLS goes through it untouched. The server knows a connection by the port
that the proxy calls it from.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from parola.beside import tasks_beside

READ_BYTES = 65_536

FINISH_S = 5.0
"""How long a client may take to fetch its last bytes."""

STOP_S = 1.0
"""How long open connections have when the endpoint stops."""

CLOSE_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time at all: closing sends a reset. Source: socket(7)."""


class Line:
    """One connection, and what is to happen to it."""

    def __init__(self) -> None:
        self.bytes_per_s: int | None = None
        """How fast is read what the client sends; None: as fast as it comes."""
        self.reset_after: int | None = None
        """How many more bytes reach the client before the reset."""
        self.is_reset = asyncio.Event()
        self._goes = asyncio.Event()
        self._goes.set()

    def swallow(self) -> None:
        """Let nothing through any more, in either direction, and keep the connection."""
        self._goes.clear()

    async def passable(self) -> None:
        """Wait while nothing goes through."""
        await self._goes.wait()


class Wreck:
    """The connections that are open, by the port the server sees."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        """Call the server at an address."""
        self._upstream = upstream
        self._lines: dict[int, Line] = {}

    def line(self, port: int) -> Line | None:
        """Return the connection that calls the server from a port."""
        return self._lines.get(port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one client's connection until either side has ended it."""
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.transport.abort()
            return
        port = up_writer.get_extra_info("sockname")[1]
        line = self._lines[port] = Line()
        still_open = [writer, up_writer]
        try:
            await _carry(line, (reader, writer), (up_reader, up_writer))
            await _finish(still_open)
        finally:
            del self._lines[port]
            for end in still_open:
                end.transport.abort()


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _carry(line: Line, client: Ends, server: Ends) -> None:
    """Pass bytes both ways until both have ended, or one was broken off."""
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_upwards(line, client[0], server[1]))
            tasks.create_task(_downwards(line, server[0], client[1]))
    except* OSError:
        # A connection that one side broke off is over for both; that is nobody else's affair.
        pass


async def _finish(still_open: list[asyncio.StreamWriter]) -> None:
    """Let out what is still in the buffers, for a while; take from the list what has closed.

    A transport that closed after its last bytes must not be aborted: CPython 3.11's has no loop
    to do it on any more, and raises.
    """
    with suppress(OSError):
        async with asyncio.timeout(FINISH_S):
            while still_open:
                still_open[0].close()
                await still_open[0].wait_closed()
                del still_open[0]


async def _upwards(line: Line, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
    while data := await client.read(_share(line)):
        await line.passable()
        if line.bytes_per_s is not None:
            await asyncio.sleep(len(data) / line.bytes_per_s)
        server.write(data)
        await server.drain()
    server.write_eof()


def _share(line: Line) -> int:
    """Return how much to read at once: a tenth of a second's worth where reading is slow."""
    return READ_BYTES if line.bytes_per_s is None else max(line.bytes_per_s // 10, 1)


async def _downwards(
    line: Line, server: asyncio.StreamReader, client: asyncio.StreamWriter
) -> None:
    while data := await server.read(READ_BYTES):
        await line.passable()
        if line.reset_after is not None:
            client.write(data[: line.reset_after])
            await client.drain()
            _reset(client)
            line.is_reset.set()
            raise ConnectionResetError
        client.write(data)
        await client.drain()
    await line.passable()
    client.write_eof()


def _reset(client: asyncio.StreamWriter) -> None:
    taken = client.get_extra_info("socket")
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_AT_ONCE)
    client.transport.abort()


@asynccontextmanager
async def open_wreck(wreck: Wreck, listening: socket.socket) -> AsyncIterator[None]:
    """Take connections at a bound socket while the context is open, then end them all."""
    async with tasks_beside() as tasks:
        carried: set[asyncio.Task[None]] = set()

        def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = tasks.create_task(wreck.serve(reader, writer))
            carried.add(task)
            task.add_done_callback(carried.discard)

        # Little is buffered, so that a slow reader is felt soon.
        server = await asyncio.start_server(take, sock=listening, limit=READ_BYTES)
        try:
            yield
        finally:
            server.close()
            if carried:
                # What the server said last is still on its way.
                await asyncio.wait(carried, timeout=STOP_S)
