"""A talk's spool on disk: what a killed client leaves, the next one finds.

Files survive the end of the process, however sudden; the last seconds before a power cut may be
lost, since nothing waits for the disk.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

from parola.client.spool import Block, Spool
from parola.domain.audio import FRAME_BYTES
from parola.domain.errors import BadInput, ParolaError
from parola.domain.vocabulary import Language, RoomName, language_tag

_BLOCK_NAME = re.compile(r"(\d{15})\.pcm")


class AlreadySending(ParolaError):  # noqa: N818 - said of the other program
    """Another `parola listen` on this computer sends into the same room."""

    code: ClassVar[str] = "already_sending"


@dataclass(frozen=True, slots=True)
class Talk:
    """One session, as both sides know it."""

    session: str
    """A UUID."""

    language: Language
    source: str
    """What it is heard from, so that a recording goes on where it was cut off."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A talk with its spool."""

    talk: Talk
    spool: Spool
    folder: Path | None
    """None for a spool in memory only."""

    was_there: bool
    """Whether an earlier process began it."""

    touched_at: float = 0.0
    """When that one was last seen at work, in seconds since 1970."""

    def note_safe(self, frame: int) -> None:
        """Let go of what is safe, and remember it for the next process."""
        self.spool.trim(frame)
        if self.folder:
            # What cannot be noted is sent once more, and the server swallows it.
            with suppress(OSError):
                _write_whole(self.folder / "safe", str(frame))

    def done(self) -> None:
        """Forget the talk: all of it is safe."""
        self.spool.clear()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


class FileBlock:
    """A block that is a file, named after its first frame."""

    is_on_disk = True

    def __init__(self, folder: Path, first_frame: int) -> None:
        self.first_frame = first_frame
        self._path = _block_path(folder, first_frame)
        self._bytes = self._path.stat().st_size if self._path.exists() else 0

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return self._bytes // FRAME_BYTES

    def append(self, pcm: bytes) -> None:
        """Add samples behind the last."""
        try:
            # Opened each time: ten times a second costs nothing, and no descriptor stays open.
            with self._path.open("ab", buffering=0) as file:
                written = file.write(pcm)
        except OSError:
            self._cut()
            raise
        if written != len(pcm):
            self._cut()
            raise OSError(f"only {written} of {len(pcm)} bytes were written")
        self._bytes += len(pcm)

    def _cut(self) -> None:
        # What was written in part is not counted: the same samples are kept elsewhere.
        with suppress(OSError):
            os.truncate(self._path, self._bytes)

    def read(self, offset: int, frames: int) -> bytes:
        """Return the samples from a frame of the block on."""
        with self._path.open("rb") as file:
            file.seek(offset * FRAME_BYTES)
            # A process that was killed may have left half a frame at the end.
            return file.read(min(frames, self.frames - offset) * FRAME_BYTES)

    def cut(self, frames: int) -> None:
        """Keep only so many frames, the first ones.

        Raises:
            OSError: the disk is broken.
        """
        os.truncate(self._path, frames * FRAME_BYTES)
        self._bytes = frames * FRAME_BYTES

    def remove(self) -> None:
        """Give up what it holds."""
        with suppress(OSError):
            self._path.unlink()


def default_root() -> Path:
    """Return where spools are. Source: XDG Base Directory Specification 0.8, state files."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "parola" / "spool"


def memory_talk(language: Language, source: str, budget_frames: int) -> Kept:
    """Return a new talk whose sound is kept in memory only."""
    return Kept(Talk(str(uuid4()), language, source), Spool(budget_frames), None, was_there=False)


class SpoolFolder:
    """All talks of this computer's user that are on their way into one room of one server."""

    def __init__(self, root: Path, server: str, room: RoomName, budget_frames: int) -> None:
        place = f"{urlsplit(server).netloc.rpartition('@')[2] or server}/{room}"
        digest = sha256(place.encode()).hexdigest()[:12]
        self._folder = root / f"{quote(room, safe='')[:60]}-{digest}"
        self._budget = budget_frames

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: two processes would mix their talks.

        Raises:
            AlreadySending: another process holds it.
            OSError: the folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "lock").open("w") as file:
            _lock(file.fileno())
            yield

    def left_behind(self) -> list[Kept]:
        """Return the talks that earlier processes did not bring home, the oldest first."""
        found: list[tuple[float, Kept]] = []
        for folder in self._folder.iterdir():
            facts = folder / "talk.json"
            try:
                talk = _read_talk(facts.read_text(encoding="utf-8"))
                began = facts.stat().st_mtime
            except (OSError, ValueError):
                continue  # the lock, or a talk that was killed before it began
            found.append((began, self._open(folder, talk)))
        return [kept for _, kept in sorted(found, key=lambda pair: pair[0])]

    def new_talk(self, language: Language, source: str) -> Kept:
        """Return a new talk.

        Raises:
            OSError: the folder cannot be written.
        """
        talk = Talk(str(uuid4()), language, source)
        folder = self._folder / talk.session
        folder.mkdir(mode=0o700)
        _write_whole(folder / "talk.json", json.dumps(asdict(talk)))
        return Kept(talk, self._spool(folder, [], 0), folder, was_there=False)

    def _open(self, folder: Path, talk: Talk) -> Kept:
        safe = _read_safe(folder / "safe")
        touched_at = max(path.stat().st_mtime for path in folder.iterdir())
        spool = self._spool(folder, _blocks(folder), safe)
        return Kept(talk, spool, folder, was_there=True, touched_at=touched_at)

    def _spool(self, folder: Path, blocks: list[Block], safe: int) -> Spool:
        def new_block(first_frame: int) -> Block:
            # Killed in its first write, a process may have left half a frame under this name.
            with suppress(OSError):
                _block_path(folder, first_frame).unlink()
            return FileBlock(folder, first_frame)

        return Spool(self._budget, new_block, blocks, safe)


def _block_path(folder: Path, first_frame: int) -> Path:
    return folder / f"{first_frame:015}.pcm"


def _blocks(folder: Path) -> list[Block]:
    """Return the newest run of neighbouring blocks."""
    firsts = sorted(
        int(match[1]) for path in folder.iterdir() if (match := _BLOCK_NAME.fullmatch(path.name))
    )
    run: list[Block] = []
    for first in firsts:
        block = FileBlock(folder, first)
        if block.frames == 0:
            continue
        if run and run[-1].first_frame + run[-1].frames != first:
            run.clear()  # a gap: what is before it was given up, or is safe
        run.append(block)
    return run


def _read_safe(path: Path) -> int:
    try:
        return max(int(path.read_text(encoding="utf-8")), 0)
    except (OSError, ValueError):
        return 0


def _read_talk(text: str) -> Talk:
    """Return what was written.

    Raises:
        ValueError: it is something else.
    """
    fields = json.loads(text)
    try:
        language = language_tag(fields["language"])
        return Talk(str(UUID(fields["session"])), language, str(fields["source"]))
    except (TypeError, KeyError, AttributeError, BadInput) as error:
        raise ValueError("no talk") from error


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or as it was before."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _lock(descriptor: int) -> None:
    try:
        import fcntl  # noqa: PLC0415 - Windows has none; there nothing is locked
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise AlreadySending(
            "Another `parola listen` on this computer sends into this room; stop it first."
        ) from error
