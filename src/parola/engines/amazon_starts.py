"""Keeps an account's limits when many rooms begin at once: paced starts, and a shared back-off."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from parola.engines.amazon_errors import Busy

BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 15.0)
"""How long nobody starts after the service said "too many", longer each time in a row."""


class Starts:
    """Shared by all streams of an engine."""

    def __init__(
        self,
        streams: int,
        per_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the most streams at once, the starts a second, and a clock in seconds."""
        self._streams = streams
        self._every_s = 1 / per_s
        self._clock = clock
        self._sleep = sleep
        self._running = 0
        self._next = float("-inf")
        self._refused = 0

    @property
    def running(self) -> int:
        """How many streams hold a place."""
        return self._running

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places.

        Raises:
            Busy: all are taken.
        """
        if self._running >= self._streams:
            raise Busy(
                f"All {self._streams} streams to Amazon Transcribe are in use. End a talk, or ask "
                "AWS Service Quotas for more concurrent streams and raise the engine's setting."
            )
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    async def wait(self) -> None:
        """Wait for this stream's turn to start."""
        now = self._clock()
        turn = max(self._next, now)
        # Counted before the wait: whoever comes meanwhile comes after.
        self._next = turn + self._every_s
        if turn > now:
            await self._sleep(turn - now)

    def refused(self) -> None:
        """Note that the service wants fewer or slower starts."""
        pause = BACK_OFF_S[min(self._refused, len(BACK_OFF_S) - 1)]
        self._refused += 1
        self._next = max(self._next, self._clock() + pause)

    def succeeded(self) -> None:
        """Note that the service listens to a new stream."""
        self._refused = 0
