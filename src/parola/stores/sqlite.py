"""Keeps logs in one SQLite file, on one machine.

What is promised: once `append` has returned, the entries survive a crash of the process
(`kill -9`) and, on a disk that keeps what it says it has written, a power cut. Each append is
one transaction that ends in one fsync of the write-ahead log (`synchronous=FULL`).
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from parola.domain.errors import StoreFailed
from parola.domain.log import Entry, RoomSummary, StateChange
from parola.domain.transcript import Segment, Word

LOG_FILE = "log.sqlite3"
LOCK_FILE = "lock"

BUSY_S = 5.0
"""How long to wait while another program (a backup, a shell) holds the file."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE entries (
            room        TEXT    NOT NULL,
            number      INTEGER NOT NULL,
            at_ms       INTEGER NOT NULL,
            kind        TEXT    NOT NULL,
            session     TEXT    NOT NULL,
            first_frame INTEGER,
            body        TEXT    NOT NULL,
            PRIMARY KEY (room, number)
        ) WITHOUT ROWID
        """,
        # A replayed segment is swallowed here, whatever number it comes with.
        """
        CREATE UNIQUE INDEX segments ON entries (room, session, first_frame)
        WHERE kind = 'segment'
        """,
        # Lets `rooms` count without reading the bodies.
        "CREATE INDEX times ON entries (room, at_ms)",
    ),
)
"""What brings a file from schema version n (`PRAGMA user_version`) to n + 1. Only ever add."""

_REMEDIES = {
    sqlite3.SQLITE_FULL: "its disk is full; free some space",
    sqlite3.SQLITE_BUSY: "another program holds it; end that program",
    sqlite3.SQLITE_LOCKED: "another program holds it; end that program",
    sqlite3.SQLITE_READONLY: "it is read-only; let the server write to the file and its folder",
    sqlite3.SQLITE_PERM: "it may not be opened; let the server write to the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; let the server write to the file and its folder",
    sqlite3.SQLITE_IOERR: "its disk reports an error; look at the system's log and at the disk",
    sqlite3.SQLITE_CORRUPT: "it is damaged; stop the server, keep a copy of the folder, and "
    "restore a backup or run `sqlite3 <file> .recover`",
    sqlite3.SQLITE_NOTADB: "it is not a database; move it away or choose another data folder",
}

_T = TypeVar("_T")


@asynccontextmanager
async def open_sqlite_log(folder: Path) -> AsyncIterator["SqliteLog"]:
    """Open the log in a data folder, making both where they are not there.

    One process at a time holds a data folder; the system frees it when that process dies.

    Raises:
        StoreFailed: another process holds the folder, a newer Parola wrote the file, or it
            cannot be opened; the message says which, and what to do.
    """
    async with AsyncExitStack() as stack:
        writer = _Connection(folder / LOG_FILE)
        stack.push_async_callback(writer.close)
        await writer.open(lambda held: _open_to_write(folder, held))
        reader = _Connection(folder / LOG_FILE)
        stack.push_async_callback(reader.close)
        await reader.open(lambda held: _open_to_read(folder, held))
        yield SqliteLog(writer, reader)


@asynccontextmanager
async def open_sqlite_log_to_read(folder: Path) -> AsyncIterator["SqliteLog"]:
    """Open the log in a data folder for reading only; a server may be writing to it.

    Appending to it is a StoreFailed.

    Raises:
        StoreFailed: there is no log, or it cannot be opened.
    """
    reader = _Connection(folder / LOG_FILE)
    try:
        await reader.open(lambda held: _open_to_read(folder, held))
        yield SqliteLog(reader, reader)
    finally:
        await reader.close()


class SqliteLog:
    """A log in a SQLite file; made by `open_sqlite_log`.

    Reads have a connection and a thread of their own, so a slow write delays no reader.
    """

    def __init__(self, writer: "_Connection", reader: "_Connection") -> None:
        self._writer = writer
        self._reader = reader

    async def append(self, entries: Sequence[Entry]) -> None:
        """One transaction. Cancelled, it may still be kept: trying again is safe."""
        if entries:
            await self._writer.run(lambda db: _append(db, entries))

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Sees what was durable when it was called."""
        query = """
            SELECT number, at_ms, kind, body FROM entries
            WHERE room = ? AND number > ? ORDER BY number LIMIT ?
        """
        return await self._reader.run(
            lambda db: [
                _entry(room, *row) for row in db.execute(query, (room, after, max(limit, 0)))
            ]
        )

    async def last_number(self, room: str) -> int:
        """One look into the index."""
        query = "SELECT coalesce(max(number), 0) FROM entries WHERE room = ?"
        return await self._reader.run(lambda db: int(db.execute(query, (room,)).fetchone()[0]))

    async def rooms(self) -> list[RoomSummary]:
        """Walks the index of times: some 0.1 s for a million entries."""
        query = "SELECT room, count(*), min(at_ms), max(at_ms) FROM entries GROUP BY room"
        return await self._reader.run(
            lambda db: sorted((RoomSummary(*row) for row in db.execute(query)), key=_name)
        )


