"""Remembers which finals still have to be sent on, in the log's own file and transactions."""

import sqlite3
from collections.abc import Sequence

from parola.domain.corrections import Edits
from parola.domain.log import Edit, Entry
from parola.domain.transcript import Segment
from parola.ports import Outgoing, Refusal, Unsent
from parola.stores.bodies import entry_of
from parola.stores.news import News
from parola.stores.sqlite_archive import edits_of
from parola.stores.sqlite_file import Connection, transaction


def put(db: sqlite3.Connection, entry: Entry) -> None:
    """Put a final, or an edit of one, into the outbox in the transaction that logs it."""
    if isinstance(entry.body, Segment | Edit):
        key = (entry.room, entry.number)
        db.execute("INSERT INTO outbox (room, number) VALUES (?, ?)", key)


class SqliteOutbox(News):
    """An outbox in a SQLite file; made by `parola.stores.sqlite.open_sqlite`.

    It holds pointers of some 30 bytes into the log, so that its growth is the log's.
    """

    def __init__(self, writer: Connection, reader: Connection) -> None:
        super().__init__()
        self._writer = writer
        self._reader = reader

    async def waiting(self, limit: int) -> list[Outgoing]:
        """A line that was taken out of the log since is not sent: the log has the last word."""
        query = """
            SELECT ticket, said.room, said.number, said.at_ms, said.kind, said.body
            FROM outbox JOIN entries AS put USING (room, number)
            JOIN entries AS said ON said.room = put.room AND said.number =
                CASE put.kind WHEN 'segment' THEN put.number ELSE json_extract(put.body, '$.of') END
            WHERE refused IS NULL ORDER BY ticket LIMIT ?
        """

        def work(db: sqlite3.Connection) -> list[Outgoing]:
            edits: dict[str, Edits] = {}
            found = []
            for ticket, room, *row in db.execute(query, (limit,)):
                if room not in edits:
                    edits[room] = edits_of(db, room)
                entry = entry_of(room, *row)
                standing = edits[room].standing(entry.number)
                is_edited = standing.version != entry.number
                found.append(Outgoing(ticket, entry, standing if is_edited else None))
            return found

        return await self._reader.run(work)

    async def settle(self, sent: Sequence[int], refused: Sequence[Refusal]) -> None:
        """One transaction."""

        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.executemany("DELETE FROM outbox WHERE ticket = ?", [(t,) for t in sent])
                db.executemany(
                    "UPDATE outbox SET refused = ? WHERE ticket = ?",
                    [(refusal.reason, refusal.ticket) for refusal in refused],
                )

        await self._writer.run(work)

    async def unsent(self) -> Unsent:
        """Walks the outbox, which is short while sending works."""
        query = """
            SELECT count(*) FILTER (WHERE refused IS NULL),
                min(at_ms) FILTER (WHERE refused IS NULL),
                count(*) FILTER (WHERE refused IS NOT NULL)
            FROM outbox JOIN entries USING (room, number)
        """
        return await self._reader.run(lambda db: Unsent(*db.execute(query).fetchone()))
