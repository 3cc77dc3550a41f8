"""Reads what an ONNX file says of itself, without loading it: weights are skipped, not read.

Source: onnx.proto of ONNX (ModelProto, GraphProto, ValueInfoProto), protobuf's wire format.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_TEXT = 1 << 20
"""Bytes of a name or a metadata value; a longer one is garbage."""

MAX_FIELDS = 2_000_000
"""Fields looked at in a file; the largest upstream models have some ten thousand."""

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_OUTPUT = 12
_VALUE_TYPE, _TYPE_TENSOR, _TENSOR_SHAPE, _SHAPE_DIMENSION, _DIMENSION_SIZE = 2, 1, 2, 1, 1
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


class NotOnnx(Exception):  # noqa: N818 - said of the file
    """The file is no ONNX model; the message says where it stopped being one."""


@dataclass(frozen=True, slots=True)
class OnnxFacts:
    """What a model says of itself."""

    metadata: dict[str, str]
    outputs: int
    """How many tensors it returns."""

    width: int | None
    """The last dimension of its first output, where it is fixed."""


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    kind: int
    value: int
    """The number, or where the bytes begin in the file."""

    length: int = 0


def read_onnx_facts(path: Path) -> OnnxFacts:
    """Return what the file says of itself.

    Raises:
        NotOnnx: it is not an ONNX model.
        OSError: it cannot be read.
    """
    metadata: dict[str, str] = {}
    outputs: list[int | None] = []
    graphs = 0
    with path.open("rb") as file:
        reader = _Reader(file)
        for field in reader.fields(0, path.stat().st_size):
            if field.kind != _BYTES:
                continue
            if field.number == _MODEL_METADATA:
                key, value = reader.pair(field)
                metadata[key] = value
            elif field.number == _MODEL_GRAPH:
                graphs += 1
                outputs += reader.outputs(field)
    if not graphs:
        raise NotOnnx("it holds no graph")
    return OnnxFacts(metadata, len(outputs), outputs[0] if outputs else None)


class _Reader:
    """Walks over a file's fields; seeks over what nobody wants."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seen = 0

    def fields(self, start: int, end: int) -> Iterator[_Field]:
        """Yield the fields of the message in that part of the file."""
        at = start
        while at < end:
            self._seen += 1
            if self._seen > MAX_FIELDS:
                raise NotOnnx("it has too many fields")
            self._file.seek(at)
            tag = self._varint()
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                field = _Field(number, kind, self._varint())
                at = self._file.tell()
            elif kind == _BYTES:
                length = self._varint()
                field = _Field(number, kind, self._file.tell(), length)
                at = field.value + length
            elif kind in {_EIGHT, _FOUR}:
                at = self._file.tell() + (8 if kind == _EIGHT else 4)
                field = _Field(number, kind, 0)
            else:
                raise NotOnnx(f"byte {at} begins no field")
            if at > end or not number:
                raise NotOnnx(f"what begins before byte {at} does not end inside the file")
            yield field

    def pair(self, field: _Field) -> tuple[str, str]:
        """Return a StringStringEntryProto."""
        texts = {1: "", 2: ""}
        for part in self._inside(field):
            if part.number in texts and part.kind == _BYTES:
                texts[part.number] = self._text(part)
        return texts[1], texts[2]

    def outputs(self, graph: _Field) -> list[int | None]:
        """Return the last dimension of each output of a graph, None where it is not fixed."""
        return [
            self._width(field)
            for field in self._inside(graph)
            if field.number == _GRAPH_OUTPUT and field.kind == _BYTES
        ]

    def _width(self, value: _Field) -> int | None:
        inner = [value]
        for number in (_VALUE_TYPE, _TYPE_TENSOR, _TENSOR_SHAPE, _SHAPE_DIMENSION):
            inner = [
                part
                for field in inner
                for part in self._inside(field)
                if part.number == number and part.kind == _BYTES
            ]
        if not inner:
            return None
        sizes = [f.value for f in self._inside(inner[-1]) if f.number == _DIMENSION_SIZE]
        return sizes[0] if sizes else None

    def _inside(self, field: _Field) -> Iterator[_Field]:
        return self.fields(field.value, field.value + field.length)

    def _text(self, field: _Field) -> str:
        if field.length > MAX_TEXT:
            raise NotOnnx(f"a text of {field.length} bytes")
        self._file.seek(field.value)
        return self._file.read(field.length).decode(errors="replace")

    def _varint(self) -> int:
        number = 0
        for shift in range(0, 70, 7):
            byte = self._file.read(1)
            if not byte:
                raise NotOnnx("it ends in the middle of a field")
            number |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                return number
        raise NotOnnx("a number of more than ten bytes")
