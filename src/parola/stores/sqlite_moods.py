"""Keeps how lines sound, in the log's own file, and which lines are still to be read."""

import sqlite3
from collections.abc import Sequence

from parola.domain.corrections import Edits
from parola.domain.log import Edit, Entry
from parola.domain.mood import LineMood, newest_conversation
from parola.domain.transcript import Segment
from parola.ports import Unread
from parola.stores.bodies import entry_of
from parola.stores.news import News
from parola.stores.sqlite_archive import edits_of
from parola.stores.sqlite_file import Connection, transaction

MOST = 5000
"""Lines of a talk that are told of, the newest: some ten hours."""


def put_unread(db: sqlite3.Connection, entry: Entry) -> None:
    """Note that a line is to be read, or read anew, in the transaction that logs it."""
    if isinstance(entry.body, Segment | Edit):
        number = entry.number if isinstance(entry.body, Segment) else entry.body.of
        db.execute("INSERT INTO unread (room, number) VALUES (?, ?)", (entry.room, number))


class SqliteMoods(News):
    """A mood book in a SQLite file; made by `parola.stores.sqlite.open_sqlite`."""

    def __init__(self, writer: Connection, reader: Connection) -> None:
        super().__init__()
        self._writer = writer
        self._reader = reader

    async def unread(self, limit: int) -> list[Unread]:
        """The newest first: who looks now wants to see now."""
        return await self._reader.run(lambda db: _unread(db, limit))

    async def settle(self, lines: Sequence[Unread], moods: Sequence[LineMood]) -> None:
        """One transaction. A line that was edited meanwhile has another ticket, and waits on."""

        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                for line in lines:
                    key = (line.room, line.number)
                    db.execute("DELETE FROM moods WHERE room = ? AND number = ?", key)
                    db.execute("DELETE FROM unread WHERE ticket = ?", (line.ticket,))
                # A talk may have been deleted meanwhile: nothing of it is kept. One line may have
                # had two tickets in this batch: both read the same text.
                db.executemany(
                    """
                    INSERT OR REPLACE INTO moods
                        (room, number, session, first_frame, score, intent, read_by)
                    SELECT room, number, ?, ?, ?, ?, ? FROM entries WHERE room = ? AND number = ?
                    """,
                    [
                        (m.session, m.first_frame, m.score, m.intent, m.read_by, m.room, m.number)
                        for m in moods
                    ],
                )

        await self._writer.run(work)

    async def moods(self, room: str, session: str | None = None) -> list[LineMood]:
        """Walks the room's newest lines."""
        query = """
            SELECT moods.room, number, moods.session, at_ms, moods.first_frame, score, intent,
                read_by
            FROM moods JOIN entries USING (room, number)
            WHERE room = ? AND (? IS NULL OR moods.session = ?) ORDER BY number DESC LIMIT ?
        """

        def work(db: sqlite3.Connection) -> list[LineMood]:
            rows = db.execute(query, (room, session, session, MOST)).fetchall()
            return [LineMood(*row) for row in reversed(rows)]

        found = await self._reader.run(work)
        return found if session is not None else list(newest_conversation(found))


def _unread(db: sqlite3.Connection, limit: int) -> list[Unread]:
    query = """
        SELECT ticket, room, number, at_ms, kind, body FROM unread LEFT JOIN entries
        USING (room, number) ORDER BY ticket DESC LIMIT ?
    """
    edits: dict[str, Edits] = {}
    found: list[Unread] = []
    for ticket, room, number, *rest in db.execute(query, (limit,)):
        if room not in edits:
            edits[room] = edits_of(db, room)
        now = edits[room].read(entry_of(room, number, *rest)) if rest[0] is not None else None
        segment = now.body if now and isinstance(now.body, Segment) else None
        found.append(Unread(ticket, room, number, rest[0] or 0, segment))
    return found
