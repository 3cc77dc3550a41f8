"""One room as its viewers on this node read it; a viewer is a cursor, so slowness costs nothing."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from parola.domain.captions import utc_iso
from parola.domain.corrections import Edits
from parola.domain.errors import ParolaError
from parola.domain.log import Edit, Entry, Withheld
from parola.domain.transcript import Segment
from parola.ports import Numbered, Partial, RoomEvent, RoomState
from parola.wire import messages

WINDOW = 500
"""Entries kept ready as frames; viewers further behind read the log."""

PAGE = 200
"""Entries read from the log at once for a viewer who is far behind."""

REPLAY = 100
"""Entries a viewer without a number gets."""

REPLAY_MS = 12 * 3600 * 1000
"""How old they may be: yesterday's talk is not today's screen."""


UNSAVED = 500
"""How many numbers beyond the log's a viewer may have seen, before a crash while the disk was full:
half an hour of talk."""

BEAT_S = 15.0
"""Viewers that ask for states hear something at least this often: a browser cannot see a
connection that died without a word."""


@dataclass(frozen=True, slots=True)
class Line:
    """A log entry, encoded once for everybody; anew when somebody edits it."""

    entry: Entry
    frame: str
    is_text: bool
    """False for what only viewers that asked (v=1) can read: state changes, edits, gaps of struck
    lines."""

    @property
    def number(self) -> int:
        """Its number in the log."""
        return self.entry.number


@dataclass(frozen=True, slots=True)
class Frame:
    """What one viewer is sent at once."""

    text: str
    number: int | None = None
    """In the room's log; None for guesses and states."""


class Past(Protocol):
    """Where a room's entries can be read, the ones that are not saved yet among them."""

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return up to `limit` entries with numbers greater than `after`, in order."""

    async def last_number(self, room: str) -> int:
        """Return the greatest number, 0 where there is none."""

    async def edits(self, room: str) -> list[Entry]:
        """Return every edit, in order."""


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer asked for."""

    after: int | None = None
    """The last number it has; None: whatever a newcomer should see."""

    partials: bool = False
    extras: bool = False
    """States and changes too, not only text (v=1)."""


def line(entry: Entry, edits: Edits) -> Line | None:
    """Return the entry as a ready frame; None for what no viewer is shown.

    Who comes now gets a final as it reads now; of its edits, for who was here, only the newest.
    """
    if isinstance(entry.body, Withheld):
        return None
    if isinstance(entry.body, Edit):
        frame = messages.entry_message(entry)
        return Line(entry, frame, is_text=False) if edits.counts(entry) else None
    if (now := edits.read(entry)) is None:
        return Line(entry, messages.struck_message(entry), is_text=False)
    return Line(entry, messages.entry_message(now), is_text=isinstance(now.body, Segment))


