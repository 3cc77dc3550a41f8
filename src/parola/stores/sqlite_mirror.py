"""A copy of logs that are kept elsewhere, to search in; made anew whenever in doubt.

It is the log's SQLite file by another name, with the index of words that `parola.stores.sqlite` has
too, and with how far each room has been copied. Nothing is lost with it, so it waits for no disk.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from parola.domain.errors import StoreFailed
from parola.domain.log import Entry
from parola.domain.search import Phrase
from parola.domain.talks import Talk
from parola.ports import Forgotten
from parola.stores.bodies import encode, entry_of
from parola.stores.sqlite import SqliteLog, insert
from parola.stores.sqlite_file import BUSY_S, Connection, code_of, transaction
from parola.stores.sqlite_forgetting import forget_all_but, note_traces, scrub
from parola.stores.sqlite_schema import MIGRATIONS, bring_up

MIRROR_FILE = "mirror.sqlite3"

FORMAT = 1
"""Of the tables here; a file of another format, or of another schema of the log, is thrown away."""

DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

SCHEMA = (
    """
    CREATE TABLE followed (
        room TEXT PRIMARY KEY, number INTEGER NOT NULL, pruned INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    # Which keeper's logs these are, in one row.
    "CREATE TABLE source (name TEXT NOT NULL)",
    "INSERT INTO source VALUES ('')",
    f"PRAGMA application_id = {FORMAT}",
)

Row = tuple[int, int, str, str]
"""An entry as it lies there: number, time in milliseconds, kind, body."""


@dataclass(frozen=True, slots=True)
class Followed:
    """How far a room has been copied."""

    number: int = 0
    pruned: int = 0
    """How often something had been taken out of the room by then."""


@asynccontextmanager
async def open_mirror(folder: Path) -> AsyncIterator["Mirror"]:
    """Open the copy in a data folder that this process holds; an empty one where it is unusable.

    Raises:
        StoreFailed: it cannot be opened.
    """
    path = folder / MIRROR_FILE
    await asyncio.to_thread(_throw_away_if_unusable, path)
    writer, reader = Connection(path), Connection(path)
    try:
        await writer.open(lambda held: _open(path, held))
        await reader.open(lambda held: _connected(path, held))
        yield Mirror(path, writer, reader)
    finally:
        await reader.close()
        await writer.close()


