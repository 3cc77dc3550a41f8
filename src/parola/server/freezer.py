"""Keeps the garbage collector from walking a full hall again and again while captions wait."""

import asyncio
import gc

FEW = 100
"""Viewers that are not worth the trouble."""

MANY = 500
"""So many are frozen at once: while thousands come, each full collection would walk all of them."""

QUIET_S = 2.0
"""A hall is full when nobody has come for so long."""

LATEST_S = 10.0
"""Where somebody comes all the time, it is full after so long."""


class Freezer:
    """Takes viewers who have come out of the collector's sight, until half of them have left.

    A viewer is some 140 objects, and a full collection stops everything: 0.44 s for 5,000 viewers.
    What is frozen is still freed when nothing refers to it; only what refers to itself waits until
    all is in sight again.
    """

    def __init__(self) -> None:
        self._fresh = 0
        self._frozen = 0
        self._left = 0
        self._first_s = 0.0
        self._last_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def came(self) -> None:
        """Count a viewer; it is frozen with the others once the hall is full."""
        loop = asyncio.get_running_loop()
        self._last_s = loop.time()
        self._fresh += 1
        if self._fresh >= MANY:
            self._freeze()
        elif self._timer is None and self._fresh >= FEW:
            self._first_s = self._last_s
            self._timer = loop.call_later(QUIET_S, self._look)

    def left(self) -> None:
        """Count one that is no more; when many are, the collector sees everything again."""
        self._left += 1
        if self._left > max(FEW, self._frozen) / 2 and self._frozen:
            gc.unfreeze()
            self._frozen = self._left = 0

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = min(self._last_s + QUIET_S, self._first_s + LATEST_S)
        if loop.time() < due_s:
            self._timer = loop.call_at(due_s, self._look)
            return
        self._timer = None
        if self._fresh:
            self._freeze()

    def _freeze(self) -> None:
        self._frozen += self._fresh
        self._fresh = 0
        # Not what is old: that would be the walk that nobody should wait for.
        gc.collect(1)
        gc.freeze()
