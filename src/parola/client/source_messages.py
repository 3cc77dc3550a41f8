"""The JSON text frames of a source's socket, from the source's side. docs/reference/protocol.md."""

import json
from dataclasses import dataclass

from parola.domain import errors
from parola.wire.messages import Start
from parola.wire.terms import to_json as terms_to_json


@dataclass(frozen=True, slots=True)
class Ready:
    """The server takes the session."""

    position: int
    """Send audio from this frame on, in frames of the source's rate."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The text of all audio before a frame is in the log."""

    position: int
    """In frames of the source's rate."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """How the talk's engine is doing, when that changes."""

    state: str
    """One of `parola.domain.vocabulary.ROOM_STATES`, unless the server is newer than this."""

    detail: str


@dataclass(frozen=True, slots=True)
class Record:
    """The room goes off the record, or back on."""

    position: int
    """From this frame on, in frames of the source's rate."""

    is_off: bool
    """Whether nothing is to be kept of what is said from there on."""


def start_message(start: Start) -> str:
    """Return a source's first frame."""
    fields = {
        "type": "start",
        "session": start.session,
        "language": start.language,
        "rate": start.rate_hz,
        "position": start.position,
    }
    if start.channels != 1:
        fields["channels"] = start.channels
    if start.engine_options:
        fields["engine_options"] = dict(start.engine_options)
    if start.terms:
        fields["terms"] = terms_to_json(start.terms)
    return json.dumps(fields)


def end_message() -> str:
    """Return a source's last frame."""
    return json.dumps({"type": "end"})


def read_server_message(text: str) -> Ready | Ack | Trouble | Record | None:
    """Return what the server said; None for what only newer clients understand.

    Raises:
        ParolaError: the server said `error`; the class is the one of its code.
        BadMessage: it is not JSON, or its position is no frame number.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise errors.BadMessage("The server sent no JSON; is it a Parola server?")
    kind = str(fields.get("type"))
    if kind == "error":
        raise refusal(str(fields.get("code")), str(fields.get("message")))
    if kind == "state":
        return Trouble(str(fields.get("state")), str(fields.get("detail", "")))
    if kind not in {"ready", "ack", "record"}:
        return None
    position = fields.get("position")
    if type(position) is not int or position < 0:
        raise errors.BadMessage("The server sent no position; is it a Parola server?")
    if kind == "record":
        return Record(position, is_off=fields.get("off") is True)
    return Ready(position) if kind == "ready" else Ack(position)


def refusal(code: str, message: str) -> errors.ParolaError:
    """Return a server's error as our own class, with the server's words."""
    kinds = [errors.ParolaError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        if kind.code == code:
            return kind(message)
    return errors.ParolaError(message)
