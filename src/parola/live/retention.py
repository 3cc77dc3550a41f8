"""Takes old talks out of all that holds them, when asked and once a day.

That is the log, the rooms that are open, what is remembered of how talks sound, kept sound, and the
text of recordings that were written down in the background.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from parola.domain.errors import StoreFailed
from parola.live.jobs import Jobs
from parola.live.moods import Moods
from parola.live.rooms import Rooms
from parola.ports import Forgets, Forgotten, Recordings

logger = logging.getLogger(__name__)

DAY_MS = 86_400_000

EVERY_S = 86_400.0

AGAIN_S = 600.0
"""How soon to look again while somebody speaks: rewriting the file holds up what is to be saved."""

TALKING_DAY_S = 43_200.0
"""After half a day in which somebody always spoke, it is done all the same."""


def told(gone: Forgotten) -> str:
    """Return what was deleted, in words for the log and the audit log."""
    return f"{len(gone.talks)} talks and {gone.jobs} recordings"


async def delete_sound(recordings: Recordings, talks: Collection[tuple[str, str]]) -> list[str]:
    """Delete the sound of talks that are gone; return what could not be, in words.

    All of it is tried: the log names these talks no more, so nobody would come back to them.
    """
    left: list[str] = []
    for room, session in sorted(talks):
        try:
            await recordings.delete(room, session)
        except StoreFailed as error:
            left.append(error.message)
    return left


class Retention:
    """Keeps transcripts for so many days, and no longer."""

    def __init__(
        self, rooms: Rooms, log: Forgets, moods: Moods | None = None, jobs: Jobs | None = None
    ) -> None:
        self._rooms = rooms
        self._log = log
        self._moods = moods
        self._jobs = jobs
        self._busy = asyncio.Lock()

    async def prune(self, days: float) -> Forgotten:
        """Delete every talk whose newest line is older, and its sound; those that run stay.

        So it is with the text of recordings that were over before.

        Raises:
            StoreFailed: nothing was deleted, or not all that belongs to it; the message says what
                is left, and what to do.
        """
        before_ms = self._rooms.plugs.now_ms() - int(days * DAY_MS)
        async with self._busy:
            gone = await self._log.forget(before_ms, self._rooms.sessions)
        left = [*([gone.left] if gone.left else []), *await self._forget(gone)]
        if self._jobs:
            try:
                gone = replace(gone, jobs=await self._jobs.forget(before_ms))
            except StoreFailed as error:
                left.append(error.message)
        logger.info("pruned %s older than %g days", told(gone), days)
        if left:
            raise StoreFailed(" ".join(dict.fromkeys(left)))
        return gone

    async def let_go(self, gone: Forgotten) -> None:
        """Delete here what another node has taken out of the log; what cannot be is told."""
        for left in await self._forget(gone):
            logger.warning("%s", left)

    async def _forget(self, gone: Forgotten) -> list[str]:
        """Delete what belongs to talks that are gone; return what could not be, in words."""
        self._rooms.forget(gone)
        if self._moods:
            self._moods.forget(gone)
        recordings = self._rooms.plugs.recordings
        return await delete_sound(recordings, gone.talks) if recordings else []

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
                logger.warning("old talks were not deleted to the end: %s", error.message)
                await sleep(AGAIN_S)
                continue
            if gone.lines or gone.jobs:
                await note(gone)
            await sleep(EVERY_S)
