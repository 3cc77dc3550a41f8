"""What a final looks like in the queue and in the table.

Standard library only: the Lambda function carries this one file with it.
The queue's message and the row's first seven attributes are the older pipeline's own, so that its
readers go on working. Ours stand beside them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - Lambda's Python may be older

Row = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Now:
    """How a final reads after what people have changed."""

    edition: int
    """The number of its newest edit: of two, the higher one counts."""

    text: str | None
    """None: it is struck."""


class Poison(ValueError):  # noqa: N818 - the queue's word for it
    """A message that can never become a row; trying again does not help."""


def iso_ms(ms: int) -> str:
    """Return milliseconds since 1970 as ISO 8601 in UTC: 24 characters, sorted as time is."""
    text = (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def sort_key(at_ms: int, session: str, number: int) -> str:
    """Return the row's place in its room: by time, never shared, the same however often sent."""
    return f"{iso_ms(at_ms)}#{session}#{number:012d}"


def fingerprint(at_ms: int, body: str) -> str:
    """Return what tells a repetition from a conflict: equal for equal content only."""
    return hashlib.sha256(f"{at_ms}\n{body}".encode()).hexdigest()[:32]


def message(
    room: str, number: int, at_ms: int, kind: str, body: str, now: Now | None = None
) -> str:
    """Return a log entry as the queue carries it: ASCII JSON.

    Args:
        room: its name, the older pipeline's callId.
        number: the entry's, unique in the room.
        at_ms: its time, strictly increasing in the room: so `eventTimestamp` is unique.
        kind: "segment", or another kind of the log's.
        body: the entry's body as the stores write it, JSON.
        now: how it reads, where somebody has edited it; what was said stays as it was.
    """
    fields = json.loads(body)
    told: dict[str, Any] = {
        "callId": room,
        "eventTimestamp": iso_ms(at_ms),
        "parola": {"number": number, "atMs": at_ms, "kind": kind, "body": body},
    }
    if now:
        told["parola"]["now"] = {"edition": now.edition, "text": now.text}
    if kind == "segment":
        told["Results"] = [
            {
                "ResultId": f"{fields['session']}-{fields['first_frame']}",
                "StartTime": round(fields["first_frame"] / 16_000, 3),
                "EndTime": round(fields["end_frame"] / 16_000, 3),
                "IsPartial": False,
                "Alternatives": [{"Transcript": fields["text"]}],
            }
        ]
        if fields.get("speaker"):
            told["speakerName"] = fields["speaker"]
    return json.dumps(told, separators=(",", ":"))


def row(text: str) -> Row:
    """Return the table's row for a message.

    Raises:
        Poison: the message is not one of `message`'s.
    """
    try:
        told = json.loads(text)
        ours = told["parola"]
        room, body = _text(told["callId"]), _text(ours["body"])
        number, at_ms = _count(ours["number"]), _count(ours["atMs"])
        session = _text(json.loads(body)["session"])
        if not room:
            raise Poison("a row needs a room")
        return {
            "pk": room,
            "sk": sort_key(at_ms, session, number),
            "callId": room,
            "eventTimestamp": iso_ms(at_ms),
            **_as_before(told),
            "number": number,
            "atMs": at_ms,
            "kind": _text(ours["kind"]),
            "session": session,
            "body": body,
            "rid": fingerprint(at_ms, body),
        }
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        raise Poison(f"this is no final ({type(error).__name__})") from error


def now_in(text: str) -> Now | None:
    """Return how a message's final reads now; None where nobody has edited it.

    Raises:
        Poison: that is none of `message`'s.
    """
    try:
        told = json.loads(text)["parola"].get("now")
        if told is None:
            return None
        return Now(_count(told["edition"]), None if told["text"] is None else _shown(told["text"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Poison(f"this is no edit ({type(error).__name__})") from error


def _as_before(told: Mapping[str, Any]) -> Row:
    """Return the older pipeline's attributes; those it left out when absent are left out."""
    if "Results" not in told:
        return {}
    result = told["Results"][0]
    speaker = {"speakerName": _shown(told["speakerName"])} if told.get("speakerName") else {}
    return {
        "resultId": _shown(result["ResultId"]),
        "startTime": str(float(result["StartTime"])),
        "endTime": str(float(result["EndTime"])),
        "transcript": _shown(result["Alternatives"][0]["Transcript"]),
        **speaker,
    }


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Poison("a text is missing")
    value.encode()  # half a surrogate pair cannot be kept: UnicodeEncodeError is a ValueError
    return value


def _shown(value: object) -> str:
    """Return a text that UTF-8 can hold; the body keeps it as it was."""
    if not isinstance(value, str):
        raise Poison("a text is missing")
    return value.encode("utf-8", "replace").decode()


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Poison("a number is missing")
    return value
