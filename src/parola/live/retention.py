"""Takes old talks out of the log and out of the rooms that are open, when asked and once a day."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from parola.domain.errors import StoreFailed
from parola.live.rooms import Rooms
from parola.ports import Forgets, Forgotten

logger = logging.getLogger(__name__)

DAY_MS = 86_400_000

EVERY_S = 86_400.0

AGAIN_S = 600.0
"""How soon to look again while somebody speaks: rewriting the file holds up what is to be saved."""

TALKING_DAY_S = 43_200.0
"""After half a day in which somebody always spoke, it is done all the same."""


class Retention:
    """Keeps transcripts for so many days, and no longer."""

    def __init__(self, rooms: Rooms, log: Forgets) -> None:
        self._rooms = rooms
        self._log = log
        self._busy = asyncio.Lock()

    async def prune(self, days: float) -> Forgotten:
        """Delete every talk whose newest line is older, and its sound; those that run stay.

        Raises:
            StoreFailed: see `Forgets.forget`, or a talk's sound cannot be deleted.
        """
        before_ms = self._rooms.plugs.now_ms() - int(days * DAY_MS)
        async with self._busy:
            gone = await self._log.forget(before_ms, self._rooms.sessions)
        await self._forget(gone)
        logger.info("pruned %d talks older than %g days", len(gone.talks), days)
        return gone

    async def let_go(self, gone: Forgotten) -> None:
        """Delete here what another node has taken out of the log; what cannot be is told."""
        try:
            await self._forget(gone)
        except StoreFailed as error:
            logger.warning("the sound of deleted talks is left: %s", error.message)

    async def _forget(self, gone: Forgotten) -> None:
        self._rooms.forget(gone)
        if recordings := self._rooms.plugs.recordings:
            for room, session in gone.talks:
                await recordings.delete(room, session)

    async def run(
        self,
        days: float,
        note: Callable[[Forgotten], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prune now and once a day, for ever, rather while nobody speaks.

        Args:
            days: how old talks may become.
            note: is told of each time that something was deleted.
            sleep: waits so many seconds.
        """
        while True:
            waited_s = 0.0
            while self._rooms.running and waited_s < TALKING_DAY_S:
                await sleep(AGAIN_S)
                waited_s += AGAIN_S
            try:
                gone = await self.prune(days)
            except StoreFailed as error:
                logger.warning("old talks were not deleted: %s", error.message)
                await sleep(AGAIN_S)
                continue
            if gone.lines:
                await note(gone)
            await sleep(EVERY_S)
