"""Lists the talks that a log holds, from the lines in it that say when they began and ended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from parola.domain.log import Entry, StateChange


@dataclass(frozen=True, slots=True)
class Talk:
    """One talk in a room."""

    room: str
    session: str
    language: str
    started_at_ms: int
    ended_at_ms: int | None
    """None while it goes on, or where its end was never written."""

    lines: int
    """Finals, the struck ones too."""


def talks_of(changes: Iterable[Entry], lines: Mapping[tuple[str, str], int]) -> list[Talk]:
    """Return the talks that have lines, the newest first.

    Args:
        changes: the log's state changes, each room's in order.
        lines: how many finals each room and session has.
    """
    found: dict[tuple[str, str], Talk] = {}
    for entry in changes:
        change = entry.body
        if not isinstance(change, StateChange):
            continue
        key = entry.room, change.session
        talk = found.get(key)
        if change.change == "session_started" and talk:
            found[key] = replace(talk, ended_at_ms=None)
        elif change.change == "session_started":
            found[key] = Talk(*key, change.value, entry.at_ms, None, lines.get(key, 0))
        elif change.change == "session_ended" and talk:
            found[key] = replace(talk, ended_at_ms=entry.at_ms)
    talks = [talk for talk in found.values() if talk.lines]
    return sorted(talks, key=lambda talk: (-talk.started_at_ms, talk.room, talk.session))
