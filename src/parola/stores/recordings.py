"""Keeps the sound of talks in a folder, one MP3 file each, whose times are those of the words.

What is not there – off the record, paused, lost with a crash – is silence. A file is written as the
sound comes, and every piece of it can be played by itself: nothing has to be closed well.
"""

import errno
import hashlib
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import BinaryIO

from parola.audio.mp3 import PACKET_BYTES, PACKET_FRAMES, Mp3Encoder, silent_packet
from parola.blocking import in_thread
from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk
from parola.domain.errors import DiskFull, StoreFailed, TooLarge

LONGEST_S = 12 * 3600
"""A source may count from any number: this bounds how much silence it can make us write."""

_SILENT_PACKETS = 2000
"""Packets of silence written at once: 288 kB."""


class RecordingFolder:
    """The recordings under one folder, which is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, room: str, session: str) -> "RecordingFile":
        """Return where a talk's sound goes; there is no file before the first of it."""
        return RecordingFile(self._path(room, session))

    async def find(self, room: str, session: str) -> Path | None:
        """Return the file of a talk's sound, if any was kept."""
        path = self._path(room, session)
        return path if await in_thread(path.is_file) else None

    async def kept(self, talks: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of the talks (room, session) whose sound was kept."""
        there = await in_thread(lambda: {path.name for path in self._folder.glob("*.mp3")})
        return {talk for talk in talks if self._path(*talk).name in there}

    async def delete(self, room: str, session: str) -> bool:
        """Delete a talk's sound; return whether there was any."""
        return await in_thread(lambda: delete_recording(self._folder, room, session))

    def _path(self, room: str, session: str) -> Path:
        return recording_path(self._folder, room, session)


def recording_path(folder: Path, room: str, session: str) -> Path:
    """Return where a talk's sound is kept; names of rooms are too long and too free for files."""
    talk = f"{room}\0{session}".encode("utf-8", "backslashreplace")
    return folder / f"{hashlib.sha256(talk).hexdigest()[:32]}.mp3"


def delete_recording(folder: Path, room: str, session: str) -> bool:
    """Delete a talk's sound, whoever runs; return whether there was any.

    Raises:
        StoreFailed: the file cannot be deleted.
    """
    path = recording_path(folder, room, session)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreFailed(
            f"The sound of a talk, {path}, cannot be deleted ({error.strerror}); delete it by hand."
        ) from error
    return True


class RecordingFile:
    """One talk's sound on its way to the disk; used by one task."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._encoder: Mp3Encoder | None = None
        self._frame = 0
        """The session's frame that is due; at a packet's beginning where there is no encoder."""

    async def write(self, chunks: Sequence[AudioChunk]) -> None:
        """Add sound in order; what lies between is silence, what was there from its place on goes.

        Raises:
            StoreFailed, DiskFull: it is not kept now; what follows may be.
            TooLarge: it is later than twelve hours into the talk.
        """
        await in_thread(lambda: self._guarded(lambda: self._write(chunks)))

    async def close(self) -> None:
        """Write what the encoder holds, and let go of the file.

        Raises:
            StoreFailed, DiskFull: the last tenth of a second is not kept.
        """
        await in_thread(lambda: self._guarded(self._close))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self._drop()
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise DiskFull(
                    "The disk is full: the sound is not kept; free some space."
                ) from error
            raise StoreFailed(f"The sound cannot be kept ({error.strerror or error}).") from error

    def _write(self, chunks: Sequence[AudioChunk]) -> None:
        for chunk in chunks:
            if chunk.end_frame > LONGEST_S * RATE_HZ:
                self._close()
                raise TooLarge(f"Sound is kept for the first {LONGEST_S // 3600} hours of a talk.")
            if self._file is None or self._encoder is None or chunk.first_frame != self._frame:
                self._begin_at(chunk.first_frame)
            assert self._encoder  # noqa: S101 - made by `_begin_at`
            self._put(self._encoder.encode(chunk.pcm))
            self._frame = chunk.end_frame

    def _begin_at(self, frame: int) -> None:
        """Be ready for a frame, by silence or by cutting off what is there from it on."""
        self._end_run()
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Unbuffered: what was written survives the process.
            self._file = self._path.open("r+b" if self._path.exists() else "w+b", buffering=0)
        packet, into = divmod(frame, PACKET_FRAMES)
        there = self._file.seek(0, os.SEEK_END) // PACKET_BYTES
        self._file.seek(min(there, packet) * PACKET_BYTES)
        self._file.truncate()
        while there < packet:
            count = min(packet - there, _SILENT_PACKETS)
            self._put(silent_packet() * count)
            there += count
        self._encoder = Mp3Encoder()
        self._put(self._encoder.encode(bytes(into * FRAME_BYTES)))
        self._frame = frame

    def _put(self, data: bytes) -> None:
        assert self._file  # noqa: S101 - opened by `_begin_at`
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def _end_run(self) -> None:
        if self._encoder and self._file:
            encoder, self._encoder = self._encoder, None
            self._put(encoder.end())

    def _close(self) -> None:
        self._end_run()
        self._drop()

    def _drop(self) -> None:
        self._encoder = None
        if self._file:
            file, self._file = self._file, None
            file.close()
