"""Sound that is named rather than plugged in: a recording, a pipe, an address."""

import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import av

from parola.audio.decode import Address, Decoder
from parola.audio.raw import Raw, RawReader
from parola.client.sources import DecodedSource
from parola.domain.audio import AudioChunk

LOOK_EVERY_S = 0.2
"""How soon a pipe that gives nothing notices that it is stopped."""


READ_BYTES = 4_096
"""Read at once of samples without a header: little, for sound comes as it is made."""


class Pipe:
    """A pipe that ends when it is closed by us, too: its reader need not wait for the writer."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let the next read find the end."""
        self._stopped.set()

    def read(self, size: int = -1) -> bytes:
        """Return what is there, at most `size` bytes; nothing at the end."""
        while not self._stopped.is_set():
            if select.select([self._descriptor], [], [], LOOK_EVERY_S)[0]:
                return os.read(self._descriptor, size if size > 0 else 65_536)
        return b""


def address_of(text: str) -> Address | None:
    """Return what FFmpeg opens itself: scheme://… or one of its devices, such as alsa:default."""
    if Path(text).exists():
        return None
    kind, colon, rest = text.partition(":")
    if rest.startswith("//"):
        return Address(text)
    if colon and rest and kind in av.formats_available:
        return Address(rest, kind)
    return None


def recording(path: Path, *, real_time: bool, raw: Raw | None = None) -> DecodedSource:
    """Return a file as a source, from its beginning to its end."""

    def chunks() -> Iterator[AudioChunk]:
        if raw:
            with path.open("rb") as file:
                yield from _raw_chunks(file, RawReader(raw))
        else:
            with Decoder(path) as decoder:
                yield from decoder.chunks()

    facts = path.stat() if path.exists() else None
    name = f"{path.absolute()} {facts.st_size} {facts.st_mtime_ns}" if facts else str(path)
    return DecodedSource(name, chunks, is_live=False, real_time=real_time)


def pipe(source: Pipe, raw: Raw | None) -> DecodedSource:
    """Return a pipe as a source; it sets the pace itself.

    Raises:
        BadAudio: its samples are of a kind that nobody knows.
    """
    reader = RawReader(raw) if raw else None

    def chunks() -> Iterator[AudioChunk]:
        if reader:
            yield from _raw_chunks(cast("BinaryIO", source), reader)
        else:
            with Decoder(cast("BinaryIO", source)) as decoder:
                yield from decoder.chunks()

    return DecodedSource("stdin", chunks, is_live=True, real_time=False)


def _raw_chunks(file: BinaryIO, reader: RawReader) -> Iterator[AudioChunk]:
    first_frame = 0
    while data := file.read(READ_BYTES):
        chunk = AudioChunk(first_frame, reader.feed(data))
        first_frame = chunk.end_frame
        yield chunk
    yield AudioChunk(first_frame, reader.flush())


def address(where: Address) -> DecodedSource:
    """Return an address as a source; a recording there goes by the clock."""

    def chunks() -> Iterator[AudioChunk]:
        with Decoder(where) as decoder:
            yield from decoder.chunks()

    return DecodedSource(where.url, chunks, is_live=True, real_time=True)
