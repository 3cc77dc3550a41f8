"""The service's exceptions on the wire: as frames within a stream, as HTTP answers before it."""

import json

from parola.wire import eventstream
from parola.wire.transcribe_errors import (
    BadRequest,
    Conflict,
    InternalFailure,
    LimitExceeded,
    NotAllowed,
    ServiceUnavailable,
    TranscribeError,
    error_of,
)


def read_exception(message: eventstream.Message) -> TranscribeError:
    """Return the error that an exception or error frame carries."""
    name = message.name or TranscribeError.name
    if message.kind == "error":
        return error_of(name, message.text(":error-message"))
    return error_of(name, _said(message.payload))


def write_exception(error: TranscribeError) -> bytes:
    """Return the frame that ends a stream with the error."""
    return eventstream.encode(eventstream.exception(error.name, error.message))


def read_refusal(status: int, error_type: str, body: bytes) -> TranscribeError:
    """Return the error of a request refused before the stream.

    Args:
        status: the HTTP status.
        error_type: the header `x-amzn-errortype`, empty where it is absent. What follows a
            colon in it is not part of the name.
        body: the answer's body, JSON with `Message` or `message`, or anything.
    """
    name = error_type.split(":", maxsplit=1)[0].strip() or _type_in(body)
    if name:
        return error_of(name, _said(body))
    kind = _BY_STATUS.get(status, TranscribeError)
    return error_of(kind.name, _said(body) or f"HTTP status {status}")


def write_refusal(error: TranscribeError) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of the answer that refuses a request before the stream."""
    headers = [("content-type", "application/json"), ("x-amzn-errortype", error.name)]
    return error.status, headers, json.dumps({"Message": error.message}).encode()


def _said(body: bytes) -> str:
    fields = _fields(body)
    said = fields.get("Message", fields.get("message"))
    return said if isinstance(said, str) else ""


def _type_in(body: bytes) -> str:
    kind = _fields(body).get("__type")
    return kind.rsplit("#", 1)[-1] if isinstance(kind, str) else ""


def _fields(body: bytes) -> dict[str, object]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


_BY_STATUS: dict[int, type[TranscribeError]] = {
    400: BadRequest,
    403: NotAllowed,
    409: Conflict,
    429: LimitExceeded,
    500: InternalFailure,
    502: ServiceUnavailable,
    503: ServiceUnavailable,
    504: ServiceUnavailable,
}
