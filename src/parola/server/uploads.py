"""Keeps uploaded sound files in one folder, each of them whole or not at all.

Nothing of an upload is in memory but the piece at hand, and a name from outside is never part of
a path before `safe_name` has seen it.
"""

import errno
import os
import secrets
import unicodedata
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from parola.audio.decode import AudioFacts, probe
from parola.blocking import in_thread
from parola.domain.errors import (
    BadAudio,
    BadMessage,
    DiskFull,
    NotFound,
    ParolaError,
    StoreFailed,
    TooLarge,
)
from parola.server.form import FileForm

MAX_NAME = 100
"""Characters of a file name, its ending included."""

_MAX_NAME_BYTES = 255
"""What file systems keep of a name. Source: NAME_MAX in linux/limits.h."""

_FORM_BYTES = 65_536
"""What a form may hold beside the file: its boundaries, headers and other fields."""

_INCOMING = ".incoming-"


def safe_name(text: str) -> str:
    """Return the name under which an upload is kept: the client's own, in composed form (NFC).

    Names are taken or refused, never changed otherwise (but for spaces around them), so that a
    client finds its file again by the name it knows.

    Raises:
        BadMessage: it is empty, "." or "..", starts with a dot, holds a slash, a backslash or a
            character that cannot be seen, or is longer than 100 characters or 255 bytes.
    """
    name = unicodedata.normalize("NFC", text.strip())
    if not name:
        raise BadMessage('The upload has no file name; send one, such as "talk.wav".')
    if any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"} for char in name):
        raise BadMessage("The file name holds a character that cannot be seen; please rename it.")
    if "/" in name or "\\" in name:
        raise BadMessage("A file name cannot hold a slash; send the name without its folder.")
    if name.startswith("."):
        raise BadMessage("A file name cannot start with a dot; please rename it.")
    if len(name) > MAX_NAME or len(name.encode()) > _MAX_NAME_BYTES:
        raise BadMessage(
            f"The file name has {len(name)} characters; use at most {MAX_NAME}"
            f" ({_MAX_NAME_BYTES} bytes)."
        )
    return name


class Receiver:
    """One upload on its way in; what it has so far lies in a hidden file beside the others."""

    def __init__(self, name: str, temporary: Path, max_bytes: int) -> None:
        self.name = name
        """The name it will be kept under."""
        self.received = 0
        """Bytes so far."""
        self.facts: AudioFacts | None = None
        """What it is, once it was received whole and well."""
        self._temporary = temporary
        self._max_bytes = max_bytes
        self._file: BinaryIO | None = None

    async def write(self, data: bytes) -> None:
        """Take the next piece; it is on its way to the disk when this returns.

        Raises:
            TooLarge: with it the file is over the limit; it was not written.
            DiskFull: the disk holds no more.
            StoreFailed: the disk does not take it for another reason.
        """
        if self.received + len(data) > self._max_bytes:
            raise TooLarge(f"The file is larger than {_size(self._max_bytes)}, the limit here.")
        if data:
            await in_thread(lambda: self._append(data))
            self.received += len(data)

    def _append(self, data: bytes) -> None:
        try:
            if self._file is None:
                # Unbuffered: an error belongs to the piece it happened with.
                self._file = self._temporary.open("xb", buffering=0)
            write_all(self._file, data)
        except OSError as error:
            raise disk_error(error) from error

    def finish(self) -> None:
        """Check that it holds sound, and bring it safely to the disk. Blocks.

        Raises:
            BadAudio: it is empty, or holds no sound that can be decoded.
            DiskFull, StoreFailed: the disk does not take it.
        """
        if self._file is None:
            raise BadAudio("The file is empty; please record or export it again.")
        self.facts = probe(self._temporary)
        try:
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise disk_error(error) from error

    def discard(self) -> None:
        """Remove what is left of it: nothing, once it was moved to its place. Blocks."""
        if self._file is not None:
            self._file.close()
            self._temporary.unlink(missing_ok=True)


