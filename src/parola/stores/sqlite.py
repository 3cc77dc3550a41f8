"""Keeps logs in one SQLite file, on one machine.

What is promised: once `append` has returned, the entries survive a crash of the process
(`kill -9`) and, on a disk that keeps what it says it has written, a power cut. Each append is
one transaction that ends in one fsync of the write-ahead log (`synchronous=FULL`).
"""

import sqlite3
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from parola.domain.errors import StoreFailed
from parola.domain.log import (
    BEGIN_AND_END,
    Entry,
    RoomSummary,
    SessionPast,
    StateChange,
    Switch,
    switch_in,
)
from parola.domain.search import Phrase
from parola.domain.talks import Talk
from parola.domain.transcript import Segment
from parola.ports import Forgotten
from parola.stores import sqlite_archive, sqlite_forgetting
from parola.stores.bodies import encode, entry_of, kind_of
from parola.stores.sqlite_file import (
    LOG_FILE,
    Connection,
    open_to_read,
    open_to_write,
    transaction,
)
from parola.stores.sqlite_hold import held
from parola.stores.sqlite_moods import SqliteMoods, put_unread
from parola.stores.sqlite_outbox import SqliteOutbox, put
from parola.stores.sqlite_room_book import SqliteRoomBook


@dataclass(frozen=True, slots=True)
class SqliteStores:
    """What one data folder holds."""

    log: "SqliteLog"
    book: SqliteRoomBook
    outbox: SqliteOutbox
    moods: SqliteMoods


@asynccontextmanager
async def open_sqlite(
    folder: Path, *, ships: bool = False, reads: bool = False, wait_s: float = 0.0
) -> AsyncIterator[SqliteStores]:
    """Open what a data folder holds, making the folder and the file where they are not there.

    One process at a time holds a data folder; the system frees it when that process dies.

    Args:
        folder: where the files are.
        ships: whether each final that is appended goes into the outbox too.
        reads: whether each is also to be read for how it sounds.
        wait_s: how long to wait for another process that holds the folder.

    Raises:
        StoreFailed: another process holds the folder, a newer Parola wrote the file, or it
            cannot be opened; the message says which, and what to do.
    """
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(held(folder, wait_s))
        writer = Connection(folder / LOG_FILE)
        stack.push_async_callback(writer.close)
        await writer.open(lambda held: open_to_write(folder, held))
        reader = Connection(folder / LOG_FILE)
        stack.push_async_callback(reader.close)
        await reader.open(lambda held: open_to_read(folder, held))
        outbox = SqliteOutbox(writer, reader)
        moods = SqliteMoods(writer, reader)
        log = SqliteLog(writer, reader, outbox if ships else None, moods if reads else None)
        yield SqliteStores(log, SqliteRoomBook(writer, reader), outbox, moods)


@asynccontextmanager
async def open_sqlite_log(folder: Path) -> AsyncIterator["SqliteLog"]:
    """Open only the log of a data folder, as `open_sqlite` does."""
    async with open_sqlite(folder) as stores:
        yield stores.log


@asynccontextmanager
async def open_sqlite_log_to_read(folder: Path) -> AsyncIterator["SqliteLog"]:
    """Open the log in a data folder for reading only; a server may be writing to it.

    Appending to it is a StoreFailed.

    Raises:
        StoreFailed: there is no log, or it cannot be opened.
    """
    reader = Connection(folder / LOG_FILE)
    try:
        await reader.open(lambda held: open_to_read(folder, held))
        yield SqliteLog(reader, reader)
    finally:
        await reader.close()


