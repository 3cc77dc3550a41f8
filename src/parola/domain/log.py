"""A room's append-only, numbered record: final segments and what changed around them."""

from dataclasses import dataclass
from typing import Literal

from parola.domain.transcript import Segment

Change = Literal["session_started", "session_ended", "language", "mode", "off_record", "on_record"]

BEGIN_AND_END = frozenset({"session_started", "session_ended"})
"""The changes between which a talk goes on."""

ON_OR_OFF = frozenset({"on_record", "off_record"})
"""The changes that say whether a room's words are kept."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """Something about the room changed.

    A talk began or ended, the language was switched, the room went off the record or back on.
    """

    change: Change
    session: str
    value: str = ""
    """The language, for `language` and `session_started`; for `mode` what the operator has set; for
    `off_record` and `on_record` the frame of the session from which on it holds, "" where nobody
    was speaking."""


Reason = Literal["no speech", "too fast", "not confident"]
"""Why words were withheld: too little speech under them, more letters than can be said in it, or
too little speech for how unsure the engine is."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Words that an engine wrote and nobody was shown; kept so that an operator can look."""

    session: str
    text: str
    first_frame: int
    """On the session's clock, as in a segment."""

    end_frame: int
    reason: Reason
    strength: float
    """The evidence of speech under them, in nats; a clear short word has 30 to 80."""

    engine: str = ""


@dataclass(frozen=True, slots=True)
class _OfFinal:
    """What every edit says: which final it is of, and what the editor had seen."""

    session: str
    of: int
    """The final's number in the room's log."""

    made_on: int
    """The number of the final's newest edit that was seen, its own without one."""


@dataclass(frozen=True, slots=True)
class Correction(_OfFinal):
    """A person's words for a final's; the final itself stays in the log as it was heard."""

    text: str
    by: str = ""
    """Who did it, as far as that is known."""


@dataclass(frozen=True, slots=True)
class Strike(_OfFinal):
    """Takes a final from everybody's screen and out of every file."""

    by: str = ""


@dataclass(frozen=True, slots=True)
class Restore(_OfFinal):
    """Brings a struck final back."""

    text: str
    """What it says again; for viewers who came while it was struck."""

    by: str = ""


Edit = Correction | Strike | Restore

Body = Segment | StateChange | Withheld | Edit


@dataclass(frozen=True, slots=True)
class Entry:
    """One numbered line of a room's log. Partials are never logged."""

    room: str
    number: int
    """Counts a room's entries from 1, without a gap, across sessions and restarts."""

    at_ms: int
    """Wall-clock time in milliseconds since 1970; strictly increasing within a room."""

    body: Body


@dataclass(frozen=True, slots=True)
class Switch:
    """Where a session's sound goes off the record or back on."""

    frame: int
    """On the session's clock: the first one for which it holds."""

    at_ms: int
    """When it was said, wall-clock time in milliseconds since 1970."""

    is_off: bool


@dataclass(frozen=True, slots=True)
class SessionPast:
    """What a room's log holds of one session: where that one goes on after a restart."""

    segments: int = 0
    """The number of its newest final."""

    end_frame: int = 0
    """The first frame that no final in the log covers, on the session's clock."""

    is_open: bool = False
    """Whether its beginning is in the log, and no end after it."""

    switches: tuple[Switch, ...] = ()
    """Where it went off the record and back on, in the order in which that was said."""


def is_switch(entry: Entry) -> bool:
    """Return whether the entry takes the room off the record or back on."""
    return isinstance(entry.body, StateChange) and entry.body.change in ON_OR_OFF


def switch_in(entry: Entry) -> Switch | None:
    """Return where an entry takes its session off the record or back on; None where it does not."""
    body = entry.body
    if not isinstance(body, StateChange) or not is_switch(entry) or not body.value:
        return None
    return Switch(int(body.value), entry.at_ms, is_off=body.change == "off_record")


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """What a log knows of one room."""

    room: str
    entries: int
    first_at_ms: int
    last_at_ms: int
