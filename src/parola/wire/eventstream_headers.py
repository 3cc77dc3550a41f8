"""The headers of an event stream message: names with typed values, written and read.

A header is the name's length (1 byte), the name, the type (1) and the value. Texts and byte
arrays have their length (2) before them; numbers are big-endian and signed.

Source: as in `eventstream`, which is the face of this module.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from parola.domain.errors import BadMessage

MAX_HEADERS_BYTES = 128 * 1024
"""The longest headers a message may have. Source: botocore and aws-c-event-stream."""

MAX_VALUE_BYTES = 32_767
"""The longest string or byte array written into a header. Source: aws-c-event-stream."""

Reason = Literal["length", "headers_length", "checksum", "headers", "truncated", "trailing"]
"""Which rule was broken: a stable word for programs."""


class EventStreamError(BadMessage):
    """Bytes that are no event stream: nothing after them can be read, so the stream is over."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Byte(int):
    """A header's 8-bit signed number."""

    __slots__ = ()


class Short(int):
    """A header's 16-bit signed number."""

    __slots__ = ()


class Long(int):
    """A header's 64-bit signed number. A plain `int` is written with 32 bits."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A header's moment."""

    ms: int
    """Milliseconds since 1970, UTC; 64-bit signed."""


HeaderValue = bool | Byte | Short | int | Long | bytes | str | Timestamp | UUID


def encode_headers(headers: Mapping[str, HeaderValue]) -> bytes:
    """Return the headers alone, as they stand in a message.

    Raises:
        EventStreamError: a name is empty or over 255 bytes, a value does not fit its type, or
            all of them are longer than 128 KiB.
    """
    encoded = b"".join([_encode_header(name, value) for name, value in headers.items()])
    if len(encoded) > MAX_HEADERS_BYTES:
        raise EventStreamError(
            "headers_length",
            f"The headers have {len(encoded)} bytes; send at most {MAX_HEADERS_BYTES}.",
        )
    return encoded


_U16 = struct.Struct("!H")
_I64 = struct.Struct("!q")

_TRUE, _FALSE, _BYTES, _STRING, _TIMESTAMP, _UUID = 0, 1, 6, 7, 8, 9

_NUMBERS: dict[int, tuple[struct.Struct, type[int]]] = {
    2: (struct.Struct("!b"), Byte),
    3: (struct.Struct("!h"), Short),
    4: (struct.Struct("!i"), int),
    5: (_I64, Long),
}
_NUMBER_KINDS = {of: kind for kind, (_, of) in _NUMBERS.items()}


def read_headers(data: bytes) -> dict[str, HeaderValue]:
    """Return the headers that the bytes are, in their order.

    Raises:
        EventStreamError: they end in the middle, or a header has no name, a name that was there
            before, a type that there is not, or text that is not UTF-8.
    """
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            value_at = at + 2 + data[at]
            name = data[at + 1 : value_at - 1].decode()
            value, at = _read_value(data[value_at - 1], data, value_at)
            if not name or name in headers:
                raise EventStreamError(
                    "headers", f"A message has header {name!r} twice, or one without a name."
                )
            headers[name] = value
    except (IndexError, struct.error, UnicodeDecodeError):
        at = len(data) + 1
    if at > len(data):
        raise EventStreamError("headers", "A message's headers end in the middle or are no text.")
    return headers


def _read_value(kind: int, data: bytes, at: int) -> tuple[HeaderValue, int]:
    """Return the value that starts at `at`, and where it ends: past `data` if it is cut off."""
    if kind in {_BYTES, _STRING}:
        start = at + 2
        end = start + _U16.unpack_from(data, at)[0]
        value = data[start:end]
        return (value.decode() if kind == _STRING else value), end
    if kind in _NUMBERS:
        layout, number = _NUMBERS[kind]
        return number(layout.unpack_from(data, at)[0]), at + layout.size
    if kind == _TIMESTAMP:
        return Timestamp(_I64.unpack_from(data, at)[0]), at + 8
    if kind == _UUID:
        # Cut off or not: a short one must not reach UUID().
        return UUID(bytes=data[at : at + 16].ljust(16)), at + 16
    if kind in {_TRUE, _FALSE}:
        return kind == _TRUE, at
    raise EventStreamError("headers", f"A header is of type {kind}; there are types 0 to 9.")


def _encode_header(name: str, value: HeaderValue) -> bytes:
    encoded = _utf8(name)
    if not 1 <= len(encoded) <= 255:
        raise EventStreamError(
            "headers", f"A header's name has {len(encoded)} bytes of UTF-8; use 1 to 255."
        )
    return bytes((len(encoded),)) + encoded + _encode_value(name, value)


def _encode_value(name: str, value: HeaderValue) -> bytes:
    """Return the type and the value."""
    if isinstance(value, bool):
        return bytes((_TRUE if value else _FALSE,))
    if isinstance(value, str):
        return _sized(name, _STRING, _utf8(value))
    if isinstance(value, bytes):
        return _sized(name, _BYTES, value)
    if isinstance(value, UUID):
        return bytes((_UUID,)) + value.bytes
    kind = _TIMESTAMP if isinstance(value, Timestamp) else _NUMBER_KINDS[type(value)]
    layout, number = (
        (_I64, value.ms) if isinstance(value, Timestamp) else (_NUMBERS[kind][0], value)
    )
    try:
        return bytes((kind,)) + layout.pack(number)
    except struct.error:
        raise EventStreamError(
            "headers", f"Header {name!r}: {number} does not fit into {layout.size} bytes."
        ) from None


def _sized(name: str, kind: int, value: bytes) -> bytes:
    if len(value) > MAX_VALUE_BYTES:
        raise EventStreamError(
            "headers", f"Header {name!r} has {len(value)} bytes; send at most {MAX_VALUE_BYTES}."
        )
    return bytes((kind,)) + _U16.pack(len(value)) + value


def _utf8(text: str) -> bytes:
    # Half of a surrogate pair comes in with JSON and has no UTF-8.
    return text.encode("utf-8", errors="replace")
