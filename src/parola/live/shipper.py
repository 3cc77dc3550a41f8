"""Sends finals on from the outbox to the queue; what it cannot send now stays in the outbox."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from parola.domain.errors import StoreFailed
from parola.ports import Outbox, Outgoing, Queue, Unsent

logger = logging.getLogger(__name__)

BATCH = 10
"""Finals in one call. Source: Amazon SQS, SendMessageBatch."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
"""How long it pauses after a failure: doubled each time, up to this; then half of it by chance, so
that servers that failed together do not come back together."""

WATCH_S = 5.0
"""How often it looks how far the outbox is behind."""

ALARM_AGE_S = 120.0
ALARM_LINES = 10_000
"""When the outbox is too far behind. Nothing is dropped then: it points into the log, which keeps
every line anyway, so that what fills a disk is the log and not the outbox."""

Sleep = Callable[[float], Awaitable[None]]


class Shipper:
    """Empties one outbox into one queue.

    What it promises: every final that was in the outbox reaches the queue at least once, as long
    as queue and outbox work again some day. The table's keys make that exactly once.
    """

    def __init__(
        self,
        outbox: Outbox,
        queue: Queue,
        now_ms: Callable[[], int],
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._outbox = outbox
        self._queue = queue
        self._now_ms = now_ms
        self._sleep = sleep
        self._pause_s = 0.0
        self._is_late = False
        self.unsent = Unsent()
        """How far the outbox was behind when it was last looked at."""
        self.failure: str | None = None
        """Why nothing can be sent at the moment, a sentence for a person; else None."""

    @property
    def oldest_s(self) -> float:
        """How long the oldest final has waited, in seconds; 0 where none waits."""
        oldest_ms = self.unsent.oldest_ms
        return 0.0 if oldest_ms is None else max(self._now_ms() - oldest_ms, 0) / 1000

    @property
    def is_late(self) -> bool:
        """Whether the outbox is further behind than it should ever be."""
        return self.oldest_s > ALARM_AGE_S or self.unsent.lines > ALARM_LINES

    async def run(self) -> None:
        """Send for ever; belongs in the owner's TaskGroup."""
        while True:
            if not await self._send_some():
                await self._outbox.news()

    async def watch(self) -> None:
        """Look how far the outbox is behind, for ever; belongs in the owner's TaskGroup."""
        while True:
            try:
                self.unsent = await self._outbox.unsent()
            except StoreFailed as error:
                logger.warning("the outbox cannot be read: %s", error.message)
            self._tell_if_late()
            await self._sleep(WATCH_S)

    async def empty(self, within_s: float) -> int:
        """Send what waits, while `run` is not running; return how many are left after that time."""
        try:
            async with asyncio.timeout(within_s):
                while await self._send_some():
                    pass
        except TimeoutError:
            pass
        return (await self._outbox.unsent()).lines

    async def _send_some(self) -> bool:
        """Send a batch, and pause where that failed; return whether there may be more to send."""
        try:
            lines = await self._outbox.waiting(BATCH)
            failure = await self._send(lines) if lines else None
        except StoreFailed as error:
            lines, failure = [], error.message
        self._tell(failure)
        if failure is None:
            self._pause_s = 0.0
            return bool(lines)
        self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        await self._sleep(self._pause_s * random.uniform(0.5, 1))  # noqa: S311 - no secret
        return True

    async def _send(self, lines: list[Outgoing]) -> str | None:
        """Send the lines and settle them; return why some have to be tried again, if any."""
        refusals = await self._queue.send(lines)
        refused = {refusal.ticket for refusal in refusals}
        hopeless = [refusal for refusal in refusals if refusal.is_final]
        for refusal in hopeless:
            logger.error("the queue will never take final %d (%s)", refusal.ticket, refusal.reason)
        sent = [line.ticket for line in lines if line.ticket not in refused]
        await self._outbox.settle(sent, hopeless)
        again = [refusal.reason for refusal in refusals if not refusal.is_final]
        if again:
            return f"The queue did not take {len(again)} lines ({again[0]}); they are tried again."
        return None

    def _tell(self, failure: str | None) -> None:
        if failure and not self.failure:
            logger.warning("finals wait in the outbox: %s", failure)
        elif self.failure and not failure:
            logger.info("finals are sent on again")
        self.failure = failure

    def _tell_if_late(self) -> None:
        if self.is_late and not self._is_late:
            logger.error(
                "%d finals wait in the outbox, the oldest for %.0f s; see queue and network",
                self.unsent.lines,
                self.oldest_s,
            )
        self._is_late = self.is_late