class Feed:
    """A window of finals, the newest partial and the state; and everybody who waits for more.

    `follow` is its one task; viewers iterate over `watch`.
    """

    def __init__(self, room: str, log: Past) -> None:
        self._room = room
        self._log = log
        self._lines: deque[Line] = deque(maxlen=WINDOW)
        self._edits = Edits()
        self._last_number = 0
        self._loaded_number = 0
        self._partial: Segment | None = None
        self._partial_frame = ""
        self._partial_version = 0
        self.state = RoomState("idle")
        self.language = ""
        self.engine = ""
        self._state_version = 0
        self._changed = asyncio.Event()
        self.ready = asyncio.Event()
        """Set once the past has been read."""
        self.failure: ParolaError | None = None
        """Why the past could not be read."""
        self.viewers = 0
        self.last_at_ms = 0

    @property
    def edits(self) -> Edits:
        """How the room's finals read for its viewers."""
        return self._edits

    @property
    def last_number(self) -> int:
        """The greatest log number seen."""
        return self._last_number

    async def load(self) -> None:
        """Read the newest entries of the log into the window.

        Raises:
            StoreFailed: the log cannot be read now.
        """
        last = await self._log.last_number(self._room)
        self._edits = Edits(await self._log.edits(self._room))
        for entry in await self._log.read(self._room, max(last - WINDOW, 0), WINDOW + 1):
            self._append(entry)
        self._loaded_number = self._last_number

    def apply(self, event: RoomEvent) -> None:
        """Take an event from the bus; a number that was seen already changes nothing."""
        if isinstance(event, Numbered):
            self._append(event.entry)
        elif isinstance(event, Partial):
            self._partial = event.segment
            self._partial_frame = messages.partial_message(self._room, event.segment)
            self._partial_version += 1
        else:
            self.state = event
            self._state_version += 1
        self._wake()

    def _append(self, entry: Entry) -> None:
        if entry.number <= self._last_number:
            return
        self._last_number = entry.number
        self.last_at_ms = entry.at_ms
        if isinstance(entry.body, Edit) and self._edits.add(entry):
            self._renew(entry.body.of)
        if ready := line(entry, self._edits):
            self._lines.append(ready)
        final = entry.body
        if (
            self._partial is not None
            and isinstance(final, Segment)
            and final.session == self._partial.session
        ):
            # The final stands for the partial: nobody needs that one any more.
            self._partial = None
            self._partial_version += 1

    def _renew(self, number: int) -> None:
        """Write a final anew that somebody has edited, and forget its older edits."""
        for place, old in enumerate(self._lines):
            edit = old.entry.body
            if old.number == number or (isinstance(edit, Edit) and edit.of == number):
                # An edit that counts no more keeps its place, so that the window has no gap.
                self._lines[place] = line(old.entry, self._edits) or replace(old, frame="")

    def _wake(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()

    async def watch(self, view: View, now_ms: int) -> AsyncGenerator[str]:
        """Yield a viewer's frames as text, see `follow`."""
        async with aclosing(self.follow(view, now_ms)) as frames:
            async for frame in frames:
                yield frame.text

    async def follow(self, view: View, now_ms: int) -> AsyncGenerator[Frame]:
        """Yield a viewer's frames for ever: what it missed, in order, then what comes.

        A viewer that is slow to ask for the next frame skips partials, never finals.

        Raises:
            StoreFailed: what it missed cannot be read from the log now.
        """
        cursor = view.after
        if cursor is None or self._is_foreign(cursor):
            cursor = self._newcomer(now_ms)
        partial_seen = state_seen = -1
        while True:
            changed = self._changed
            if view.extras and state_seen != self._state_version:
                # The viewer learns the server's clock, and so how old each final is.
                at = utc_iso(now_ms) if state_seen < 0 else None
                state_seen = self._state_version
                yield Frame(self._state_frame(at))
            async for missed in self._after(cursor):
                cursor = missed.number
                if missed.frame and (missed.is_text or view.extras):
                    yield Frame(missed.frame, missed.number)
            if view.partials and partial_seen != self._partial_version:
                partial_seen = self._partial_version
                if self._partial is not None:
                    yield Frame(self._partial_frame)
            if changed is self._changed and not await _within(BEAT_S, changed) and view.extras:
                yield Frame(self._state_frame())

    def _is_foreign(self, cursor: int) -> bool:
        """Return whether a number comes from another log: that viewer is a newcomer here.

        A number a little beyond a log that was there before this process is no such number: it
        was shown and not saved before a crash, and is given again to the same text when the
        source repeats what was not acknowledged (docs/reference/durability.md).
        """
        ahead = cursor - self._last_number
        return ahead > (UNSAVED if self._loaded_number else 0)

    def _newcomer(self, now_ms: int) -> int:
        """Return the number after which a viewer without one starts."""
        recent = [line for line in self._lines if line.entry.at_ms >= now_ms - REPLAY_MS][-REPLAY:]
        return recent[0].number - 1 if recent else self._last_number

    async def _after(self, cursor: int) -> AsyncIterator[Line]:
        while self._lines and cursor < self._lines[0].number - 1:
            page = await self._log.read(self._room, cursor, PAGE)
            if not page:
                break
            for entry in page:
                cursor = entry.number
                if shown := line(entry, self._edits):
                    yield shown
        for ready in tuple(self._lines):
            if ready.number > cursor:
                yield ready

    def _state_frame(self, at: str | None = None) -> str:
        state, detail = self.state.state, self.state.detail
        return messages.state_message(
            self._room,
            state,
            detail,
            self.language,
            self.engine,
            BEAT_S,
            [(alarm.kind, alarm.detail) for alarm in self.state.alarms],
            at,
        )


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for the event; return whether it came in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
