"""Brings what nodes share on a broker into a backup, and a backup onto a broker.

The file is that of a single node (`parola.stores.sqlite_backup`), so either kind of server can be
filled from the other's. What goes on meanwhile does not matter: of each room the file has what was
there when its last line was read.
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from parola.broker import broker_errors, room_key
from parola.domain.access import AuditEntry
from parola.domain.errors import NotFound, StoreFailed
from parola.stores import sqlite_backup
from parola.stores.redis_backup_moods import copy_moods, fill_moods
from parola.stores.redis_books import SETTINGS, RedisAccessBook
from parola.stores.redis_log import ROOMS, RedisLog
from parola.stores.redis_tickets import COUNT, OUTBOX, REFUSED, Ticket, line_key
from parola.stores.sqlite import SqliteLog, open_sqlite_log
from parola.stores.sqlite_access import ACCESS_FILE, MAX_AUDIT, open_sqlite_access
from parola.stores.sqlite_backup import Backup
from parola.stores.sqlite_file import LOG_FILE, transaction

if TYPE_CHECKING:
    from redis.asyncio import Redis

RESTORING = "parola:restoring"
"""Is there while a backup is brought onto a broker; where it stays, that was broken off."""

PAGE = 500
"""Entries that are read and written at once."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What there is beside the rooms' entries."""

    counted: tuple[tuple[str, int], ...]
    """How far each room has counted, whatever was taken out of it."""

    settings: tuple[tuple[str, str], ...]
    """Rooms, and what is set for them as it is written."""

    outbox: tuple[tuple[str, int, str | None], ...]
    """Lines that are still to be sent on, the oldest first, and why some are not taken."""


async def back_up_broker(client: "Redis", file: Path, *, with_access: bool = True) -> Backup:
    """Copy what a broker holds into a new file that only its owner can read.

    Raises:
        NotFound: it holds nothing of Parola's.
        StoreFailed: it cannot be read.
        FileExistsError: the file is there already; it was not touched.
        OSError: the file cannot be written; nothing of it is left.
    """
    await refuse_if_restoring(client)
    if not await _holds_something(client):
        raise NotFound("There is nothing of Parola's on this broker; look at its address.")
    with TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as place:
        folder = Path(place)
        counted = await _copy_logs(client, folder)
        there = await _read_beside(client, counted)
        await asyncio.to_thread(_write_beside, folder / LOG_FILE, there)
        await copy_moods(client, folder / LOG_FILE, counted)
        if with_access:
            await _copy_access(client, folder)
        return await asyncio.to_thread(sqlite_backup.back_up, folder, file, with_access=with_access)


async def restore_to_broker(client: "Redis", file: Path) -> Backup:
    """Copy a backup onto a broker that holds nothing of Parola's yet.

    Raises:
        NotFound: there is no such file.
        BadMessage: it is no backup.
        StoreFailed: the broker holds something, the backup is damaged, or a newer Parola wrote it:
            nothing was changed. Or the broker fails half-way, and has to be emptied.
        OSError: there is no room for a copy beside the file.
    """
    with TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as place:
        folder = Path(place)
        backup = await asyncio.to_thread(sqlite_backup.restore, file, folder)
        await _begin(client)
        async with open_sqlite_log(folder) as log:
            await _fill_logs(client, log)
        await _fill_beside(client, await asyncio.to_thread(_beside_in, folder / LOG_FILE))
        await fill_moods(client, folder / LOG_FILE)
        if backup.has_access:
            await _fill_access(client, folder)
        with broker_errors():
            await client.delete(RESTORING)
    return backup


async def refuse_if_restoring(client: "Redis") -> None:
    """Do nothing, unless the broker holds a part of a backup.

    Raises:
        StoreFailed: it does, or cannot be asked.
    """
    with broker_errors():
        is_restoring: Any = await client.exists(RESTORING)
    if is_restoring:
        raise StoreFailed(
            "A backup is being brought onto this broker, or that was broken off: wait for it, or"
            " empty the broker (redis-cli FLUSHDB) and begin again."
        )


async def _begin(client: "Redis") -> None:
    """Put up the sign, on a broker that holds nothing."""
    await refuse_if_restoring(client)
    if await _holds_something(client):
        raise StoreFailed(
            "This broker holds something of Parola's already, and nothing is overwritten; stop"
            " the nodes and empty it (redis-cli FLUSHDB), or name another one, such as another"
            " number at the end of its address."
        )
    with broker_errors():
        await client.set(RESTORING, 1)


async def _holds_something(client: "Redis") -> bool:
    with broker_errors():
        async for _ in client.scan_iter(match="parola:*", count=1000):
            return True
    return False


