"""Amazon's event stream: typed headers and a payload, framed with lengths and checksums.

A message on the wire, all numbers big-endian:

    total length     4 bytes, of the whole message
    headers' length  4 bytes
    checksum         4 bytes, CRC-32 of the eight bytes before
    headers          name length (1), name, type (1), value; one after the other
    payload
    checksum         4 bytes, CRC-32 of everything before

Source: Amazon Transcribe developer guide, "Event stream encoding"; Smithy,
"application/vnd.amazon.eventstream".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from zlib import crc32

from parola.wire.eventstream_headers import (
    MAX_HEADERS_BYTES,
    MAX_VALUE_BYTES,
    Byte,
    EventStreamError,
    HeaderValue,
    Long,
    Reason,
    Short,
    Timestamp,
    encode_headers,
    read_headers,
)

__all__ = [
    "MAX_HEADERS_BYTES",
    "MAX_MESSAGE_BYTES",
    "MAX_VALUE_BYTES",
    "Byte",
    "Decoder",
    "EventStreamError",
    "HeaderValue",
    "Long",
    "Message",
    "Reason",
    "Short",
    "Timestamp",
    "audio_event",
    "decode",
    "encode",
    "encode_audio",
    "encode_headers",
    "event",
    "exception",
]

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""The longest message a stream may carry, framing included; ours, far above any chunk of audio."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: headers by name, in their order, and a payload."""

    headers: Mapping[str, HeaderValue]
    payload: bytes = b""

    def text(self, name: str) -> str:
        """Return a header's string, empty where it is absent or of another type."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""

    @property
    def kind(self) -> str:
        """The `:message-type`: "event", "exception", "error", or empty."""
        return self.text(":message-type")

    @property
    def name(self) -> str:
        """Which event, exception or error it is, empty where it does not say."""
        of = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}
        return self.text(of.get(self.kind, ""))


def audio_event(audio: bytes) -> Message:
    """Return the message that carries audio; with no audio it ends a WebSocket's stream."""
    return Message(_event_headers("AudioEvent", "application/octet-stream"), audio)


def event(name: str, json_bytes: bytes) -> Message:
    """Return the message of an event whose payload is JSON."""
    return Message(_event_headers(name, "application/json"), json_bytes)


def exception(name: str, message: str) -> Message:
    """Return the message that ends a stream with an exception, such as "BadRequestException"."""
    headers: dict[str, HeaderValue] = {
        ":message-type": "exception",
        ":exception-type": name,
        ":content-type": "application/json",
    }
    return Message(headers, json.dumps({"Message": message}).encode())


def encode(message: Message) -> bytes:
    """Return the message as bytes.

    Raises:
        EventStreamError: a header or the message is longer than the format allows.
    """
    return _framed(encode_headers(message.headers), message.payload)


def encode_audio(audio: bytes) -> bytes:
    """Return `encode(audio_event(audio))`, without building the headers each time."""
    return _framed(_AUDIO_HEADERS, audio)


def decode(data: bytes) -> Message:
    """Return the one message that the bytes are.

    Raises:
        EventStreamError: they are not a message, only a part of one, or more than one.
    """
    decoder = Decoder()
    messages = decoder.feed(data)
    decoder.finish()
    if len(messages) != 1:
        what = "no message" if not messages else f"{len(messages)} messages"
        reason: Reason = "trailing" if messages else "truncated"
        raise EventStreamError(reason, f"Here is {what}; send exactly one.")
    return messages[0]


