"""Finds the audio in what clients send, and says what is wrong with the rest."""

from parola.wire.eventstream import EventStreamError, Message
from parola.wire.sigv4_chunks import is_signed, unwrap
from parola.wire.transcribe import BadRequest


def audio_in(message: Message) -> bytes:
    """Return the audio of an event, none where the stream ends with it.

    Raises:
        BadRequest: it is another event, or what is in its envelope is none.
    """
    try:
        inner = unwrap(message) if is_signed(message) else message
    except EventStreamError as error:
        raise unreadable(error) from error
    if inner is None:
        return b""
    if inner.name != "AudioEvent":
        raise BadRequest(f"Unknown event type {inner.name!r}; only AudioEvent is expected.")
    return inner.payload


def unreadable(error: EventStreamError) -> BadRequest:
    """Return what a client hears that sends no event stream."""
    return BadRequest(f"The event stream could not be decoded. {error.message}")