class Uploads:
    """The store of uploaded files. One process uses a folder at a time."""

    def __init__(self, folder: Path, max_bytes: int, keep_s: float) -> None:
        """Make the folder, and clear away what a killed process left half done.

        A file may have `max_bytes`, and `prune` removes it `keep_s` seconds after its upload.

        Raises:
            DiskFull, StoreFailed: the folder cannot be made or written.
        """
        self._folder = folder
        self.max_bytes = max_bytes
        self._keep_s = keep_s
        self._moving = Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left_over in folder.glob(f"{_INCOMING}*"):
                left_over.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(error) from error

    @asynccontextmanager
    async def receive(self, name: str) -> AsyncIterator[Receiver]:
        """Take in a file under a name; it is there once the context ends well.

        It then replaces an older one of the name in one step: who reads that one reads it to its
        end. After any error or cancellation nothing of the new one is left.

        Raises:
            BadMessage: no file can have that name.
            BadAudio (at the end): it is empty, or holds no sound that can be decoded.
            DiskFull, StoreFailed (at the end): the disk did not take it.
        """
        kept_name = safe_name(name)
        temporary = self._folder / f"{_INCOMING}{secrets.token_hex(8)}"
        receiver = Receiver(kept_name, temporary, self.max_bytes)
        try:
            yield receiver
            await in_thread(receiver.finish)
            await in_thread(lambda: self._move(temporary, self._folder / kept_name))
        finally:
            await in_thread(receiver.discard)

    def open(self, name: str) -> Path:
        """Return the path of an uploaded file.

        Raises:
            BadMessage: no file can have that name, such as "../x.wav".
            NotFound: there is none of that name (any more).
        """
        path = self._folder / safe_name(name)
        if not path.is_file():
            raise NotFound(f'There is no uploaded file "{path.name}"; please upload it first.')
        return path

    def remove(self, name: str) -> None:
        """Remove an uploaded file, if it is there.

        Raises:
            BadMessage: no file can have that name.
        """
        (self._folder / safe_name(name)).unlink(missing_ok=True)

    def prune(self, now: float) -> int:
        """Remove what was uploaded more than `keep_s` seconds before `now`; return how many.

        `now` counts seconds since 1970, as file times do. Blocks: call it in a thread.
        """
        removed = 0
        for path in self._folder.iterdir():
            if path.name.startswith(".") or not path.is_file():
                continue
            # Locked, so that an upload that arrives under an old name just now is not removed.
            with self._moving:
                if path.stat().st_mtime < now - self._keep_s:
                    path.unlink()
                    removed += 1
        return removed

    def _move(self, temporary: Path, place: Path) -> None:
        try:
            with self._moving:
                temporary.replace(place)
        except OSError as error:
            raise disk_error(error) from error


async def receive_multipart(
    stream: AsyncIterator[bytes], content_type_header: str, uploads: Uploads
) -> str:
    """Take in the one file of a form, field `file`, and return the name it is kept under.

    Other fields are read over. The file is there only if the whole form was well-formed.

    Raises:
        OnlyAudio: the file's content type does not start with "audio/".
        BadMessage: the body is no well-formed form, breaks off, has no file in the field `file`
            or several, or the file has a name that no file can have.
        BadAudio, TooLarge, DiskFull, StoreFailed: see `Uploads.receive` and `Receiver.write`.
    """
    form = FileForm(content_type_header)
    receiver: Receiver | None = None
    seen = 0
    async with AsyncExitStack() as incoming:
        async for data in stream:
            seen += len(data)
            if seen > uploads.max_bytes + _FORM_BYTES:
                raise TooLarge(f"The upload is larger than {_size(uploads.max_bytes)}.")
            for piece in form.feed(data):
                if isinstance(piece, str):
                    if receiver:
                        raise BadMessage("The form holds several files; send them one by one.")
                    receiver = await incoming.enter_async_context(uploads.receive(piece))
                elif receiver:
                    await receiver.write(piece)
        form.finish()
        if receiver is None:
            raise BadMessage('The form has no file; send it in the field "file".')
    return receiver.name


def _size(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1_000_000:,.6g} MB"


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write every byte, however little an unbuffered file takes at a time."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def disk_error(error: OSError) -> ParolaError:
    """Return our error for what a disk answers."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return DiskFull(
            f"There is no room for the upload ({error.strerror}); nothing of it was kept."
            " Please make room on the server's disk and send it again."
        )
    return StoreFailed(
        f"The upload cannot be kept now ({error.strerror});"
        " please look at the folder for uploads on the server."
    )
