"""The JSON text frames on our own sockets, written and read. docs/reference/protocol.md."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from parola.domain.audio import RATE_HZ
from parola.domain.captions import segment_fields, utc_iso
from parola.domain.errors import BadMessage, ParolaError
from parola.domain.log import Edit, Entry, StateChange, Strike, Withheld
from parola.domain.terms import Terms
from parola.domain.transcript import Segment
from parola.domain.vocabulary import Language, language_tag
from parola.wire.engine_options import from_json
from parola.wire.terms import from_json as terms_from_json

MAX_REASON_BYTES = 123
"""What a close frame can carry. Source: RFC 6455, section 5.5 (125 bytes less the code)."""

RATES_HZ = range(8_000, 192_001)
"""Sample rates a source may send."""


def entry_message(entry: Entry) -> str:
    """Return the frame for a numbered entry of a room's log."""
    if isinstance(entry.body, StateChange):
        return _json(
            {
                "type": "change",
                "room": entry.room,
                "change": entry.body.change,
                "session": entry.body.session,
                "value": entry.body.value,
                "seq": entry.number,
                "at": utc_iso(entry.at_ms),
            }
        )
    if isinstance(entry.body, Withheld):
        raise TypeError("what is withheld is never sent to a viewer")
    if isinstance(entry.body, Edit):
        return _edit_message(entry, entry.body)
    return _segment_message(entry.room, entry.body, entry.number, utc_iso(entry.at_ms))


def struck_message(entry: Entry) -> str:
    """Return the frame that keeps a struck final's place, for viewers that ask for edits."""
    if not isinstance(entry.body, Segment):
        raise TypeError("only finals are struck")
    gap = replace(entry.body, text="", words=(), heard="")
    fields = segment_fields(gap, entry.number, utc_iso(entry.at_ms))
    return _json(
        {"type": "segment", "room": entry.room, "is_partial": False, **fields, "struck": True}
    )


def _edit_message(entry: Entry, edit: Edit) -> str:
    """Return the frame of an edit; who made it is not for the audience."""
    return _json(
        {
            "type": type(edit).__name__.lower(),
            "room": entry.room,
            "of": edit.of,
            **({} if isinstance(edit, Strike) else {"text": edit.text}),
            "session": edit.session,
            "seq": entry.number,
            "at": utc_iso(entry.at_ms),
        }
    )


def unrecorded_message(room: str, segment: Segment) -> str:
    """Return the frame for a final that is off the record: it has no number in the log."""
    return _segment_message(room, segment, None, None)


def partial_message(room: str, segment: Segment) -> str:
    """Return the frame for a guess; it replaces the guess before it."""
    return _segment_message(room, segment, None, None)


@dataclass(frozen=True, slots=True)
class Pace:
    """What a server promises its viewers, and asks of them."""

    beat_s: float
    """Some frame comes at least this often."""

    retry_s: float
    """A viewer that loses its connection waits a random part of this before it comes back, so
    that a hall does not come back as one."""


def state_message(
    room: str,
    state: str,
    detail: str,
    language: str,
    engine: str,
    pace: Pace,
    alarms: Sequence[tuple[str, str]] = (),
    at: str | None = None,
) -> str:
    """Return the frame that says what a room is doing (viewers with v=1 only).

    Of each alarm, its kind and a sentence. `at` is the server's time where a viewer needs it, on
    connecting.
    """
    return _json(
        {
            "type": "state",
            "room": room,
            "state": state,
            "detail": detail,
            "language": language,
            "engine": engine,
            "beat_s": pace.beat_s,
            "alarms": [{"kind": kind, "detail": sentence} for kind, sentence in alarms],
            "at": at,
            "retry_s": pace.retry_s,
        }
    )


def ready_message(session: str, position: int, *, keeps_sound: bool = False) -> str:
    """Return the answer to `start`: send audio from `position` on."""
    told = {"keeps_sound": True} if keeps_sound else {}
    return _json({"type": "ready", "session": session, "position": position} | told)


def ack_message(position: int) -> str:
    """Return the frame that says: the text of all audio before `position` is in the log."""
    return _json({"type": "ack", "position": position})


def record_message(position: int, *, is_off: bool) -> str:
    """Return the frame that tells a source from which of its frames on words are (not) kept."""
    return _json({"type": "record", "off": is_off, "position": position})


def trouble_message(state: str, detail: str) -> str:
    """Return the frame that tells a source of trouble with its engine, or that it is over."""
    return _json({"type": "state", "state": state, "detail": detail})


def error_message(error: ParolaError) -> str:
    """Return the frame that tells a source why its socket is about to close."""
    return _json({"type": "error", "code": error.code, "message": error.message})


def close_reason(error: ParolaError) -> str:
    """Return "code: message", cut to what a close frame can carry."""
    whole = f"{error.code}: {error.message}".encode()
    return whole[:MAX_REASON_BYTES].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class Start:
    """A source's first frame: it wants acknowledgements."""

    session: str
    language: Language
    rate_hz: int = RATE_HZ
    position: int = 0
    """In frames of the source's own rate."""

    channels: int = 1
    """1, or 2 that are interleaved."""

    engine_options: Mapping[str, str] = field(default_factory=dict)
    """What it asks of its engine, by the engine's own names."""

    terms: Terms = field(default_factory=Terms)
    """The talk's own words, as far as the source knows them."""


@dataclass(frozen=True, slots=True)
class End:
    """A source's last frame: send the last words and close."""


def read_source_message(text: str) -> Start | End:
    """Return what a source said in a text frame.

    Raises:
        BadMessage: it is not JSON, not one of `start` and `end`, or a field is out of range.
        BadLanguage: its language is not a language tag.
        TooLarge: its terms are more than a room takes.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage(
            "A text frame on this socket is JSON, such as {"
            '"type":"start","session":"<uuid>","language":"it-IT"}.'
        ) from None
    kind = fields.get("type") if isinstance(fields, dict) else None
    if kind == "end":
        return End()
    if kind != "start":
        raise BadMessage('A source says {"type":"start",…} first and {"type":"end"} last.')
    return _start(fields)


def _start(fields: dict[str, Any]) -> Start:
    language = fields.get("language")
    if not isinstance(language, str):
        raise BadMessage('"start" needs a "language" such as "it-IT".')
    try:
        session = str(UUID(str(fields.get("session"))))
    except ValueError:
        raise BadMessage('"start" needs a "session" that is a UUID.') from None
    return Start(
        session,
        language_tag(language),
        _whole_number(fields, "rate", RATE_HZ, RATES_HZ),
        _whole_number(fields, "position", 0, range(2**53)),
        _whole_number(fields, "channels", 1, range(1, 3)),
        from_json(fields.get("engine_options", {})),
        terms_from_json(fields.get("terms", {})),
    )


def _whole_number(fields: dict[str, Any], name: str, default: int, allowed: range) -> int:
    value = fields.get(name, default)
    if type(value) is not int or value not in allowed:
        low, high = allowed.start, allowed.stop - 1
        raise BadMessage(f'"{name}" has to be a whole number from {low} to {high}.')
    return value


def _segment_message(room: str, segment: Segment, number: int | None, at: str | None) -> str:
    return _json(
        {
            "type": "segment",
            "room": room,
            "is_partial": not segment.is_final,
            **segment_fields(segment, number, at),
            **({"off_record": True} if segment.off_record else {}),
        }
    )


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
