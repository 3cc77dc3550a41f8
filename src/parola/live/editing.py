"""Changes a room's finals for people: corrects, strikes and restores single lines."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from parola.domain.cues import shown_text
from parola.domain.errors import BadMessage, NotFound, TooLarge
from parola.domain.log import Correction, Edit, Entry, Restore, Strike
from parola.domain.transcript import Segment
from parola.domain.vocabulary import RoomName
from parola.live.recorder import Recorder, Saving
from parola.live.rooms import Room, Rooms

MAX_LINE = 2000
"""Characters of a corrected line: two minutes of talk."""


@dataclass(frozen=True, slots=True)
class Target:
    """The line that somebody means, as that person saw it."""

    of: int
    """The final's number in the room's log."""

    made_on: int
    """The number of its newest edit that was seen; its own without one."""

    by: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A final as it stands, for the people who edit it."""

    of: int
    version: int
    text: str
    """Of a struck one, what it said before."""

    heard: str
    """What it said before anybody edited it."""

    is_struck: bool
    by: str
    """Who made the newest edit; empty without one."""


class _Change(Protocol):
    def __call__(self, final: Entry, segment: Segment, text: str) -> Edit:
        """Return the edit of a final which reads `text` at the moment."""


class Editing:
    """What people may do to the finals of any room."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def correct(self, room: RoomName, target: Target, text: str) -> Saving:
        """Put other words in a line's place; a struck line is back with them.

        Raises:
            BadMessage: there are no words; strike the line instead.
            TooLarge: there are more characters than a line takes.
            NotFound, EditConflict, StoreFailed, ServerFull: see `_edit`.
        """
        words = shown_text(text)
        if not words:
            raise BadMessage("A correction needs words; to take the line away, strike it.")
        if len(words) > MAX_LINE:
            raise TooLarge(f"The line has {len(words)} characters; use at most {MAX_LINE}.")
        return await self._edit(
            room,
            target,
            lambda final, segment, _: Correction(
                segment.session, final.number, target.made_on, words, target.by
            ),
        )

    async def strike(self, room: RoomName, target: Target) -> Saving:
        """Take a line from every screen and out of every file; see `_edit` for what it raises."""
        return await self._edit(
            room,
            target,
            lambda final, segment, _: Strike(
                segment.session, final.number, target.made_on, target.by
            ),
        )

    async def restore(self, room: RoomName, target: Target) -> Saving:
        """Bring a struck line back as it was; see `_edit` for what it raises."""
        return await self._edit(
            room,
            target,
            lambda final, segment, text: Restore(
                segment.session, final.number, target.made_on, text, target.by
            ),
        )

    async def line(self, room: RoomName, number: int) -> Line:
        """Return how a line stands.

        Raises:
            NotFound: no final has that number.
            StoreFailed: the log cannot be read now.
            ServerFull: too many rooms are in use.
        """
        async with self._rooms.enter(room) as entered:
            final, segment = await _final(self._rooms.plugs.recorder, entered, number)
            standing = entered.edits.standing(final.number)
            text = segment.text if standing.text is None else standing.text
            return Line(
                final.number, standing.version, text, segment.text, standing.is_struck, standing.by
            )

    async def _edit(self, room: RoomName, target: Target, change: _Change) -> Saving:
        """Log and show an edit.

        Raises:
            NotFound: no final has that number.
            EditConflict: somebody else has changed the line meanwhile.
            StoreFailed: the log cannot be read now, or takes nothing more.
            ServerFull: too many rooms are in use.
        """
        entering: AbstractAsyncContextManager[Room] = self._rooms.enter(room)
        async with entering as entered:
            final, segment = await _final(self._rooms.plugs.recorder, entered, target.of)
            text = entered.edits.standing(final.number).text
            return await entered.edit(
                change(final, segment, segment.text if text is None else text)
            )


async def _final(recorder: Recorder, room: Room, number: int) -> tuple[Entry, Segment]:
    for entry in await recorder.read(room.name, number - 1, 1):
        if entry.number == number and isinstance(entry.body, Segment):
            return entry, entry.body
    raise NotFound(f"Room {room.name!r} has no line {number}.")