class Decoder:
    """Cuts a stream of bytes into messages; holds at most the last feed and one message.

    A message that breaks a rule is the stream's end: the messages before it are still returned,
    then every call raises the error.
    """

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Set the longest message it takes, in bytes, framing included."""
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._need = _PRELUDE_BYTES
        self._headers_bytes = -1
        self._broken: tuple[Reason, str] | None = None

    @property
    def error(self) -> EventStreamError | None:
        """What ended the stream, None while it can be read."""
        # A new one each time: one that is raised again and again grows with every traceback.
        return EventStreamError(*self._broken) if self._broken else None

    @property
    def pending_bytes(self) -> int:
        """How much of an unfinished message it holds."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are now whole, in order.

        Raises:
            EventStreamError: the stream is broken, and no message was whole before the break.
        """
        messages: list[Message] = []
        if self._broken is None:
            self._buffer += data
            try:
                self._cut(messages)
            except EventStreamError as error:
                self._break(error.reason, error.message)
        if self._broken is not None and not messages:
            raise EventStreamError(*self._broken)
        return messages

    def finish(self) -> None:
        """Say that no more bytes come.

        Raises:
            EventStreamError: the stream is broken, or ends inside a message.
        """
        if self._broken is None and self._buffer:
            self._break(
                "truncated",
                f"The stream ends after {len(self._buffer)} bytes of a message of at least "
                f"{self._need}; the connection was cut.",
            )
        if self._broken is not None:
            raise EventStreamError(*self._broken)

    def _break(self, reason: Reason, message: str) -> None:
        """Read nothing any more, and hold nothing."""
        self._broken = (reason, message)
        self._buffer = bytearray()

    def _cut(self, messages: list[Message]) -> None:
        """Move whole messages out of the buffer."""
        at = 0
        while len(self._buffer) - at >= self._need:
            if self._headers_bytes < 0:
                self._read_prelude(at)
                continue
            end = at + self._need
            frame = bytes(memoryview(self._buffer)[at:end])
            messages.append(_read_message(frame, self._headers_bytes))
            at = end
            self._need, self._headers_bytes = _PRELUDE_BYTES, -1
        del self._buffer[:at]

    def _read_prelude(self, at: int) -> None:
        """Learn the lengths of the next message."""
        total, headers, checksum = _PRELUDE.unpack_from(self._buffer, at)
        # A wrong length must not make us wait for 4 GiB: the checksum comes first.
        if crc32(self._buffer[at : at + 8]) != checksum:
            raise EventStreamError(
                "checksum",
                "The first 12 bytes of a message have the wrong checksum; send event stream "
                "messages and nothing between them.",
            )
        if not _FRAME_BYTES <= total <= self._max_bytes:
            raise EventStreamError(
                "length",
                f"A message says it has {total} bytes; send {_FRAME_BYTES} to {self._max_bytes}.",
            )
        if headers > min(MAX_HEADERS_BYTES, total - _FRAME_BYTES):
            raise EventStreamError(
                "headers_length",
                f"A message of {total} bytes says its headers have {headers}; "
                f"send at most {MAX_HEADERS_BYTES}, within the message.",
            )
        self._need, self._headers_bytes = total, headers


_PRELUDE_BYTES = 12
_FRAME_BYTES = 16

_PRELUDE = Struct("!III")
_LENGTHS = Struct("!II")
_U32 = Struct("!I")


def _framed(headers: bytes, payload: bytes) -> bytes:
    """Return a message of encoded headers and a payload."""
    total = _FRAME_BYTES + len(headers) + len(payload)
    if total > MAX_MESSAGE_BYTES:
        raise EventStreamError(
            "length", f"A message of {total} bytes is too long; send at most {MAX_MESSAGE_BYTES}."
        )
    lengths = _LENGTHS.pack(total, len(headers))
    body = b"".join((lengths, _U32.pack(crc32(lengths)), headers, payload))
    return body + _U32.pack(crc32(body))


def _read_message(frame: bytes, headers_bytes: int) -> Message:
    """Return the message of a whole frame whose prelude is right."""
    (checksum,) = _U32.unpack_from(frame, len(frame) - 4)
    if crc32(memoryview(frame)[:-4]) != checksum:
        raise EventStreamError(
            "checksum", "A message has the wrong checksum: it was changed on its way."
        )
    headers_end = _PRELUDE_BYTES + headers_bytes
    return Message(read_headers(frame[_PRELUDE_BYTES:headers_end]), frame[headers_end:-4])


def _event_headers(name: str, content_type: str) -> dict[str, HeaderValue]:
    return {":message-type": "event", ":event-type": name, ":content-type": content_type}


_AUDIO_HEADERS = encode_headers(_event_headers("AudioEvent", "application/octet-stream"))
