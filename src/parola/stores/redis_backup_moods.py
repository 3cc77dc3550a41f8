"""Brings how lines sound into a broker's backup, and from a backup onto a broker."""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parola.broker import broker_errors, room_key
from parola.domain.mood import LineMood
from parola.stores.redis_moods import decode, encode
from parola.stores.redis_tickets import COUNT, MOODS, UNREAD, Ticket, line_key
from parola.stores.sqlite_file import transaction

if TYPE_CHECKING:
    from redis.asyncio import Redis

PAGE = 500
"""Moods that are written at once."""


async def copy_moods(client: "Redis", path: Path, counted: Mapping[str, int]) -> None:
    """Write into a log's file what is known of its lines, and which are still to be read.

    Args:
        client: the broker.
        path: the file, which has the lines already.
        counted: for each room the last number that is in the file; what came since is left out.

    Raises:
        StoreFailed: the broker cannot be read.
    """
    with broker_errors():
        waiting: Any = await client.zrange(UNREAD, 0, -1, withscores=True)
    unread = [(ticket.room, ticket.line) for ticket in (Ticket.of(*row) for row in waiting)]
    kept = [line for line in unread if line[1] <= counted.get(line[0], 0)]
    await asyncio.to_thread(_write_unread, path, kept)
    for room, last in counted.items():
        with broker_errors():
            rows: Any = await client.zrangebyscore(room_key(room, MOODS), 0, last)
        await asyncio.to_thread(_write_moods, path, [decode(room, row) for row in rows])


async def fill_moods(client: "Redis", path: Path) -> None:
    """Bring the same onto a broker that has the file's lines.

    Raises:
        StoreFailed: the broker fails half-way.
    """
    moods, unread = await asyncio.to_thread(_read, path)
    for begin in range(0, len(moods), PAGE):
        with broker_errors():
            async with client.pipeline(transaction=False) as pipe:
                for mood in moods[begin : begin + PAGE]:
                    pipe.zadd(room_key(mood.room, MOODS), {encode(mood): mood.number})
                await pipe.execute()
    if not unread:
        return
    with broker_errors():
        given: Any = await client.incrby(COUNT, len(unread))
        tickets = enumerate(unread, start=given - len(unread) + 1)
        await client.zadd(UNREAD, {line_key(*line): ticket for ticket, line in tickets})


def _write_unread(path: Path, lines: list[tuple[str, int]]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db, transaction(db):
        db.executemany("INSERT INTO unread (room, number) VALUES (?, ?)", lines)


def _write_moods(path: Path, moods: list[LineMood]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db, transaction(db):
        db.executemany(
            "INSERT INTO moods VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (m.room, m.number, m.session, m.first_frame, m.score, m.intent, m.read_by)
                for m in moods
            ],
        )


def _read(path: Path) -> tuple[list[LineMood], list[tuple[str, int]]]:
    query = """
        SELECT moods.room, number, moods.session, at_ms, moods.first_frame, score, intent, read_by
        FROM moods JOIN entries USING (room, number)
    """
    with closing(sqlite3.connect(path)) as db:
        moods = [LineMood(*row) for row in db.execute(query)]
        return moods, db.execute("SELECT room, number FROM unread ORDER BY ticket").fetchall()
