"""Reads the pieces and scores of a SentencePiece model (`bpe.model`), and nothing else of it.

Source: sentencepiece_model.proto (ModelProto.pieces = 1; piece = 1, score = 2).
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from parola.domain.errors import EngineFailed

MAX_BYTES = 64 << 20
"""A vocabulary of a hundred thousand pieces has a tenth of that."""


def read_pieces(path: Path) -> list[tuple[str, float]]:
    """Return each piece and its score, by number.

    Raises:
        EngineFailed: it is no SentencePiece model.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise EngineFailed(f"{path} is too large to be a SentencePiece model.")
        pieces = [_piece(body) for number, body in _fields(path.read_bytes()) if number == 1]
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise EngineFailed(f"{path} is no SentencePiece model.") from error
    if not pieces:
        raise EngineFailed(f"{path} is no SentencePiece model: it holds no pieces.")
    return pieces


def _piece(body: bytes | int) -> tuple[str, float]:
    if isinstance(body, int):
        raise TypeError(body)
    text, score = "", 0.0
    for number, value in _fields(body):
        if number == 1 and isinstance(value, bytes):
            text = value.decode()
        elif number == 2 and isinstance(value, bytes):
            (score,) = struct.unpack("<f", value)
    return text, score


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield the number and the value of each field of a protobuf message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in {1, 5}:
            length = 8 if kind == 1 else 4
        else:
            raise IndexError(kind)
        if at + length > len(data):
            raise IndexError(length)
        yield tag >> 3, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise IndexError(at)
