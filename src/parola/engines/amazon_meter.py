"""Counts what Amazon bills, per session; an estimate, the invoice is Amazon's."""

import math
from dataclasses import dataclass
from decimal import Decimal

from parola.domain.audio import RATE_HZ

LEAST_S = 15
"""Seconds that every stream is billed at least. Source: Amazon Transcribe pricing, 2026-11."""

REMEMBERED = 1000
"""Sessions whose bills are kept apart; older ones are in the total only."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What some streams cost."""

    streams: int = 0
    seconds: int = 0
    """Each stream's audio rounded up to whole seconds, 15 at least."""

    money: Decimal = Decimal(0)
    """US dollars."""


class Meter:
    """Adds up streams while they run."""

    def __init__(self, price_per_min: Decimal) -> None:
        """Take the price of a minute in US dollars."""
        self._price_per_min = price_per_min
        self._sessions: dict[str, tuple[int, int]] = {}
        self._total = (0, 0)

    def begin(self, session: str) -> "Account":
        """Return a new stream's account; it costs nothing until audio is sent."""
        return Account(self, session)

    def add(self, session: str, streams: int, seconds: int) -> None:
        """Add to a session's bill and to the total."""
        before = self._sessions.pop(session, (0, 0))
        self._sessions[session] = (before[0] + streams, before[1] + seconds)
        self._total = (self._total[0] + streams, self._total[1] + seconds)
        if len(self._sessions) > REMEMBERED:
            # A bill that grows moves to the end: the first is the longest untouched.
            del self._sessions[next(iter(self._sessions))]

    def bill(self, session: str) -> Bill:
        """Return what a session has cost so far."""
        return self._bill(*self._sessions.get(session, (0, 0)))

    @property
    def total(self) -> Bill:
        """What all sessions since the start have cost."""
        return self._bill(*self._total)

    def _bill(self, streams: int, seconds: int) -> Bill:
        return Bill(streams, seconds, self._price_per_min * seconds / 60)


class Account:
    """One stream's part of the bill."""

    def __init__(self, meter: Meter, session: str) -> None:
        self._meter = meter
        self._session = session
        self._frames = 0
        self._seconds = 0

    def add(self, frames: int) -> None:
        """Count audio that was sent, at 16 kHz."""
        if frames <= 0:
            return
        self._frames += frames
        seconds = max(math.ceil(self._frames / RATE_HZ), LEAST_S)
        if seconds > self._seconds:
            self._meter.add(self._session, int(not self._seconds), seconds - self._seconds)
            self._seconds = seconds