class SqliteLog:
    """A log in a SQLite file; made by `open_sqlite`.

    Reads have a connection and a thread of their own, so a slow write delays no reader.
    """

    def __init__(
        self,
        writer: Connection,
        reader: Connection,
        outbox: SqliteOutbox | None = None,
        moods: SqliteMoods | None = None,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._outbox = outbox
        self._moods = moods

    async def append(self, entries: Sequence[Entry]) -> None:
        """One transaction. Cancelled, it may still be kept: trying again is safe."""
        if not entries:
            return
        ships, reads = self._outbox is not None, self._moods is not None
        await self._writer.run(lambda db: _append(db, entries, ships=ships, reads=reads))
        for told in (self._outbox, self._moods):
            if told:
                told.tell()

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Sees what was durable when it was called."""
        query = """
            SELECT number, at_ms, kind, body FROM entries
            WHERE room = ? AND number > ? ORDER BY number LIMIT ?
        """
        return await self._reader.run(
            lambda db: [
                entry_of(room, *row) for row in db.execute(query, (room, after, max(limit, 0)))
            ]
        )

    async def edits(self, room: str) -> list[Entry]:
        """Looks into an index of its own: what a room costs is what was edited in it."""
        query = """
            SELECT number, at_ms, kind, body FROM entries
            WHERE room = ? AND kind IN ('correction', 'strike', 'restore') ORDER BY number
        """
        return await self._reader.run(
            lambda db: [entry_of(room, *row) for row in db.execute(query, (room,))]
        )

    async def search(
        self, phrases: Sequence[Phrase], room: str | None = None, limit: int = 50
    ) -> list[Entry]:
        """One look into the index of words."""
        if not phrases:
            return []
        return await self._reader.run(
            lambda db: sqlite_archive.search(db, list(phrases), room, max(limit, 0))
        )

    async def talks(self) -> list[Talk]:
        """Reads every state change; counts finals in their index."""
        return await self._reader.run(sqlite_archive.talks)

    async def last_number(self, room: str) -> int:
        """Two looks into indexes: what was taken out of the log counts too."""
        query = """
            SELECT max(
                (SELECT coalesce(max(number), 0) FROM entries WHERE room = ?1),
                (SELECT coalesce(max(number), 0) FROM forgotten WHERE room = ?1)
            )
        """
        return await self._reader.run(lambda db: int(db.execute(query, (room,)).fetchone()[0]))

    async def past(self, room: str, session: str) -> SessionPast:
        """Two looks into the indexes of a session's segments and changes."""
        return await self._reader.run(lambda db: _past(db, room, session))

    async def forget(self, before_ms: int, spare: Collection[str] = ()) -> Forgotten:
        """Rewrites the file, which takes about as long as copying it; appends wait, reads do not.

        It leaves no byte of what it takes out in any file of the folder.
        """
        gone = await self._writer.run(lambda db: sqlite_forgetting.forget(db, before_ms, spare))
        try:
            await self._writer.run(sqlite_forgetting.scrub)
        except StoreFailed as error:
            return replace(gone, left=error.message)
        return gone

    async def newest_switch(self, room: str) -> Entry | None:
        """Walks the room's changes, the newest first."""
        query = """
            SELECT number, at_ms, kind, body FROM entries
            WHERE room = ? AND kind = 'state' AND body LIKE '{"change":"o%_record"%'
            ORDER BY number DESC LIMIT 1
        """

        def work(db: sqlite3.Connection) -> Entry | None:
            row = db.execute(query, (room,)).fetchone()
            return entry_of(room, *row) if row else None

        return await self._reader.run(work)

    async def rooms(self) -> list[RoomSummary]:
        """Walks the index of times: some 0.1 s for a million entries."""
        query = "SELECT room, count(*), min(at_ms), max(at_ms) FROM entries GROUP BY room"
        return await self._reader.run(
            lambda db: sorted((RoomSummary(*row) for row in db.execute(query)), key=_name)
        )


def _append(db: sqlite3.Connection, entries: Sequence[Entry], *, ships: bool, reads: bool) -> None:
    with transaction(db):
        for entry in entries:
            if not insert(db, entry):
                continue
            if ships:
                put(db, entry)
            if reads:
                put_unread(db, entry)


def insert(db: sqlite3.Connection, entry: Entry) -> bool:
    """Add the entry, unless it is there; return whether it was added.

    Raises:
        StoreFailed: its number is taken by another entry, or SQLite cannot hold it.
    """
    kind = kind_of(entry.body)
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
        sqlite_archive.note(db, entry)
        return True
    query = "SELECT number, at_ms, kind, body FROM entries WHERE room = ? AND number = ?"
    there = db.execute(query, (entry.room, entry.number)).fetchone()
    # Compared as written: older layouts of a body, and a confidence that is no number, are equal.
    if there and (there[1], encode(entry_of(entry.room, *there).body)) != (entry.at_ms, body):
        raise StoreFailed(
            f"Entry {entry.number} of room {entry.room!r} is there with other content; "
            "see that only one server writes into the room."
        )
    return False


def _past(db: sqlite3.Connection, room: str, session: str) -> SessionPast:
    newest = """
        SELECT number, at_ms, kind, body FROM entries
        WHERE room = ? AND session = ? AND kind = 'segment' ORDER BY first_frame DESC LIMIT 1
    """
    changes = """
        SELECT number, at_ms, kind, body FROM entries
        WHERE room = ? AND session = ? AND kind = 'state' ORDER BY number DESC
    """
    segments, end_frame, is_open = 0, 0, None
    switches: list[Switch] = []
    for row in db.execute(newest, (room, session)):
        body = entry_of(room, *row).body
        if isinstance(body, Segment):
            segments, end_frame = body.number, body.end_frame
    for row in db.execute(changes, (room, session)):
        entry = entry_of(room, *row)
        body = entry.body
        if switch := switch_in(entry):
            switches.insert(0, switch)
        elif is_open is None and isinstance(body, StateChange) and body.change in BEGIN_AND_END:
            is_open = body.change == "session_started"
    return SessionPast(segments, end_frame, bool(is_open), tuple(switches))


def _name(summary: RoomSummary) -> str:
    return summary.room
