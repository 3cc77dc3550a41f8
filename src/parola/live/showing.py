"""Shows a session's segments in order, and knows from when on their audio need not be kept.

It outlives the engine streams that the segments come from: a stream that breaks off while a
final waits for the log would else take it away from the viewers, or let its audio count as safe.
"""

import asyncio
from collections import deque
from typing import Protocol

from parola.domain.log import Withheld
from parola.domain.transcript import Segment

LIMIT = 64
"""Segments and settled frames that may wait to be shown; then the engine's next words wait."""


class Saved(Protocol):
    """A promise that a segment is or will be in the log."""

    @property
    def durable(self) -> bool:
        """Whether it would survive a crash now."""

    async def kept(self) -> None:
        """Wait until it is durable."""


class Screen(Protocol):
    """Where segments go: a session's sink."""

    async def show(self, segment: Segment) -> Saved | None:
        """Show a partial or a final; a final that is kept returns its promise."""

    async def withhold(self, withheld: Withheld) -> None:
        """Keep what the engine wrote and nobody may be shown, where somebody keeps a log."""


class Showing:
    """What waits to be shown, and what was; `run` belongs beside the session's streams."""

    def __init__(self, screen: Screen, first_frame: int) -> None:
        self._screen = screen
        self._waiting: deque[Segment | Withheld | int] = deque()
        self._changed = asyncio.Event()
        self._last_saving: Saved | None = None
        self._unsaved: deque[tuple[int, Saved]] = deque()
        self._durable = first_frame

    @property
    def durable_frame(self) -> int:
        """The first frame whose text is not yet durably in the log (or known to hold none)."""
        while self._unsaved and self._unsaved[0][1].durable:
            self._durable = self._unsaved.popleft()[0]
        return self._durable

    def add(self, piece: Segment | Withheld) -> None:
        """Show the segment, or keep what is withheld, after those that wait."""
        self._waiting.append(piece)
        self._tell()

    def settle(self, frame: int) -> None:
        """Note that the text of all audio before the frame was added, where it has any."""
        self._waiting.append(frame)
        self._tell()

    async def room_for_more(self) -> None:
        """Wait while as much waits as may."""
        while len(self._waiting) >= LIMIT:
            await self._changed.wait()

    async def all_shown(self) -> None:
        """Wait until nothing waits to be shown."""
        while self._waiting:
            await self._changed.wait()

    async def kept(self) -> None:
        """Wait until everything shown is durably in the log."""
        if self._last_saving:
            await self._last_saving.kept()

    async def run(self) -> None:
        """Show what comes, for ever.

        Raises:
            StoreFailed: as many entries wait to be saved as may.
        """
        while True:
            while not self._waiting:
                await self._changed.wait()
            first = self._waiting[0]
            if isinstance(first, int):
                self._note(first)
            elif isinstance(first, Segment):
                saving = await self._screen.show(first)
                self._last_saving = saving or self._last_saving
            else:
                await self._screen.withhold(first)
            self._waiting.popleft()
            self._tell()

    def _note(self, frame: int) -> None:
        if self._last_saving is None:
            self._durable = frame
        elif self._unsaved and self._unsaved[-1][1] is self._last_saving:
            self._unsaved[-1] = (frame, self._last_saving)
        else:
            self._unsaved.append((frame, self._last_saving))

    def _tell(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()
