"""The messages of the conversation pipeline's web app. docs/reference/predecessors.md."""

import json
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from parola.domain.captions import utc_iso
from parola.domain.log import Entry
from parola.domain.transcript import Segment


def told(kind: str, value: object) -> str:
    """Return one message; the web app ignores kinds that it does not know."""
    return json.dumps({"type": kind, "value": value}, ensure_ascii=False, separators=(",", ":"))


def item(entry: Entry, segment: Segment) -> dict[str, Any]:
    """Return one line of a conversation, as the pipeline's table holds it.

    `eventTimestamp` is the sort key there and the key of a row on the page: a room's entries never
    share one. A speaker that is not known is left out, as the table drops absent keys.
    """
    fields: dict[str, Any] = {
        "callId": entry.room,
        "endTime": _seconds(segment.end_s),
        "eventTimestamp": utc_iso(entry.at_ms),
        "resultId": str(uuid5(NAMESPACE_OID, f"{segment.session}/{segment.number}")),
        "speakerName": segment.speaker,
        "startTime": _seconds(segment.start_s),
        "transcript": segment.text,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _seconds(seconds: float) -> str:
    """Return seconds with three digits at most: the table keeps times as text, such as "4.955"."""
    return str(round(seconds, 3))