class _Connection:
    """One SQLite connection in one thread, its own: what blocks never runs on the loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = ExitStack()
        self._db: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(1, "parola-log")

    async def open(self, opener: Callable[[ExitStack], sqlite3.Connection]) -> None:
        """Open the connection in the thread; `close` frees what the opener put on the stack."""

        def work() -> None:
            self._db = opener(self._held)

        await self._in_thread(work)

    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what `work` returns.

        Raises:
            StoreFailed: SQLite refused it, or the connection is closed.
        """
        if self._db is None:
            raise StoreFailed(f"The log {self._path} is closed; start the server again.")
        db = self._db
        return await self._in_thread(lambda: work(db))

    async def close(self) -> None:
        """Close what was opened, after what waits before it; cancelled, it still happens."""
        if self._thread:
            thread, self._thread, self._db = self._thread, None, None
            closed = asyncio.get_running_loop().run_in_executor(thread, self._held.close)
            thread.shutdown(wait=False)
            await asyncio.shield(closed)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise _explained(self._path, error) from error


def _open_to_write(folder: Path, stack: ExitStack) -> sqlite3.Connection:
    """Take the folder, open its log and bring it to the newest schema."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFailed(
            f"The data folder {folder} cannot be made ({error.strerror}); "
            "let the server write there or choose another data folder."
        ) from error
    _take(folder, stack)
    db = sqlite3.connect(folder / LOG_FILE, timeout=BUSY_S, isolation_level=None)
    stack.enter_context(closing(db))
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA fullfsync = ON")  # macOS: a plain fsync stops at the disk's own cache
    _migrate(db, folder / LOG_FILE)
    return db


def _open_to_read(folder: Path, stack: ExitStack) -> sqlite3.Connection:
    uri = (folder / LOG_FILE).resolve().as_uri() + "?mode=ro"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    stack.enter_context(closing(db))
    return db


def _take(folder: Path, stack: ExitStack) -> None:
    """Hold the folder until the stack closes, by a write lock on a second, tiny database.

    SQLite's own locks work on every system, die with the process and are not inherited by the
    recognisers' worker processes, which a `flock` is.
    """
    path = folder / LOCK_FILE
    lock = stack.enter_context(closing(sqlite3.connect(path, timeout=0.2, isolation_level=None)))
    try:
        lock.execute("BEGIN IMMEDIATE")
        lock.execute("CREATE TABLE IF NOT EXISTS holder (pid INTEGER NOT NULL)")
        lock.execute("DELETE FROM holder")
        lock.execute("INSERT INTO holder VALUES (?)", (os.getpid(),))
        lock.execute("COMMIT")
        # This one stays open: others can read who holds the folder, but not take it.
        lock.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if _code(error) != sqlite3.SQLITE_BUSY:
            raise _explained(path, error) from error
        pids = [str(pid) for (pid,) in lock.execute("SELECT pid FROM holder")]
        raise StoreFailed(
            f"The data folder {folder} is in use by process {', '.join(pids)}; "
            "stop that server or choose another data folder."
        ) from error


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise StoreFailed(
            f"The log {path} was written by a newer Parola (schema {version}, this one knows "
            f"{len(MIGRATIONS)}); install that version or choose another data folder."
        )
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        db.execute("BEGIN IMMEDIATE")
        for statement in statements:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")


def _append(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        for entry in entries:
            _insert(db, entry)
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _insert(db: sqlite3.Connection, entry: Entry) -> None:
    """Add the entry, unless it is there.

    Raises:
        StoreFailed: its number is taken by another entry, or SQLite cannot hold it.
    """
    kind = "segment" if isinstance(entry.body, Segment) else "state"
    first_frame = entry.body.first_frame if isinstance(entry.body, Segment) else None
    body = encode(entry.body)
    row = (entry.room, entry.number, entry.at_ms, kind, entry.body.session, first_frame, body)
    try:
        added = db.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row
        ).rowcount
    except (UnicodeEncodeError, OverflowError) as error:
        raise StoreFailed(
            f"Entry {entry.number} of room {entry.room!r} cannot be kept ({error}); "
            "report this to Parola's makers."
        ) from error
    if added:
        return
    query = "SELECT number, at_ms, kind, body FROM entries WHERE room = ? AND number = ?"
    there = db.execute(query, (entry.room, entry.number)).fetchone()
    # Compared as written: older layouts of a body, and a confidence that is no number, are equal.
    if there and (there[1], encode(_entry(entry.room, *there).body)) != (entry.at_ms, body):
        raise StoreFailed(
            f"Entry {entry.number} of room {entry.room!r} is there with other content; "
            "see that only one server writes into the room."
        )


def encode(body: Segment | StateChange) -> str:
    """Return the body as JSON with every field, in the order of the class: stable, pure ASCII."""
    # ASCII, because text from outside may hold half a surrogate pair, which UTF-8 cannot.
    return json.dumps(asdict(body), separators=(",", ":"))


def decode(kind: str, text: str) -> Segment | StateChange:
    """Return the body that `encode` wrote; fields added since take their defaults.

    Raises:
        ValueError, TypeError, KeyError: this is nothing that `encode` wrote.
    """
    fields = json.loads(text)
    if kind == "state":
        return StateChange(**fields)
    words = tuple(Word(**word) for word in fields.pop("words"))
    return Segment(words=words, **fields)


def _entry(room: str, number: int, at_ms: int, kind: str, text: str) -> Entry:
    try:
        return Entry(room, number, at_ms, decode(kind, text))
    except (ValueError, TypeError, KeyError) as error:
        raise StoreFailed(
            f"Entry {number} of room {room!r} cannot be read ({error}); restore a backup."
        ) from error


def _name(summary: RoomSummary) -> str:
    return summary.room


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 where the error is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _explained(path: Path, error: sqlite3.Error) -> StoreFailed:
    remedy = _REMEDIES.get(_code(error), "the words in brackets may say more")
    return StoreFailed(f"The log {path} cannot be used: {remedy} ({error}).")