async def _copy_logs(client: "Redis", folder: Path) -> dict[str, int]:
    """Copy every room's log, and return how far each has counted."""
    source, counted = RedisLog(client), dict[str, int]()
    with broker_errors():
        members: Any = await client.smembers(ROOMS)
    async with open_sqlite_log(folder) as log:
        for room in sorted(member.decode() for member in members):
            at = 0
            while entries := await source.read(room, at, PAGE):
                await log.append(entries)
                at = entries[-1].number
            counted[room] = max(at, await source.last_number(room))
    return counted


async def _read_beside(client: "Redis", counted: Mapping[str, int]) -> Beside:
    """Read the rest. The outbox after the logs: what is sent twice is better than not at all."""
    with broker_errors():
        async with client.pipeline(transaction=True) as pipe:
            pipe.hgetall(SETTINGS)
            pipe.zrange(OUTBOX, 0, -1, withscores=True)
            pipe.hgetall(REFUSED)
            settings, waiting, refused = await pipe.execute()
    tickets = [(Ticket.of(*row), None) for row in waiting]
    tickets += [(Ticket.of(line, 0), reason.decode()) for line, reason in refused.items()]
    return Beside(
        counted=tuple(counted.items()),
        settings=tuple((room.decode(), body.decode()) for room, body in settings.items()),
        outbox=tuple((ticket.room, ticket.line, reason) for ticket, reason in tickets),
    )


def _write_beside(path: Path, there: Beside) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db, transaction(db):
        db.executemany("INSERT INTO forgotten VALUES (?, ?)", there.counted)
        db.executemany("INSERT INTO room_settings VALUES (?, ?)", there.settings)
        db.executemany("INSERT INTO outbox (room, number, refused) VALUES (?, ?, ?)", there.outbox)


def _beside_in(path: Path) -> Beside:
    with closing(sqlite3.connect(path)) as db:
        return Beside(
            tuple(db.execute("SELECT room, number FROM forgotten WHERE room <> ''")),
            tuple(db.execute("SELECT room, body FROM room_settings")),
            tuple(db.execute("SELECT room, number, refused FROM outbox ORDER BY ticket")),
        )


async def _fill_logs(client: "Redis", log: SqliteLog) -> None:
    target = RedisLog(client)
    for summary in await log.rooms():
        at = 0
        while entries := await log.read(summary.room, at, PAGE):
            await target.append(entries)
            at = entries[-1].number


async def _fill_beside(client: "Redis", there: Beside) -> None:
    log = RedisLog(client)
    for room, number in there.counted:
        if number > await log.last_number(room):
            key = room_key(room, "log")
            with broker_errors():
                async with client.pipeline(transaction=True) as pipe:
                    # A stream counts on from an entry that is gone.
                    pipe.sadd(ROOMS, room)
                    pipe.xadd(key, {"at": 0}, id=f"{number}-0")
                    pipe.xdel(key, f"{number}-0")
                    await pipe.execute()
    with broker_errors():
        async with client.pipeline(transaction=False) as pipe:
            for room, body in there.settings:
                pipe.hset(SETTINGS, room, body)
            for ticket, (room, number, refused) in enumerate(there.outbox, start=1):
                if refused is None:
                    pipe.zadd(OUTBOX, {line_key(room, number): ticket})
                else:
                    pipe.hset(REFUSED, line_key(room, number), refused)
            pipe.set(COUNT, len(there.outbox))
            await pipe.execute()


async def _copy_access(client: "Redis", folder: Path) -> None:
    source = RedisAccessBook(client)
    keys = await source.keys()
    async with open_sqlite_access(folder) as book:
        for key in reversed(keys):
            await book.add_key(key, keep=len(keys))
        for token, is_revoked in await source.tokens():
            await book.add_token(token)
            if is_revoked:
                await book.revoke(token.id)
    async for notes in source.all_notes(PAGE):
        await asyncio.to_thread(_add_notes, folder / ACCESS_FILE, notes)


def _add_notes(path: Path, notes: Sequence[AuditEntry]) -> None:
    """Write notes in one transaction; the book's own way is one for each."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db, transaction(db):
        db.executemany(
            "INSERT INTO audit (at_ms, holder, token, address, action, status)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            map(astuple, notes),
        )


async def _fill_access(client: "Redis", folder: Path) -> None:
    target = RedisAccessBook(client)
    async with open_sqlite_access(folder) as book:
        keys = await book.keys()
        for key in reversed(keys):
            await target.add_key(key, keep=len(keys))
        for token, is_revoked in await book.tokens():
            await target.add_token(token)
            if is_revoked:
                await target.revoke(token.id)
        entries = (await book.audit(MAX_AUDIT))[::-1]
    for begin in range(0, len(entries), PAGE):
        await target.note_all(entries[begin : begin + PAGE])
