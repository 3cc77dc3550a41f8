"""Remembers which finals still have to be sent on, in the log's own file and transactions."""

import asyncio
import sqlite3
from collections.abc import Sequence

from parola.domain.log import Entry
from parola.ports import Outgoing, Refusal, Unsent
from parola.stores.bodies import entry_of
from parola.stores.sqlite_file import Connection, transaction


def put(db: sqlite3.Connection, entry: Entry) -> None:
    """Put an entry that the log has just taken into the outbox, in the same transaction."""
    db.execute("INSERT INTO outbox (room, number) VALUES (?, ?)", (entry.room, entry.number))


class SqliteOutbox:
    """An outbox in a SQLite file; made by `parola.stores.sqlite.open_sqlite`.

    It holds pointers of some 30 bytes into the log, so that its growth is the log's.
    """

    def __init__(self, writer: Connection, reader: Connection) -> None:
        self._writer = writer
        self._reader = reader
        self.has_news = asyncio.Event()
        """Set by the log after each append; what was left by an earlier process is news too."""
        self.has_news.set()

    async def news(self) -> None:
        await self.has_news.wait()
        self.has_news.clear()

    async def waiting(self, limit: int) -> list[Outgoing]:
        """A line that was taken out of the log since is not sent: the log has the last word."""
        query = """
            SELECT ticket, room, number, at_ms, kind, body FROM outbox JOIN entries
            USING (room, number) WHERE refused IS NULL ORDER BY ticket LIMIT ?
        """
        return await self._reader.run(
            lambda db: [
                Outgoing(ticket, entry_of(*row)) for ticket, *row in db.execute(query, (limit,))
            ]
        )

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
