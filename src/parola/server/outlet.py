"""A viewer's transport: takes ready bytes, and tells when the viewer does not keep up."""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from parola.domain.errors import TooSlow

PATIENCE_S = 15.0
"""A viewer that takes nothing for so long is let go."""

UNSENT_BYTES = 4096
"""What may wait for a viewer, in the kernel and again here, before it counts as slow.

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

    __slots__ = ("_connection", "_gone", "_on_stop", "_slow", "_transport", "_waiter", "write")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._transport.set_write_buffer_limits(high=UNSENT_BYTES)
        _notice_slowness(self._transport)
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


def _notice_slowness(transport: asyncio.Transport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None and TCP_NOTSENT_LOWAT is not None:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES)
