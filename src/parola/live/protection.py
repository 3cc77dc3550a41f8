"""Keeps the host from ending this process while somebody speaks."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from parola.beside import beside
from parola.domain.errors import HostFailed
from parola.live.rooms import Rooms
from parola.ports import Host

logger = logging.getLogger(__name__)

EXPIRES_MIN = 60
"""How long the host is asked for at once: if this process hangs, it is free after that."""

RENEW_S = 900.0
"""How often it is asked again while talks run."""

LOOK_S = 2.0
"""How often to look whether talks run; and to ask again after a failure."""

GOODBYE_S = 2.0
"""How long giving it back may hold up a stop."""


class Protection:
    """Asked for while talks run, renewed, given back after the last one."""

    def __init__(self, rooms: Rooms, host: Host) -> None:
        self._rooms = rooms
        self._host = host
        self._asked_at: float | None = None
        """When it was last given, by the rooms' clock; None while there is none."""
        self.failure: str | None = None
        """Why there is none though talks run, or why it cannot be given back."""

    @property
    def is_held(self) -> bool:
        """Whether the host has said that it leaves us alone."""
        return self._asked_at is not None

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look, ask and give back, for ever. No failure of the host's stops anything."""
        while True:
            await self.look()
            await sleep(LOOK_S)

    async def look(self) -> None:
        """Bring the host's word in line with the talks that run."""
        now_s = self._rooms.plugs.monotonic()
        try:
            if self._rooms.running:
                if self._asked_at is None or now_s - self._asked_at >= RENEW_S:
                    await self._host.protect(EXPIRES_MIN)
                    self._asked_at = now_s
            elif self._asked_at is not None:
                await self._host.release()
                self._asked_at = None
        except HostFailed as error:
            self._tell(error.message)
            self._forget_if_over(now_s)
        else:
            self._tell(None)

    def _forget_if_over(self, now_s: float) -> None:
        if self._asked_at is not None and now_s - self._asked_at >= EXPIRES_MIN * 60:
            self._asked_at = None

    def _tell(self, failure: str | None) -> None:
        if failure and failure != self.failure:
            logger.error("the host may end this process while talks run: %s", failure)
        elif self.failure and not failure:
            logger.info("the host does again as it is asked")
        self.failure = failure


@asynccontextmanager
async def protected(rooms: Rooms, host: Host | None) -> AsyncIterator[Protection | None]:
    """Hold on to the host while talks run and the body does; then give it back."""
    if host is None:
        yield None
        return
    protection = Protection(rooms, host)
    try:
        async with beside(protection.run()):
            yield protection
    finally:
        if protection.is_held:
            with suppress(HostFailed, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await host.release()
