"""Takes old talks out of a log for good: out of its tables, its index of words, and its bytes.

Deleting a row leaves its bytes in three places: in the file's free space, in the index of words,
which only notes what is gone, and in the write-ahead log. So the index is built anew, the file is
rewritten, and the write-ahead log emptied. Source: SQLite, "PRAGMA secure_delete", "VACUUM",
"FTS5" 6.8.
"""

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from parola.domain.errors import StoreFailed
from parola.ports import Forgotten
from parola.stores.sqlite_file import transaction
from parola.stores.sqlite_schema import copies

UNSCRUBBED = ""
"""Stands among the rooms, whose names are never empty, while bytes may be left over."""


def forget(db: sqlite3.Connection, before_ms: int, spare: Collection[str]) -> Forgotten:
    """Take out every talk whose newest line is older, in one transaction.

    What stays: each room's newest word on or off the record, and how far it has counted.
    """
    with transaction(db):
        _begin(db)
        _choose(db, before_ms, spare)
        return _take_out(db)


def forget_all_but(db: sqlite3.Connection, room: str, until: int, stays: Iterable[int]) -> None:
    """Take out a room's entries up to a number, but for some; part of the caller's transaction."""
    _begin(db)
    db.execute(
        "INSERT INTO doomed SELECT room, number, session FROM entries"
        " WHERE room = ? AND number <= ?",
        (room, until),
    )
    db.executemany("DELETE FROM doomed WHERE number = ?", ((number,) for number in stays))
    _take_out(db)


def scrub(db: sqlite3.Connection) -> None:
    """Leave no byte of what was taken out, now or before a crash.

    Raises:
        StoreFailed: another program reads the file; it is taken up again the next time.
    """
    if not db.execute("SELECT 1 FROM forgotten WHERE room = ?", (UNSCRUBBED,)).fetchone():
        return
    path = Path(str(db.execute("PRAGMA database_list").fetchone()[2]))
    for copy in copies(path):
        copy.unlink()
    db.execute("INSERT INTO said_words (said_words) VALUES ('rebuild')")
    db.execute("VACUUM")
    if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise StoreFailed(
            "Talks were deleted, but traces of them stay in the log's files while another program"
            " reads them; end that program and prune again."
        )
    db.execute("DELETE FROM forgotten WHERE room = ?", (UNSCRUBBED,)).fetchone()


def _begin(db: sqlite3.Connection) -> None:
    """Make a list of what goes, or an empty one: a connection's own table, which holds no text."""
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS doomed"
        " (room TEXT, number INTEGER, session TEXT, PRIMARY KEY (number, room))"
    )
    db.execute("DELETE FROM doomed")


def _take_out(db: sqlite3.Connection) -> Forgotten:
    talks = db.execute("SELECT DISTINCT room, session FROM doomed WHERE session <> ''")
    gone = frozenset((room, session) for room, session in talks)
    db.execute("""
        INSERT INTO forgotten SELECT room, max(number) FROM entries
        WHERE room IN (SELECT room FROM doomed) GROUP BY room
        ON CONFLICT (room) DO UPDATE SET number = max(number, excluded.number)
    """)
    lines = db.execute("""
        DELETE FROM entries WHERE (room, number) IN (SELECT room, number FROM doomed)
    """).rowcount
    if lines:
        _forget_beside(db)
    return Forgotten(gone, lines)


def _choose(db: sqlite3.Connection, before_ms: int, spare: Collection[str]) -> None:
    """Write down which entries go."""
    db.execute(
        """
        INSERT INTO doomed SELECT room, number, session FROM entries
        WHERE (room, session) IN (
            SELECT room, session FROM entries WHERE session <> ''
            GROUP BY room, session HAVING max(at_ms) < :before_ms
        ) OR (session = '' AND at_ms < :before_ms)
        """,
        {"before_ms": before_ms},
    )
    db.executemany("DELETE FROM doomed WHERE session = ?", [(session,) for session in spare])
    db.execute("""
        DELETE FROM doomed WHERE (room, number) IN (
            SELECT room, max(number) FROM entries
            WHERE kind = 'state' AND body LIKE '{"change":"o%_record"%' GROUP BY room
        )
    """)


def _forget_beside(db: sqlite3.Connection) -> None:
    """Take out what hangs on entries that are gone."""
    for table in ("said", "outbox", "moods", "unread"):
        db.execute(
            f"DELETE FROM {table} WHERE (room, number) IN (SELECT room, number FROM doomed)"  # noqa: S608 - our own words
        )
    note_traces(db)


def note_traces(db: sqlite3.Connection) -> None:
    """Note that bytes of what was taken out may be left, for `scrub`."""
    with suppress(sqlite3.IntegrityError):
        db.execute("INSERT INTO forgotten VALUES (?, 1)", (UNSCRUBBED,))
