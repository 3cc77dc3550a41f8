"""Writes what is in no log as JSON for other nodes: guesses, states, and what is off the record."""

import json
from dataclasses import asdict
from typing import Any

from parola.domain.transcript import Segment, Word
from parola.ports import Alarm, Answered, Asked, Partial, RoomState, Unrecorded

Passing = Partial | Unrecorded | RoomState | Asked | Answered

_KINDS: dict[str, type[Passing]] = {
    "partial": Partial,
    "unrecorded": Unrecorded,
    "state": RoomState,
    "asked": Asked,
    "answered": Answered,
}


def encode(event: Passing) -> dict[str, Any]:
    """Return the event as JSON takes it."""
    kind = next(word for word, cls in _KINDS.items() if isinstance(event, cls))
    body = asdict(event.segment if isinstance(event, Partial | Unrecorded) else event)
    return {"kind": kind, "body": body}


def decode(fields: dict[str, Any]) -> Passing:
    """Return the event that `encode` wrote.

    Raises:
        ValueError, TypeError, KeyError: this is nothing that it wrote.
    """
    kind, body = _KINDS[fields["kind"]], dict(fields["body"])
    if kind is RoomState:
        alarms = tuple(Alarm(**alarm) for alarm in body.pop("alarms"))
        return RoomState(alarms=alarms, **body)
    if kind is Asked or kind is Answered:
        return kind(**body)
    words = tuple(Word(**word) for word in body.pop("words"))
    segment = Segment(words=words, **body)
    return Partial(segment) if kind is Partial else Unrecorded(segment)


def to_json(node: str, fence: int, event: Passing) -> str:
    """Return a message for other nodes."""
    return json.dumps({"node": node, "fence": fence, **encode(event)}, separators=(",", ":"))
