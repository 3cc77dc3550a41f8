"""Changes a room's finals for people: corrects, strikes and restores single lines."""

from dataclasses import dataclass
from typing import Literal

from parola.domain.cues import shown_text
from parola.domain.errors import BadMessage, NotFound, RoomElsewhere, TooLarge
from parola.domain.log import Correction, Entry, Restore, Strike
from parola.domain.transcript import Segment
from parola.domain.vocabulary import RoomName
from parola.live.recorder import Recorder, Saving
from parola.live.room import Room
from parola.live.rooms import Rooms, done_elsewhere

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


Kind = Literal["correct", "strike", "restore"]


class Editing:
    """What people may do to the finals of any room."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def correct(self, room: RoomName, target: Target, text: str) -> Saving:
        """Put other words in a line's place; a struck line is back with them.

        Raises:
            BadMessage: there are no words; strike the line instead.
            TooLarge: there are more characters than a line takes.
            NotFound, EditConflict, StoreFailed, ServerFull: see `edit`.
        """
        words = shown_text(text)
        if not words:
            raise BadMessage("A correction needs words; to take the line away, strike it.")
        if len(words) > MAX_LINE:
            raise TooLarge(f"The line has {len(words)} characters; use at most {MAX_LINE}.")
        return await self.edit(room, target, "correct", words)

    async def strike(self, room: RoomName, target: Target) -> Saving:
        """Take a line from every screen and out of every file; see `edit` for what it raises."""
        return await self.edit(room, target, "strike")

    async def restore(self, room: RoomName, target: Target) -> Saving:
        """Bring a struck line back as it was; see `edit` for what it raises."""
        return await self.edit(room, target, "restore")

    async def line(self, room: RoomName, number: int) -> Line:
        """Return how a line stands.

        Raises:
            NotFound: no final has that number.
            StoreFailed: the log cannot be read now.
            ServerFull: too many rooms are in use.
        """
        async with self._rooms.enter(room) as entered:
            final, segment = await _final(self._rooms.plugs.recorder, entered, number)
            here = self._rooms.ownership.owns(room)
            edits = entered.edits if here else entered.feed.edits
            standing = edits.standing(final.number)
            text = segment.text if standing.text is None else standing.text
            return Line(
                final.number, standing.version, text, segment.text, standing.is_struck, standing.by
            )

    async def edit(self, room: RoomName, target: Target, kind: Kind, words: str = "") -> Saving:
        """Log and show an edit, here or on the node that speaks the room.

        Raises:
            NotFound: no final has that number.
            EditConflict: somebody else has changed the line meanwhile.
            StoreFailed: the log cannot be read now, or takes nothing more.
            ServerFull: too many rooms are in use.
            RoomElsewhere: the node that speaks the room does not answer.
        """
        async with self._rooms.enter(room) as entered:
            try:
                async with self._rooms.owning(entered):
                    return await self._edit_here(entered, target, kind, words)
            except RoomElsewhere:
                if self._rooms.envoy is None:
                    raise
                wish = {"do": kind, "of": target.of, "made_on": target.made_on, "by": target.by}
                answer = await self._rooms.envoy.ask(room, {**wish, "words": words})
                body = Correction("", target.of, target.made_on, words, target.by)
                return done_elsewhere(room, body, answer)

    async def _edit_here(self, room: Room, target: Target, kind: Kind, words: str) -> Saving:
        final, segment = await _final(self._rooms.plugs.recorder, room, target.of)
        session, of, made_on, by = segment.session, final.number, target.made_on, target.by
        if kind == "correct":
            return await room.edit(Correction(session, of, made_on, words, by))
        if kind == "strike":
            return await room.edit(Strike(session, of, made_on, by))
        text = room.edits.standing(of).text
        return await room.edit(
            Restore(session, of, made_on, segment.text if text is None else text, by)
        )


async def _final(recorder: Recorder, room: Room, number: int) -> tuple[Entry, Segment]:
    for entry in await recorder.read(room.name, number - 1, 1):
        if entry.number == number and isinstance(entry.body, Segment):
            return entry, entry.body
    raise NotFound(f"Room {room.name!r} has no line {number}.")
