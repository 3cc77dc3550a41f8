"""A room's old entries as ready frames: a page is read and encoded once for all who missed it."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from parola.domain.corrections import Edits
from parola.domain.log import Edit, Entry, Withheld
from parola.domain.transcript import Segment
from parola.wire import messages

PAGE = 200
"""Numbers that are read from the log at once."""

PAGES = 8
"""How many pages are kept: 1,600 entries, an hour and a half of talk, half a megabyte."""


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

    def is_for(self, *, extras: bool) -> bool:
        """Return whether it is shown to viewers with or without v=1; some are to nobody."""
        return bool(self.frame) and (self.is_text or extras)


class Past(Protocol):
    """Where a room's entries can be read, the ones that are not saved yet among them."""

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return up to `limit` entries with numbers greater than `after`, in order."""

    async def last_number(self, room: str) -> int:
        """Return the greatest number, 0 where there is none."""

    async def edits(self, room: str) -> list[Entry]:
        """Return every edit, in order."""


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


class Archive:
    """Pages of one room's log, the last used ones kept.

    A hall that comes back after a restart asks for the same page a thousand times; the log is
    asked once, whoever comes first.
    """

    def __init__(self, room: str, log: Past) -> None:
        self._room = room
        self._log = log
        self._pages: OrderedDict[int, list[Line]] = OrderedDict()
        self._reading = asyncio.Lock()

    async def page(self, number: int, last_number: int, edits: Edits) -> tuple[list[Line], int]:
        """Return the lines of the page that holds `number` + 1, and that page's last number.

        Where old talks were taken out of the log, a page without lines reaches as far as the gap.

        Args:
            number: what a viewer has; the lines up to it are not returned.
            last_number: the log's; a page that is not full yet is not kept.
            edits: how its finals read now.

        Raises:
            StoreFailed: the log cannot be read now.
        """
        at = number // PAGE
        end = (at + 1) * PAGE
        async with self._reading:
            lines = self._pages.get(at)
            if lines is None:
                entries = await self._log.read(self._room, at * PAGE, PAGE)
                if entries and entries[0].number > end:
                    return [], entries[0].number - 1
                shown = (line(entry, edits) for entry in entries if entry.number <= end)
                lines = [ready for ready in shown if ready]
                if end <= last_number:
                    self._pages[at] = lines
                    while len(self._pages) > PAGES:
                        self._pages.popitem(last=False)
            else:
                self._pages.move_to_end(at)
        return [ready for ready in lines if ready.number > number], end

    def forget(self) -> None:
        """Read everything anew: something was edited."""
        self._pages.clear()
