"""Amazon's framing, next to botocore's as an independent reader of the same bytes."""

import json
import struct
import tracemalloc
from itertools import pairwise
from uuid import UUID
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from parola.wire.eventstream import (
    MAX_HEADERS_BYTES,
    MAX_MESSAGE_BYTES,
    Byte,
    Decoder,
    EventStreamError,
    HeaderValue,
    Long,
    Message,
    Short,
    Timestamp,
    audio_event,
    decode,
    encode,
    encode_audio,
    encode_headers,
    event,
    exception,
)


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


values = st.one_of(
    st.booleans(),
    signed(8).map(Byte),
    signed(16).map(Short),
    signed(32),
    signed(64).map(Long),
    st.binary(max_size=60),
    st.text(max_size=20),
    signed(64).map(Timestamp),
    st.uuids(),
)
headers = st.dictionaries(st.text(min_size=1, max_size=20), values, max_size=6)
plain_messages = st.builds(Message, headers, st.binary(max_size=200))


def typed(message: Message) -> list[tuple[str, type, HeaderValue]]:
    """Byte(1), 1 and True are equal numbers and different headers."""
    return [(name, type(value), value) for name, value in message.headers.items()]


def by_botocore(data: bytes) -> list[tuple[dict[str, object], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers, message.payload) for message in buffer]


def as_botocore_says(value: HeaderValue) -> object:
    if isinstance(value, Timestamp):
        return value.ms
    return value.bytes if isinstance(value, UUID) else value


def frame(total: int, headers_bytes: int, rest: bytes = b"") -> bytes:
    """Return the start of a message with a right prelude checksum."""
    lengths = struct.pack("!II", total, headers_bytes)
    return lengths + struct.pack("!I", crc32(lengths)) + rest


def with_headers(encoded: bytes) -> bytes:
    """Return a whole message around headers that may be nonsense."""
    body = frame(16 + len(encoded), len(encoded), encoded)
    return body + struct.pack("!I", crc32(body))


def fed(data: bytes, cuts: list[int]) -> tuple[list[Message], str | None]:
    """Return what a decoder makes of the data in pieces, and why it stopped."""
    decoder = Decoder()
    out: list[Message] = []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    try:
        for start, end in pairwise(edges):
            out += decoder.feed(data[start:end])
        decoder.finish()
    except EventStreamError as error:
        return out, error.reason
    return out, None


@given(plain_messages)
def test_what_is_written_is_read_again(message: Message) -> None:
    """Every header type keeps its type, its value and its place; the payload its bytes."""
    again = decode(encode(message))
    assert typed(again) == typed(message)
    assert again.payload == message.payload


@given(st.lists(plain_messages, max_size=4))
def test_botocore_reads_what_we_write(written: list[Message]) -> None:
    """An independent decoder finds the same headers and payloads."""
    expected = [
        ({name: as_botocore_says(value) for name, value in one.headers.items()}, one.payload)
        for one in written
    ]
    assert by_botocore(b"".join(map(encode, written))) == expected


@given(st.lists(plain_messages, max_size=4), st.lists(st.integers(0, 1500), max_size=8))
def test_cutting_the_input_differently_changes_nothing(
    written: list[Message], cuts: list[int]
) -> None:
    """However the network cuts the bytes, the same messages come out."""
    data = b"".join(map(encode, written))
    assert fed(data, cuts) == (written, None)


@given(
    st.lists(plain_messages, min_size=1, max_size=3),
    st.integers(0),
    st.integers(1, 255),
    st.lists(st.integers(0, 900), max_size=6),
)
def test_a_flipped_bit_is_found_and_what_came_before_is_kept(
    written: list[Message], place: int, flip: int, cuts: list[int]
) -> None:
    """A changed byte never yields a changed message, and costs no message before it."""
    encoded = list(map(encode, written))
    data = bytearray(b"".join(encoded))
    place %= len(data)
    data[place] ^= flip
    whole = next(n for n in range(len(encoded)) if place < sum(map(len, encoded[: n + 1])))
    messages, reason = fed(bytes(data), cuts)
    assert reason == "checksum"
    assert messages == written[:whole]


@given(st.binary(max_size=400) | st.binary(max_size=80).map(with_headers))
def test_any_bytes_are_messages_or_a_documented_error(data: bytes) -> None:
    """Whatever comes: messages or an `EventStreamError` with a sentence, however it is cut."""
    messages, reason = fed(data, [])
    assert fed(data, list(range(0, len(data), 7))) == (messages, reason)
    try:
        assert [decode(data)] == messages
    except EventStreamError as error:
        assert error.message.endswith((".", "way.", "cut."))  # noqa: PT017 - both are right


@given(headers, values, st.integers(0))
def test_headers_that_end_too_early_are_refused(
    before: dict[str, HeaderValue], last: HeaderValue, at: int
) -> None:
    """A header that is cut off anywhere is an error, not a shorter value."""
    start = encode_headers(before)
    whole = encode_headers({"last " * 5: last})
    cut = 1 + at % (len(whole) - 1)
    with pytest.raises(EventStreamError) as caught:
        decode(with_headers(start + whole[:cut]))
    assert caught.value.reason == "headers"