class Mirror:
    """The copy; made by `open_mirror`. One task at a time changes it."""

    def __init__(self, path: Path, writer: Connection, reader: Connection) -> None:
        self._path = path
        self._writer = writer
        self._log = SqliteLog(writer, reader)

    async def begin(self, source: str) -> dict[str, Followed]:
        """Return how far each room of a keeper has been copied; another one's are thrown away."""
        with self._explained():
            return await self._writer.run(lambda db: _begin(db, source))

    async def take(self, room: str, after: int, rows: Sequence[Row], reached: Followed) -> bool:
        """Copy what follows an entry; return False where this is another log than before.

        Args:
            room: the room.
            after: the number of the newest entry that was copied.
            rows: the room's log from that entry on, that one included if it is still there.
            reached: how far the room has been copied with them.
        """
        with self._explained():
            return await self._writer.run(lambda db: _take(db, room, after, rows, reached))

    async def talks_without(self, room: str, until: int, stays: Collection[int]) -> Forgotten:
        """Return what would be gone with all of a room's entries up to a number but for some.

        A talk of which any line stays is not among the talks.
        """

        def work(db: sqlite3.Connection) -> Forgotten:
            query = "SELECT number, session FROM entries WHERE room = ? AND number <= ?"
            rows = db.execute(query, (room, until)).fetchall()
            kept = {session for number, session in rows if number in stays}
            gone = [session for number, session in rows if number not in stays]
            talks = frozenset((room, session) for session in {*gone} - kept - {""})
            return Forgotten(talks, len(gone))

        with self._explained():
            return await self._writer.run(work)

    async def forget_all_but(self, room: str, until: Followed, stays: Collection[int]) -> None:
        """Take out of a room's copy what is not there any more, as far as it was copied."""

        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                forget_all_but(db, room, until.number, stays)
                _note(db, room, until)

        with self._explained():
            await self._writer.run(work)

    async def drop(self, rooms: Collection[str]) -> None:
        """Take out all of some rooms."""

        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                for room in rooms:
                    _drop(db, room)

        with self._explained():
            await self._writer.run(work)

    async def scrub(self) -> None:
        """Leave no byte of what was taken out in the file.

        Raises:
            StoreFailed: another program reads it; trying again is safe.
        """
        with self._explained():
            await self._writer.run(scrub)

    async def search(self, phrases: Sequence[Phrase], room: str | None, limit: int) -> list[Entry]:
        """Search as in a log that is here."""
        with self._explained():
            return await self._log.search(phrases, room, limit)

    async def talks(self) -> list[Talk]:
        """List the talks as of a log that is here."""
        with self._explained():
            return await self._log.talks()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say of a damaged file that it may go: advice for logs would be wrong."""
        try:
            yield
        except StoreFailed as error:
            cause = error.__cause__
            if isinstance(cause, sqlite3.Error) and code_of(cause) in DAMAGED:
                raise StoreFailed(
                    f"The index {self._path} is damaged ({cause}); stop this node, delete the"
                    " file and start again: it is made anew, and nothing is lost."
                ) from error
            raise


def _begin(db: sqlite3.Connection, source: str) -> dict[str, Followed]:
    with transaction(db):
        (before,) = db.execute("SELECT name FROM source").fetchone()
        if before != source:
            for table in ("entries", "said", "forgotten", "followed"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
            note_traces(db)
            db.execute("UPDATE source SET name = ?", (source,))
        rows = db.execute("SELECT room, number, pruned FROM followed")
        return {room: Followed(number, pruned) for room, number, pruned in rows}


def _take(
    db: sqlite3.Connection, room: str, after: int, rows: Sequence[Row], reached: Followed
) -> bool:
    entries = [entry_of(room, *row) for row in rows]
    first = entries[0] if entries else None
    query = "SELECT number, at_ms, body FROM entries WHERE room = ? AND number = ?"
    known = db.execute(query, (room, after)).fetchone()
    if known and (not first or known != (first.number, first.at_ms, encode(first.body))):
        return False
    with transaction(db):
        for entry in entries:
            insert(db, entry)
        _note(db, room, reached)
    return True


def _note(db: sqlite3.Connection, room: str, reached: Followed) -> None:
    db.execute(
        "INSERT INTO followed VALUES (?, ?, ?)"
        " ON CONFLICT (room) DO UPDATE SET number = excluded.number, pruned = excluded.pruned",
        (room, reached.number, reached.pruned),
    )


def _drop(db: sqlite3.Connection, room: str) -> None:
    (last,) = db.execute("SELECT max(number) FROM entries WHERE room = ?", (room,)).fetchone()
    forget_all_but(db, room, last or 0, ())
    db.execute("DELETE FROM followed WHERE room = ?", (room,))


def _open(path: Path, held: ExitStack) -> sqlite3.Connection:
    db = _connected(path, held)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA secure_delete = ON")
    if not db.execute("PRAGMA user_version").fetchone()[0]:
        bring_up(db, path)
        for statement in SCHEMA:
            db.execute(statement)
    return db


def _connected(path: Path, held: ExitStack) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    held.enter_context(closing(db))
    return db


def _throw_away_if_unusable(path: Path) -> None:
    if path.exists() and not _is_usable(path):
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)


def _is_usable(path: Path) -> bool:
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path, timeout=BUSY_S)) as db:
        versions = [
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("user_version", "application_id")
        ]
        return versions == [len(MIGRATIONS), FORMAT]
    return False
