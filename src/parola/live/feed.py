"""One room as its viewers on this node read it; a viewer is a cursor, so slowness costs nothing."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import takewhile

from parola.domain.captions import utc_iso
from parola.domain.corrections import Edits
from parola.domain.errors import ParolaError
from parola.domain.log import Edit, Entry, StateChange
from parola.domain.transcript import Segment
from parola.live.archive import Archive, Line, Past, line
from parola.ports import (
    Answered,
    Asked,
    Numbered,
    Partial,
    RoomEvent,
    RoomState,
    Unrecorded,
)
from parola.wire import messages

WINDOW = 500
"""Entries kept ready as frames; viewers further behind read the log."""

BATCH = 32
"""Numbers that a viewer who is behind is given at once. Batches end at multiples of it, so that
viewers who missed different finals soon ask for the same ones."""

RETURNS_PER_S = 500
"""How fast a room's viewers should come back after a break. Source: a join costs 0.9 to 1.3
ms of CPU (docs/scale.md), so this leaves a third of a core to the talk."""

REPLAY = 100
"""Entries a viewer without a number gets."""

REPLAY_MS = 12 * 3600 * 1000
"""How old they may be: yesterday's talk is not today's screen."""

UNSAVED = 500
"""How many numbers beyond the log's a viewer may have seen, before a crash while the disk was full:
half an hour of talk."""

ASIDES = 64
"""Finals off the record that wait for a slow viewer; there is no log to read the others from."""

BEAT_S = 15.0
"""Viewers that ask for states hear something at least this often: a browser cannot see a
connection that died without a word."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What one viewer is sent at once."""

    text: str
    number: int | None = None
    """In the room's log; None for guesses and states."""


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer asked for."""

    after: int | None = None
    """The last number it has; None: whatever a newcomer should see."""

    partials: bool = False
    extras: bool = False
    """States and changes too, not only text (v=1)."""


@dataclass(slots=True)
class Place:
    """How far a viewer has read; all that is kept of one, however slow it is."""

    number: int
    """In the room's log."""

    partial: int = -1
    state: int = -1
    """Versions of what is not logged: what was passed by counts as read."""

    aside: int = 0
    """How many finals off the record the room has had: for who was there."""


