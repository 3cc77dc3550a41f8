"""Opens the one SQLite file of a data folder, and keeps what blocks off the loop."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TypeVar

from parola.domain.errors import StoreFailed
from parola.stores.folders import sync_folder
from parola.stores.sqlite_schema import bring_up

LOG_FILE = "log.sqlite3"

BUSY_S = 5.0
"""How long to wait while another program (a backup, a shell) holds the file."""

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


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Keep all that the body writes, or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


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
            raise explained(self._path, error) from error


def open_to_write(folder: Path, stack: ExitStack) -> sqlite3.Connection:
    """Open the log of a folder that this process holds, and bring it to the newest schema."""
    path = folder / LOG_FILE
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    stack.enter_context(closing(db))
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA fullfsync = ON")  # macOS: a plain fsync stops at the disk's own cache
    db.execute("PRAGMA secure_delete = ON")  # what was taken out is no byte of the file any more
    bring_up(db, path)
    sync_folder(folder)
    return db


def open_to_read(folder: Path, stack: ExitStack) -> sqlite3.Connection:
    """Open the folder's log for reading only; a server may be writing to it."""
    uri = (folder / LOG_FILE).resolve().as_uri() + "?mode=ro"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    stack.enter_context(closing(db))
    return db


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 where the error is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def explained(path: Path, error: sqlite3.Error) -> StoreFailed:
    """Return what SQLite said of a file, with what to do about it."""
    remedy = _REMEDIES.get(code_of(error), "the words in brackets may say more")
    return StoreFailed(f"The log {path} cannot be used: {remedy} ({error}).")
