"""Counts what Amazon bills, per room; an estimate, the invoice is Amazon's."""

import math
from decimal import Decimal

from parola.domain.audio import RATE_HZ
from parola.ports import Bill

LEAST_S = 15
"""Seconds that every stream is billed at least. Source: Amazon Transcribe pricing, 2026-11."""

REMEMBERED = 1000
"""Rooms whose bills are kept apart; older ones are in the total only."""


class Meter:
    """Adds up streams while they run."""

    def __init__(self, price_per_min: Decimal) -> None:
        """Take the price of a minute in US dollars."""
        self._price_per_min = price_per_min
        self._rooms: dict[str, tuple[int, int]] = {}
        self._total = (0, 0)

    def begin(self, room: str) -> "Account":
        """Return a new stream's account; it costs nothing until audio is sent."""
        return Account(self, room)

    def add(self, room: str, streams: int, seconds: int) -> None:
        """Add to a room's bill and to the total."""
        before = self._rooms.pop(room, (0, 0))
        self._rooms[room] = (before[0] + streams, before[1] + seconds)
        self._total = (self._total[0] + streams, self._total[1] + seconds)
        if len(self._rooms) > REMEMBERED:
            # A bill that grows moves to the end: the first is the longest untouched.
            del self._rooms[next(iter(self._rooms))]

    def bill(self, room: str) -> Bill:
        """Return what a room's talks have cost so far."""
        return self._bill(*self._rooms.get(room, (0, 0)))

    @property
    def total(self) -> Bill:
        """What all talks since the start have cost."""
        return self._bill(*self._total)

    def _bill(self, streams: int, seconds: int) -> Bill:
        return Bill(streams, seconds, self._price_per_min * seconds / 60)


class Account:
    """One stream's part of the bill."""

    def __init__(self, meter: Meter, room: str) -> None:
        self._meter = meter
        self._room = room
        self._frames = 0
        self._seconds = 0

    def add(self, frames: int) -> None:
        """Count audio that was sent, at 16 kHz."""
        if frames <= 0:
            return
        self._frames += frames
        seconds = max(math.ceil(self._frames / RATE_HZ), LEAST_S)
        if seconds > self._seconds:
            self._meter.add(self._room, int(not self._seconds), seconds - self._seconds)
            self._seconds = seconds