@given(plain_messages, st.integers(0))
def test_a_stream_that_ends_inside_a_message_says_so(message: Message, at: int) -> None:
    """Half a message is a cut connection, not the end of the stream."""
    data = encode(message)
    at = 1 + at % (len(data) - 1)
    assert fed(data[:at], []) == ([], "truncated")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frame(2**32 - 1, 0), "length"),
        (frame(MAX_MESSAGE_BYTES + 1, 0), "length"),
        (frame(15, 0), "length"),
        (frame(0, 0), "length"),
        (frame(20, 5), "headers_length"),
        (frame(2**20, MAX_HEADERS_BYTES + 1), "headers_length"),
        (frame(2**20, 2**32 - 1), "headers_length"),
        (b"GET / HTTP/1.1\r\n", "checksum"),
        (with_headers(b"\x01a\x0a"), "headers"),
        (with_headers(b"\x00\x00"), "headers"),
        (with_headers(b"\x01a\x00\x01a\x01"), "headers"),
        (with_headers(b"\x01a\x07\x00\x02\xff\xfe"), "headers"),
        (with_headers(b"\x01a\x06\xff\xff"), "headers"),
        (with_headers(b"\x01a\x09\x00"), "headers"),
        (with_headers(b"\x01a"), "headers"),
        (with_headers(b"\xff"), "headers"),
    ],
)
def test_lengths_and_headers_that_lie_are_refused_at_once(data: bytes, reason: str) -> None:
    """No waiting for bytes that a wrong length promises; the reason is a stable word."""
    with pytest.raises(EventStreamError) as caught:
        Decoder().feed(data)
    assert caught.value.reason == reason


def test_memory_is_bounded_by_one_message_and_the_input() -> None:
    """A promised 16 MiB costs nothing until it comes; a limit of 64 KiB holds 64 KiB."""
    limit = 64 * 1024
    endless = frame(limit, 0) + bytes(limit)
    tracemalloc.start()
    try:
        Decoder().feed(frame(MAX_MESSAGE_BYTES, 0))
        assert tracemalloc.get_traced_memory()[1] < 10_000
        decoder = Decoder(max_bytes=limit)
        for at in range(0, limit - 1000, 1000):
            assert decoder.feed(endless[at : at + 1000]) == []
            assert decoder.pending_bytes <= limit
        for _ in range(5000):  # the message's checksum is wrong
            with pytest.raises(EventStreamError):
                decoder.feed(bytes(1000))
        assert decoder.pending_bytes == 0
        assert tracemalloc.get_traced_memory()[1] < 4 * limit
    finally:
        tracemalloc.stop()


def test_a_broken_stream_stays_broken() -> None:
    """After an error nothing is read any more: the next message's start is unknown."""
    decoder = Decoder()
    good = encode(event("TranscriptEvent", b"{}"))
    assert len(decoder.feed(good + bytes(12) + good)) == 1
    assert decoder.error is not None
    with pytest.raises(EventStreamError):
        decoder.feed(good)
    with pytest.raises(EventStreamError):
        decoder.finish()


def test_exactly_one_message_is_asked_for() -> None:
    """A WebSocket frame with two messages, or none, is refused."""
    one = encode_audio(b"ab")
    for data, reason in ((b"", "truncated"), (one + one, "trailing"), (one[:-1], "truncated")):
        with pytest.raises(EventStreamError) as caught:
            decode(data)
        assert caught.value.reason == reason


@given(st.binary(max_size=100))
def test_the_short_way_writes_the_same_audio_frame(audio: bytes) -> None:
    """`encode_audio` is only faster."""
    assert encode_audio(audio) == encode(audio_event(audio))


def test_messages_say_what_they_are() -> None:
    """Kind and name of events, exceptions, errors and of messages that do not say."""
    assert (event("TranscriptEvent", b"{}").kind, event("X", b"").name) == ("event", "X")
    refused = exception("ConflictException", "so è")
    assert (refused.kind, refused.name) == ("exception", "ConflictException")
    assert json.loads(refused.payload) == {"Message": "so è"}
    error = Message({":message-type": "error", ":error-code": "500", ":error-message": "no"})
    assert (error.name, error.text(":error-message")) == ("500", "no")
    assert (Message({":message-type": Byte(3)}).kind, Message({}).name) == ("", "")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message({"": True}), "headers"),
        (Message({"n" * 256: True}), "headers"),
        (Message({"n": "x" * 32_768}), "headers"),
        (Message({"n": Byte(128)}), "headers"),
        (Message({"n": 2**31}), "headers"),
        (Message({"n": Timestamp(2**63)}), "headers"),
        (Message({f"n{n}": "x" * 32_000 for n in range(5)}), "headers_length"),
        (Message({}, bytes(MAX_MESSAGE_BYTES)), "length"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(message: Message, reason: str) -> None:
    """Names, values, headers and messages beyond the limits are refused before they are sent."""
    with pytest.raises(EventStreamError) as caught:
        encode(message)
    assert caught.value.reason == reason
