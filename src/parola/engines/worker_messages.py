"""What a stream and its worker process say to each other: length-prefixed messages, no I/O.

A message is four bytes of length (big-endian, of what follows), one byte of kind, and a body.
Bodies are JSON or plain bytes, never pickles: a broken worker can be misread, not obeyed.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from parola.domain.audio import AudioChunk
from parola.domain.terms import Terms
from parola.domain.transcript import Hypothesis, Settled, Word
from parola.domain.vocabulary import Language
from parola.ports import EngineEvent, StreamRequest

REQUEST, AUDIO, END = b"R", b"A", b"E"
"""To the worker: what stream it serves, the next chunk, no more chunks."""

READY, EVENT, TOOK, DONE, FAILED = b"r", b"e", b"t", b"d", b"f"
"""From the worker: it listens (its process id), a guess, frames worked off, the end, a sentence.

After a sentence the worker leaves it to the parent to hang up.
"""

MAX_MESSAGE = 1 << 20
"""Bytes. A longer message is garbage: a chunk of a second has 32,009, a hypothesis far less."""

_AUDIO_HEAD = struct.Struct("!Q?")


class Garbage(Exception):  # noqa: N818 - said of what came
    """What came is not a message."""


class MessageReader:
    """Turns bytes, cut anywhere, into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the kind and body of every message that is now complete.

        Raises:
            Garbage: a length that no message has.
        """
        self._bytes += data
        while len(self._bytes) >= 4:
            length = int.from_bytes(self._bytes[:4])
            if not 1 <= length <= MAX_MESSAGE:
                raise Garbage(f"a message of {length} bytes")
            if len(self._bytes) < 4 + length:
                return
            message = bytes(self._bytes[4 : 4 + length])
            del self._bytes[: 4 + length]
            yield message[:1], message[1:]


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Return the message as it travels."""
    return (1 + len(body)).to_bytes(4) + kind + body


def of_audio(chunk: AudioChunk) -> bytes:
    """Return a chunk as a message."""
    return message(AUDIO, _AUDIO_HEAD.pack(chunk.first_frame, chunk.voiced) + chunk.pcm)


def to_audio(body: bytes) -> AudioChunk:
    """Return the chunk in a message's body."""
    first_frame, voiced = _AUDIO_HEAD.unpack_from(body)
    return AudioChunk(first_frame, body[_AUDIO_HEAD.size :], voiced)


def of_request(request: StreamRequest) -> bytes:
    """Return a request as a message."""
    # A mapping of another kind than dict is nothing that `asdict` can copy.
    fields = asdict(replace(request, options=dict(request.options)))
    return message(REQUEST, json.dumps(fields).encode())


def to_request(body: bytes) -> StreamRequest:
    """Return the request in a message's body."""
    told = json.loads(body)
    terms = told.pop("terms")
    return StreamRequest(
        language=Language(told.pop("language")),
        terms=Terms(tuple(terms["phrases"]), terms["text"]),
        **told,
    )


def of_event(event: EngineEvent) -> bytes:
    """Return what a recogniser says as a message."""
    name = "settled" if isinstance(event, Settled) else "hypothesis"
    return message(EVENT, json.dumps({name: asdict(event)}).encode())


def to_event(body: bytes) -> EngineEvent:
    """Return what the recogniser said.

    Raises:
        Garbage: it is neither a hypothesis nor a frame until which all is settled.
    """
    try:
        told: dict[str, dict[str, Any]] = json.loads(body)
        if "settled" in told:
            return Settled(int(told["settled"]["end_frame"]))
        guess = told["hypothesis"]
        words = tuple(Word(**word) for word in guess.pop("words"))
        return Hypothesis(words=words, **guess)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Garbage(f"no event ({error})") from error


def to_number(body: bytes) -> int:
    """Return the number in a message's body.

    Raises:
        Garbage: it is no number of eight bytes.
    """
    if len(body) != 8:
        raise Garbage(f"a number of {len(body)} bytes")
    return int.from_bytes(body)


def of_number(kind: bytes, number: int) -> bytes:
    """Return a message that carries a number from 0 to 2⁶⁴ − 1."""
    return message(kind, number.to_bytes(8))
