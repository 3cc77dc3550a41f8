"""How the durable stores write an entry's body: as JSON with every field of its class."""

import json
from dataclasses import asdict

from parola.domain.errors import StoreFailed
from parola.domain.log import Body, Correction, Entry, Restore, StateChange, Strike, Withheld
from parola.domain.transcript import Segment, Word

_KINDS: dict[type[Body], str] = {
    Segment: "segment",
    StateChange: "state",
    Withheld: "withheld",
    Correction: "correction",
    Strike: "strike",
    Restore: "restore",
}

_PLAIN: dict[str, type[StateChange | Withheld | Correction | Strike | Restore]] = {
    "state": StateChange,
    "withheld": Withheld,
    "correction": Correction,
    "strike": Strike,
    "restore": Restore,
}
"""The kinds whose fields are all of JSON's own types."""


def kind_of(body: Body) -> str:
    """Return the stores' word for what the body is."""
    return _KINDS[type(body)]


def encode(body: Body) -> str:
    """Return the body as JSON with every field, in the order of the class: stable, pure ASCII.

    Raises:
        ValueError: it is off the record.
    """
    fields = asdict(body)
    if fields.pop("off_record", False):
        raise ValueError("what is off the record is never logged")
    # ASCII, because text from outside may hold half a surrogate pair, which UTF-8 cannot.
    return json.dumps(fields, separators=(",", ":"))


def decode(kind: str, text: str) -> Body:
    """Return the body that `encode` wrote; fields added since take their defaults.

    Raises:
        ValueError, TypeError, KeyError: this is nothing that `encode` wrote.
    """
    fields = json.loads(text)
    if kind in _PLAIN:
        return _PLAIN[kind](**fields)
    words = tuple(Word(**word) for word in fields.pop("words"))
    return Segment(words=words, **fields)


def entry_of(room: str, number: int, at_ms: int, kind: str, text: str) -> Entry:
    """Return the entry that was written.

    Raises:
        StoreFailed: its body cannot be read.
    """
    try:
        return Entry(room, number, at_ms, decode(kind, text))
    except (ValueError, TypeError, KeyError) as error:
        raise StoreFailed(
            f"Entry {number} of room {room!r} cannot be read ({error}); restore a backup."
        ) from error
