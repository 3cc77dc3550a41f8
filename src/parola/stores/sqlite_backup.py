"""Copies a data folder's databases into one file and back, whole or not at all.

The file is a zip archive of `log.sqlite3`, `access.sqlite3` and `manifest.json`, which tells their
SHA-256. A server may be writing meanwhile: SQLite's online backup copies what was durable when it
began.
"""

import hashlib
import json
import os
import sqlite3
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from parola.domain.errors import BadMessage, NotFound, StoreFailed
from parola.stores.folders import sync_folder
from parola.stores.sqlite_access import ACCESS_FILE
from parola.stores.sqlite_file import BUSY_S, LOG_FILE, explained
from parola.stores.sqlite_schema import refuse_if_newer

MANIFEST = "manifest.json"

PIECE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    rooms: int
    lines: int
    """Entries of the log, of any kind."""

    has_access: bool
    """Whether the access book is in it: keys, tokens, audit log."""


def back_up(folder: Path, file: Path, *, with_access: bool = True) -> Backup:
    """Copy what a data folder holds into a new file that only its owner can read.

    Raises:
        NotFound: there is no log in the folder.
        StoreFailed: a database cannot be read, or is damaged.
        FileExistsError: the file is there already; it was not touched.
        OSError: the file cannot be written; nothing of it is left.
    """
    if not (folder / LOG_FILE).is_file():
        raise NotFound(f"There are no transcripts in {folder}; name a data folder with --data.")
    if file.exists():
        raise FileExistsError
    names = [LOG_FILE]
    if with_access and (folder / ACCESS_FILE).is_file():
        names.append(ACCESS_FILE)
    with TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as place:
        copies = [_copied(folder / name, Path(place) / name) for name in names]
        backup = _checked(copies)
        packed = Path(place) / "packed"
        _pack(copies, packed, backup)
        # A link never overwrites, where the file has appeared meanwhile.
        os.link(packed, file)
    sync_folder(file.parent)
    return backup


def restore(file: Path, folder: Path) -> Backup:
    """Copy a backup into a data folder that this process holds and that has no databases yet.

    Raises:
        NotFound: there is no such file.
        BadMessage: it is no backup.
        StoreFailed: the folder has transcripts or tokens, the backup is damaged, or a newer Parola
            wrote it; nothing was changed.
        OSError: the folder cannot be written.
    """
    there = [name for name in (LOG_FILE, ACCESS_FILE) if (folder / name).exists()]
    if there:
        raise StoreFailed(
            f"{folder} has a {there[0]} already, and nothing is overwritten; "
            "choose another folder with --data, or move that one away."
        )
    with TemporaryDirectory(prefix=".restore.", dir=folder) as place:
        copies = _unpacked(file, Path(place))
        backup = _checked(copies)
        for copy in reversed(copies):
            with copy.open("rb") as written:
                os.fsync(written.fileno())
            copy.rename(folder / copy.name)
    sync_folder(folder)
    return backup


def _copied(source: Path, copy: Path) -> Path:
    copy.touch(mode=0o600)
    try:
        uri = source.resolve().as_uri() + "?mode=ro"
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S)) as read,
            closing(sqlite3.connect(copy, isolation_level=None)) as written,
        ):
            read.backup(written)
            # One file, without another one beside it.
            written.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.Error as error:
        raise explained(source, error) from error
    return copy


def _checked(copies: Sequence[Path]) -> Backup:
    """Look at every page of the copies, and at what they hold.

    Raises:
        StoreFailed: one is damaged, or a newer Parola wrote it.
    """
    rooms = lines = 0
    for copy in copies:
        try:
            with closing(sqlite3.connect(copy, isolation_level=None)) as db:
                if copy.name == LOG_FILE:
                    refuse_if_newer(db, copy)
                _refuse_if_damaged(db, copy)
                if copy.name == LOG_FILE:
                    query = "SELECT count(DISTINCT room), count(*) FROM entries"
                    rooms, lines = db.execute(query).fetchone()
        except sqlite3.Error as error:
            raise explained(copy, error) from error
    return Backup(rooms, lines, has_access=len(copies) > 1)


def _refuse_if_damaged(db: sqlite3.Connection, path: Path) -> None:
    found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreFailed(f"{path.name} is damaged ({found}); take an older backup.")
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'said_words'").fetchone():
        db.execute("INSERT INTO said_words (said_words, rank) VALUES ('integrity-check', 1)")


def _pack(copies: Sequence[Path], packed: Path, backup: Backup) -> None:
    packed.touch(mode=0o600)
    manifest = {
        "backup": 1,
        "rooms": backup.rooms,
        "lines": backup.lines,
        "sha256": {copy.name: _digest(copy) for copy in copies},
    }
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
        for copy in copies:
            archive.write(copy, copy.name)
    with packed.open("rb") as written:
        os.fsync(written.fileno())


def _unpacked(file: Path, place: Path) -> list[Path]:
    """Return the databases of a backup, byte for byte what was put into it."""
    try:
        with zipfile.ZipFile(file) as archive:
            digests = _digests(json.loads(archive.read(MANIFEST)))
            return [_extracted(archive, name, digests[name], place) for name in digests]
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.") from error
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise BadMessage(f"{file} is no backup of Parola's, or is cut off ({error}).") from error


def _digests(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return each database's SHA-256, the log's first.

    Raises:
        KeyError, TypeError, ValueError: this is no manifest.
    """
    if manifest["backup"] != 1:
        raise ValueError("a newer Parola wrote it")
    digests = manifest["sha256"]
    names = [LOG_FILE, *(name for name in digests if name == ACCESS_FILE)]
    return {name: str(digests[name]) for name in names}


def _extracted(archive: zipfile.ZipFile, name: str, digest: str, place: Path) -> Path:
    copy = place / name
    copy.touch(mode=0o600)
    with archive.open(name) as packed, copy.open("wb") as written:
        while piece := packed.read(PIECE_BYTES):
            written.write(piece)
    if _digest(copy) != digest:
        raise ValueError(f"{name} is not what was put into it")
    return copy


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
