"""Opens the one SQLite file of a data folder, and keeps what blocks off the loop."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

from parola.domain.cues import shown_text
from parola.domain.errors import StoreFailed

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
    ("CREATE TABLE room_settings (room TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",),
    # Finds where a session stands without reading the whole room.
    ("CREATE INDEX changes ON entries (room, session, number) WHERE kind = 'state'",),
    # Finds a room's edits likewise.
    (
        """
        CREATE INDEX edits ON entries (room, number)
        WHERE kind IN ('correction', 'strike', 'restore')
        """,
    ),
    # Points at what is to be sent on; the text stays in one place. AUTOINCREMENT: no ticket twice.
    (
        """
        CREATE TABLE outbox (
            ticket  INTEGER PRIMARY KEY AUTOINCREMENT,
            room    TEXT    NOT NULL,
            number  INTEGER NOT NULL,
            refused TEXT
        )
        """,
    ),
    # What `search` looks into; its text is the log's as it reads now. A migration is no edit: files
    # from before have none.
    (
        """
        CREATE TABLE said (
            id      INTEGER PRIMARY KEY,
            room    TEXT    NOT NULL,
            number  INTEGER NOT NULL,
            version INTEGER NOT NULL,
            text    TEXT    NOT NULL,
            UNIQUE (room, number)
        )
        """,
        """
        CREATE VIRTUAL TABLE said_words USING fts5 (
            text, content = 'said', content_rowid = 'id',
            tokenize = 'unicode61 remove_diacritics 2'
        )
        """,
        """
        CREATE TRIGGER said_new AFTER INSERT ON said BEGIN
            INSERT INTO said_words (rowid, text) VALUES (new.id, new.text);
        END
        """,
        """
        CREATE TRIGGER said_gone AFTER DELETE ON said BEGIN
            INSERT INTO said_words (said_words, rowid, text) VALUES ('delete', old.id, old.text);
        END
        """,
        """
        CREATE TRIGGER said_anew AFTER UPDATE ON said BEGIN
            INSERT INTO said_words (said_words, rowid, text) VALUES ('delete', old.id, old.text);
            INSERT INTO said_words (rowid, text) VALUES (new.id, new.text);
        END
        """,
        """
        INSERT INTO said (room, number, version, text)
        SELECT room, number, number, said_in(body) FROM entries WHERE kind = 'segment'
        """,
    ),
    # How lines sound, and which are still to be read; what was said before is not read.
    (
        """
        CREATE TABLE moods (
            room        TEXT    NOT NULL,
            number      INTEGER NOT NULL,
            session     TEXT    NOT NULL,
            first_frame INTEGER NOT NULL,
            score       REAL    NOT NULL,
            intent      TEXT    NOT NULL,
            read_by     TEXT    NOT NULL,
            PRIMARY KEY (room, number)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE unread (
            ticket  INTEGER PRIMARY KEY AUTOINCREMENT,
            room    TEXT    NOT NULL,
            number  INTEGER NOT NULL
        )
        """,
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


class Connection:
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


def open_to_write(folder: Path, stack: ExitStack) -> sqlite3.Connection:
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


def open_to_read(folder: Path, stack: ExitStack) -> sqlite3.Connection:
    """Open the folder's log for reading only; a server may be writing to it."""
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
    # JSON may hold half a surrogate pair, which SQLite's own functions make invalid text of.
    db.create_function("said_in", 1, lambda body: shown_text(str(json.loads(body)["text"])))
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        db.execute("BEGIN IMMEDIATE")
        for statement in statements:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 where the error is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _explained(path: Path, error: sqlite3.Error) -> StoreFailed:
    remedy = _REMEDIES.get(_code(error), "the words in brackets may say more")
    return StoreFailed(f"The log {path} cannot be used: {remedy} ({error}).")