class Feed:
    """A window of finals, the newest partial and the state; and everybody who waits for more.

    Viewers iterate over `follow`, each at its own pace. Or they listen: `listeners` are called
    at each change and take `news` at once, one for many viewers (parola.server.fanout).
    """

    def __init__(self, room: str, log: Past, *, is_shared: bool = False) -> None:
        """Begin empty, see `load`; a log that `is_shared` is written by other nodes too."""
        self._room = room
        self._is_shared = is_shared
        self._log = log
        self._archive = Archive(room, log)
        self._lines: deque[Line] = deque(maxlen=WINDOW)
        self._edits = Edits()
        self._last_number = 0
        self._loaded_number = 0
        self._partial: Segment | None = None
        self._partial_frame = ""
        self._partial_version = 0
        self._asides: deque[Frame] = deque(maxlen=ASIDES)
        self._aside_count = 0
        self.state = RoomState("idle")
        self.language = ""
        self.engine = ""
        self._state_version = 0
        self._changed = asyncio.Event()
        self.listeners: dict[object, Callable[[], None]] = {}
        """Called after each change, in the same step; they neither wait nor raise."""
        self.ready = asyncio.Event()
        """Set once the past has been read."""
        self.failure: ParolaError | None = None
        """Why the past could not be read."""
        self.viewers = 0
        self.edited = 0
        """How often entries that viewers may have were edited."""
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
        """Read the newest entries of the log into the window, in place of what is there.

        Raises:
            StoreFailed: the log cannot be read now.
        """
        last = await self._log.last_number(self._room)
        edits = Edits(await self._log.edits(self._room))
        entries = await self._log.read(self._room, max(last - WINDOW, 0), WINDOW + 1)
        self._lines.clear()
        self._archive.forget()
        self._edits, self._last_number = edits, 0
        while entries:
            for entry in entries:
                self._append(entry)
            # What came meanwhile was taken by the window that is gone.
            entries = await self._log.read(self._room, self._last_number, WINDOW)
        # What was taken out of the log is counted too.
        self._last_number = max(self._last_number, last)
        self._loaded_number = self._last_number

    def forget(self, sessions: Collection[str]) -> None:
        """Let go of talks that were taken out of the log."""
        self._archive.forget()
        kept = [line for line in self._lines if line.entry.body.session not in sessions]
        self._lines = deque(kept, maxlen=WINDOW)

    def apply(self, event: RoomEvent) -> None:
        """Take an event from the bus; a number that was seen already changes nothing."""
        if isinstance(event, Asked | Answered):
            return
        if isinstance(event, Numbered):
            self._append(event.entry)
            self._note_language(event.entry)
        elif isinstance(event, Unrecorded):
            self._asides.append(Frame(messages.unrecorded_message(self._room, event.segment)))
            self._aside_count += 1
            self._replace_partial(event.segment)
        elif isinstance(event, Partial):
            self._partial = event.segment
            self._partial_frame = messages.partial_message(self._room, event.segment)
            self._partial_version += 1
        else:
            self.state = event
            self._state_version += 1
        self._wake()

    def _note_language(self, entry: Entry) -> None:
        change = entry.body
        if isinstance(change, StateChange) and change.change in {"session_started", "language"}:
            self.language = change.value

    def _append(self, entry: Entry) -> None:
        if entry.number <= self._last_number:
            return
        self._last_number = entry.number
        self.last_at_ms = entry.at_ms
        if isinstance(entry.body, Edit) and self._edits.add(entry):
            self._renew(entry.body.of)
        if ready := line(entry, self._edits):
            # Pages blank themselves; the older systems' displays know no such word.
            is_text = ready.is_text and not self._is_blank
            self._lines.append(ready if is_text else replace(ready, is_text=False))
        if isinstance(entry.body, Segment):
            self._replace_partial(entry.body)

    def _replace_partial(self, final: Segment) -> None:
        if self._partial is not None and final.session == self._partial.session:
            # The final stands for the partial: nobody needs that one any more.
            self._partial = None
            self._partial_version += 1

    def _renew(self, number: int) -> None:
        """Write a final anew that somebody has edited, and forget its older edits."""
        self._archive.forget()
        self.edited += 1
        for place, old in enumerate(self._lines):
            edit = old.entry.body
            if old.number == number or (isinstance(edit, Edit) and edit.of == number):
                # An edit that counts no more keeps its place, so that the window has no gap.
                self._lines[place] = line(old.entry, self._edits) or replace(old, frame="")

    @property
    def _is_blank(self) -> bool:
        return self.state.state == "hidden"

    def _wake(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()
        for listener in tuple(self.listeners.values()):
            listener()

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
        place = self.begin(view, now_ms)
        greeting = self.greeting(view, place, now_ms)
        if greeting:
            yield greeting
        while True:
            changed = self._changed
            for frame in self.state_news(view, place):
                yield frame
            while lines := await self.more(place):
                for missed in lines:
                    place.number = missed.number
                    if missed.is_for(extras=view.extras):
                        yield Frame(missed.frame, missed.number)
            for frame in self.passing_news(view, place):
                yield frame
            if changed is self._changed and not await _within(BEAT_S, changed) and view.extras:
                yield self.beat()

    def begin(self, view: View, now_ms: int) -> Place:
        """Return where a viewer starts to read."""
        cursor = view.after
        if self._is_blank and not view.extras:
            cursor = self._last_number
        elif cursor is None or self._is_foreign(cursor):
            cursor = self._newcomer(now_ms)
        # What was said off the record before is not for who comes now.
        is_aside = self._partial is not None and self._partial.off_record
        partial = self._partial_version if is_aside else -1
        return Place(cursor, partial, aside=self._aside_count)

    def greeting(self, view: View, place: Place, now_ms: int) -> Frame | None:
        """Return the first state, from which a viewer learns the server's clock."""
        place.state = self._state_version
        return Frame(self._state_frame(utc_iso(now_ms))) if view.extras else None

    async def more(self, place: Place) -> list[Line]:
        """Return the next entries that a viewer lacks, up to the end of a batch.

        The caller moves the place. Nothing is awaited where the window has all; an empty list
        says that the viewer has every entry.

        Raises:
            StoreFailed: they cannot be read from the log now.
        """
        number = place.number
        while self._lines and number < self._lines[0].number - 1:
            page, end = await self._archive.page(number, self._last_number, self._edits)
            if page:
                return _batch(page)
            number = min(end, self._lines[0].number - 1)
        return _batch(self._newer(number))

    def news(self, view: View, place: Place) -> list[Frame]:
        """Return all that a viewer lacks who has read as far as the window, and move its place."""
        frames = self.state_news(view, place)
        for missed in self._newer(place.number):
            place.number = missed.number
            if missed.is_for(extras=view.extras):
                frames.append(Frame(missed.frame, missed.number))
        return frames + self.passing_news(view, place)

    def state_news(self, view: View, place: Place) -> list[Frame]:
        """Return the state, where the viewer asked for it and has an older one."""
        if place.state == self._state_version:
            return []
        place.state = self._state_version
        return [self.beat()] if view.extras else []

    def passing_news(self, view: View, place: Place) -> list[Frame]:
        """Return what is in no log and new to the viewer: finals off the record, then the guess."""
        missed = min(self._aside_count - place.aside, len(self._asides))
        frames = list(self._asides)[len(self._asides) - missed :]
        place.aside = self._aside_count
        if place.partial != self._partial_version and view.partials and self._partial:
            frames.append(Frame(self._partial_frame))
        place.partial = self._partial_version
        return frames if view.extras or not self._is_blank else []

    def is_read_to_the_end(self, place: Place) -> bool:
        """Return whether a viewer has exactly what there is: no less, and no number beyond."""
        last_line = self._lines[-1].number if self._lines else 0
        return (
            last_line <= place.number <= self._last_number
            and place.partial == self._partial_version
            and place.aside == self._aside_count
            and place.state == self._state_version
        )

    async def change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    def beat(self) -> Frame:
        """Return the state as it is, for viewers who have heard nothing for `BEAT_S`."""
        return Frame(self._state_frame())

    @property
    def return_within_s(self) -> float:
        """Over how long its viewers should spread their return after a break."""
        return round(self.viewers / RETURNS_PER_S, 3)

    def _newer(self, number: int) -> list[Line]:
        """Return the window's lines after a number; mostly one, so it is looked for at the end."""
        found = list(takewhile(lambda line: line.number > number, reversed(self._lines)))
        found.reverse()
        return found

    def _is_foreign(self, cursor: int) -> bool:
        """Return whether a number comes from another log: that viewer is a newcomer here.

        A number a little beyond a log that was there before this process is no such number: it
        was shown and not saved before a crash, or by another node, and is given again to the same
        text when the source repeats what was not acknowledged (docs/reference/durability.md).
        """
        ahead = cursor - self._last_number
        was_there = self._loaded_number or (self._is_shared and self._last_number)
        return ahead > (UNSAVED if was_there else 0)

    def _newcomer(self, now_ms: int) -> int:
        """Return the number after which a viewer without one starts."""
        recent = [line for line in self._lines if line.entry.at_ms >= now_ms - REPLAY_MS][-REPLAY:]
        return recent[0].number - 1 if recent else self._last_number

    def _state_frame(self, at: str | None = None) -> str:
        state, detail = self.state.state, self.state.detail
        return messages.state_message(
            self._room,
            state,
            detail,
            self.language,
            self.engine,
            messages.Pace(BEAT_S, self.return_within_s),
            [(alarm.kind, alarm.detail) for alarm in self.state.alarms],
            at,
        )


def _batch(lines: list[Line]) -> list[Line]:
    end = (lines[0].number // BATCH + 1) * BATCH if lines else 0
    return [line for line in lines if line.number <= end]


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for the event; return whether it came in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
