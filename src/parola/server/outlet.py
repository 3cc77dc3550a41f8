"""A viewer's transport: takes ready bytes, and tells when the viewer does not keep up."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from typing import Protocol

from parola.domain.errors import TooSlow

PATIENCE_S = 15.0
"""A viewer that takes nothing for so long is let go."""

UNSENT_BYTES = 4096
"""What may wait for a viewer in the kernel, unsent; once that is full, it counts as slow.

With the kernel's defaults 12,800 captions, 43 minutes, wait before a write tells of it."""

TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", None)


class Connection(Protocol):
    """What the server's protocol does for an outlet."""

    transport: asyncio.Transport

    def give_up(self, code: int, reason: str) -> None:
        """Say the last word and cut the connection, whether it is taken or not."""


class Outlet:
    """Where one viewer's bytes go.

    The connection calls `pause`, `resume` and `end`; the one task of the viewer waits. What waits
    for a slow viewer is bounded: `UNSENT_BYTES` and what was written last.
    """

    __slots__ = (
        "_connection",
        "_gone",
        "_number",
        "_on_stop",
        "_slow",
        "_transport",
        "_waiter",
        "write",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport = connection.transport
        _notice_slowness(self._transport)
        self._number = _plain_socket(self._transport)
        # Whoever keeps up has nothing waiting here, so that its socket can be written to. With 0,
        # uvloop's TLS pauses at a write that leaves nothing behind, and resumes at the next one.
        self._transport.set_write_buffer_limits(high=UNSENT_BYTES if self._number is None else 0)
        self._waiter: asyncio.Future[None] | None = None
        self._on_stop: Callable[[], None] | None = None
        self._slow = False
        self._gone = False
        self.write = self._transport.write
        """Takes bytes without waiting."""

    def is_gone(self) -> bool:
        """Return whether nothing may be written any more."""
        return self._gone

    def keeps_up(self) -> bool:
        """Return whether the viewer takes what is written."""
        return not (self._slow or self._gone)

    def bare(self) -> int | None:
        """Return the socket's number if bytes may be written to it past the transport.

        So they may until the viewer does not keep up. None: not now, or never (TLS).
        """
        return None if self.is_flushing() else self._number

    def is_flushing(self) -> bool:
        """Return whether the transport still holds what was written before it was handed over.

        Asked of a viewer that keeps up. Always False where the transport has to be asked anyway.
        """
        return self._number is not None and self._transport.get_write_buffer_size() > 0

    def pause(self) -> None:
        """Note that the viewer does not keep up."""
        self._slow = True
        self._stop()

    def resume(self) -> None:
        """Note that the viewer has taken what waited."""
        self._slow = False
        self._wake()

    def end(self) -> None:
        """Note that nothing may be written any more."""
        self._gone = True
        self._stop()

    def _stop(self) -> None:
        on_stop, self._on_stop = self._on_stop, None
        if on_stop is not None:
            on_stop()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _change(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def while_it_keeps_up(self, on_stop: Callable[[], None]) -> None:
        """Wait until the viewer is slow or gone; `on_stop` is called in that very step.

        It is called as well when the waiting is cancelled.
        """
        self._on_stop = on_stop
        try:
            # Not while it keeps up: it may be slow and quick again before this task runs.
            while self._on_stop is not None:
                await self._change()
        finally:
            self._stop()

    async def until_taken(self) -> None:
        """Wait until the viewer has taken what waits, or is gone.

        Raises:
            TooSlow: it takes nothing.
        """
        while not (self.keeps_up() or self._gone):
            waiting = self._transport.get_write_buffer_size()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._change()
            except TimeoutError:
                if self._transport.get_write_buffer_size() >= waiting:
                    raise TooSlow(
                        f"Nothing was taken for {PATIENCE_S:.0f} s; come back for what you missed."
                    ) from None

    def give_up(self, code: int, reason: str) -> None:
        """Say the last word and cut the connection."""
        self._connection.give_up(code, reason)


def write_bare(numbers: Iterable[int], data: bytes) -> list[tuple[int, int]]:
    """Write to many sockets at once; return who did not take all, and how many bytes it took.

    A broken one takes nothing: its transport will find out and tell.
    """
    write, size = os.write, len(data)
    behind = []
    for place, number in enumerate(numbers):
        try:
            taken = write(number, data)
        except OSError:
            taken = 0
        if taken != size:
            behind.append((place, taken))
    return behind


def _plain_socket(transport: asyncio.Transport) -> int | None:
    """Return the number of a socket to which a transport writes what it is given."""
    sock = transport.get_extra_info("socket")
    # Elsewhere a socket's number is no file's.
    if sock is None or transport.get_extra_info("sslcontext") or os.name != "posix":
        return None
    number: int = sock.fileno()
    return number


def _notice_slowness(transport: asyncio.Transport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None and TCP_NOTSENT_LOWAT is not None:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES)
