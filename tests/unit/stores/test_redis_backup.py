"""A backup of a broker holds what nodes share, and fills a broker or a data folder with it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parola.broker import open_broker
from parola.domain.access import AuditEntry, Token
from parola.domain.errors import BadMessage, NotFound, StoreFailed
from parola.domain.log import Correction, Entry, StateChange, Strike, Withheld
from parola.domain.mood import LineMood
from parola.domain.room_settings import WHOLE_EVENT, RoomSettings
from parola.domain.search import phrases_of
from parola.domain.transcript import Segment, Word
from parola.domain.vocabulary import language_tag
from parola.ports import AccessBook, Log, Outbox, Refusal, RoomBook
from parola.stores import redis_backup, sqlite_backup
from parola.stores.redis_backup import back_up_broker, refuse_if_restoring, restore_to_broker
from parola.stores.redis_books import RedisAccessBook, RedisRoomBook
from parola.stores.redis_log import RedisLog
from parola.stores.redis_moods import RedisMoods
from parola.stores.redis_outbox import RedisOutbox
from parola.stores.redis_tickets import OUTBOX, UNREAD, RedisTickets
from parola.stores.sqlite import open_sqlite
from parola.stores.sqlite_access import open_sqlite_access
from tests.broker import Broker

if TYPE_CHECKING:
    from redis.asyncio import Redis

ROOMS = ("sala", "Sala Grande è", "vuota", "potata")


@dataclass(slots=True)
class Kept:
    """What there is, wherever it is kept."""

    log: Log
    book: RoomBook
    access: AccessBook


def _on(client: "Redis") -> Kept:
    return Kept(RedisLog(client), RedisRoomBook(client), RedisAccessBook(client))


@asynccontextmanager
async def _databases(broker: Broker) -> AsyncIterator[list["Redis"]]:
    """Yield three brokers, all of them empty; to Redis they are numbers in an address."""
    address = broker.url.removesuffix("0")
    async with (
        open_broker(f"{address}0") as one,
        open_broker(f"{address}1") as two,
        open_broker(f"{address}2") as three,
    ):
        await one.flushall()
        yield [one, two, three]


def _line(number: int, room: str = "sala", session: str = "talk") -> Entry:
    words = (Word("ciao", number * 100, number * 100 + 90, 0.5, stable=True),)
    body = Segment(
        session, number, f"ciao {number} \ud800", number * 100, number * 100 + 90, True, "it-IT"
    )
    return Entry(room, number, 1000 + number, replace(body, words=words))


async def _fill(kept: Kept, client: "Redis") -> None:
    """Write something of every kind."""
    log = RedisLog(client)
    await log.append([_line(n, "potata", "old") for n in range(1, 8)])
    await log.append([_line(n, "vuota", "old") for n in range(1, 5)])
    await log.forget(5000)
    await log.append([Entry("potata", 8, 9000, StateChange("session_started", "new", "it-IT"))])
    await log.append([_line(n) for n in range(1, 20)])
    await log.append(
        [
            Entry("sala", 20, 2020, Correction("talk", 3, 3, "salve")),
            Entry("sala", 21, 2021, Strike("talk", 4, 4)),
            Entry("sala", 22, 2022, Withheld("talk", "grazie", 1, 2, "no speech", 0.5)),
            Entry("sala", 23, 2023, StateChange("off_record", "talk", "5000")),
        ]
    )
    await log.append([_line(1, "Sala Grande è")])
    await kept.book.write("sala", RoomSettings(language_tag("it-IT"), mode="paused"))
    await kept.book.write(WHOLE_EVENT, RoomSettings(blocked=("accidenti",)))
    for key in b"older", b"newer":
        await kept.access.add_key(key)
    for name in "anna", "bruno":
        token = Token(name, name, frozenset({"read"}), None, 1, 2**40)
        await kept.access.add_token(token)
    await kept.access.revoke("bruno")
    for number in range(7):
        await kept.access.note(AuditEntry(number, "anna", "anna", "::1", f"PUT /{number}", 200))


async def _all(kept: Kept) -> Mapping[str, object]:
    """Return everything that can be read."""
    log = kept.log
    found: dict[str, object] = {"rooms": await log.rooms()}
    for room in ROOMS:
        found[room] = (
            await log.read(room),
            await log.edits(room),
            await log.last_number(room),
            await log.newest_switch(room),
            await log.past(room, "talk"),
            await kept.book.read(room),
        )
    found["event"] = await kept.book.read(WHOLE_EVENT)
    access = kept.access
    found["access"] = (await access.keys(), await access.tokens(), await access.audit(99))
    return found


async def test_what_is_restored_is_what_was_there(
    redis_server: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a broker to another, to a data folder, and from that to a broker again."""
    monkeypatch.setattr(redis_backup, "PAGE", 4)
    first, second, folder = tmp_path / "first.zip", tmp_path / "second.zip", tmp_path / "data"
    async with _databases(redis_server) as (one, two, three):
        await _fill(_on(one), one)
        there = await _all(_on(one))
        made = await back_up_broker(one, first)
        assert (made.rooms, made.lines, made.has_access) == (3, 25, True)
        assert first.stat().st_mode & 0o777 == 0o600

        assert await restore_to_broker(two, first) == made
        assert await _all(_on(two)) == there

        folder.mkdir()
        assert sqlite_backup.restore(first, folder) == made
        async with open_sqlite(folder) as stores, open_sqlite_access(folder) as access:
            assert await _all(Kept(stores.log, stores.book, access)) == there
            assert len(await stores.log.search(phrases_of("ciao"))) == 18
            # A data folder that goes on, and is then taken to a broker.
            await stores.log.append([_line(24)])
        sqlite_backup.back_up(folder, second)
        await restore_to_broker(three, second)
        await RedisLog(two).append([_line(24)])
        assert await _all(_on(three)) == await _all(_on(two))
        # A talk that went on there goes on here: the broker knows what it has.
        await RedisLog(three).append([_line(24), _line(25)])
        with pytest.raises(StoreFailed, match="other content"):
            await RedisLog(three).append([_line(3, "vuota")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "first.zip", "second.zip"]


async def test_what_waits_for_the_queue_waits_on(redis_server: Broker, tmp_path: Path) -> None:
    """In its order, with what was refused; and what is said after the restore comes after it."""

    def outbox(client: "Redis") -> tuple[RedisLog, RedisOutbox]:
        tickets = RedisTickets(client, OUTBOX)
        log = RedisLog(client, outbox=tickets)
        return log, RedisOutbox(client, tickets, log)

    async def lines(box: Outbox) -> list[tuple[str, int]]:
        return [(line.entry.room, line.entry.number) for line in await box.waiting(99)]

    folder = tmp_path / "data"
    folder.mkdir()
    async with _databases(redis_server) as (one, two, _):
        log, box = outbox(one)
        await log.append([_line(1), _line(2), _line(3)])
        await log.append([_line(1, "altra")])
        await log.append([_line(4)])
        first, second, *_rest = await box.waiting(99)
        await box.settle([first.ticket], [Refusal(second.ticket, "too long", is_final=True)])
        await back_up_broker(one, tmp_path / "b.zip")
        await restore_to_broker(two, tmp_path / "b.zip")
        sqlite_backup.restore(tmp_path / "b.zip", folder)
        there, there_box = outbox(two)
        expected = [("sala", 3), ("altra", 1), ("sala", 4)]
        assert await lines(there_box) == expected
        await there.append([_line(2, "altra")])
        assert await lines(there_box) == [*expected, ("altra", 2)]
        assert (await there_box.unsent()).refused == 1
        async with open_sqlite(folder, ships=True) as stores:
            assert await lines(stores.outbox) == expected
            assert (await stores.outbox.unsent()).refused == 1


async def test_how_lines_sound_is_known_afterwards(redis_server: Broker, tmp_path: Path) -> None:
    """What was read is not read again; what was to be read is, on a broker and in a folder."""

    def moods(client: "Redis") -> tuple[RedisLog, RedisMoods]:
        tickets = RedisTickets(client, UNREAD)
        log = RedisLog(client, unread=tickets)
        return log, RedisMoods(client, tickets, log)

    folder = tmp_path / "data"
    folder.mkdir()
    async with _databases(redis_server) as (one, two, _):
        log, book = moods(one)
        await log.append([_line(1), _line(2)])
        await log.append([_line(1, "altra")])
        lines = {(line.room, line.number): line for line in await book.unread(9)}
        first = lines["sala", 1]
        assert first.segment
        session, frame = first.segment.session, first.segment.first_frame
        mood = LineMood("sala", 1, session, first.at_ms, frame, 0.5, "thanks", "local")
        await book.settle([first], [mood])
        await back_up_broker(one, tmp_path / "b.zip")
        await restore_to_broker(two, tmp_path / "b.zip")
        sqlite_backup.restore(tmp_path / "b.zip", folder)
        there, there_book = moods(two)
        await there.append([_line(2, "altra")])
        waiting = [(line.room, line.number) for line in await there_book.unread(9)]
        assert waiting == [("altra", 2), ("altra", 1), ("sala", 2)]
        assert await there_book.moods("sala") == [mood]
        async with open_sqlite(folder, reads=True) as stores:
            waiting = [(line.room, line.number) for line in await stores.moods.unread(9)]
            assert waiting == [("altra", 1), ("sala", 2)]
            assert await stores.moods.moods("sala") == [mood]


async def test_without_the_access_book(redis_server: Broker, tmp_path: Path) -> None:
    """Keys are left out where somebody says so."""
    async with _databases(redis_server) as (one, two, _):
        await _fill(_on(one), one)
        made = await back_up_broker(one, tmp_path / "b.zip", with_access=False)
        assert not made.has_access
        await restore_to_broker(two, tmp_path / "b.zip")
        assert await _on(two).access.keys() == []
        assert (await _all(_on(two)))["sala"] == (await _all(_on(one)))["sala"]


async def test_nothing_is_overwritten(redis_server: Broker, tmp_path: Path) -> None:
    """What there is of Parola's stays as it was; what other programs keep there does not count."""
    file = tmp_path / "b.zip"
    async with _databases(redis_server) as (one, two, _):
        await _fill(_on(one), one)
        await back_up_broker(one, file)
        before = await _all(_on(one))
        with pytest.raises(StoreFailed, match="FLUSHDB"):
            await restore_to_broker(one, file)
        assert await _all(_on(one)) == before
        await refuse_if_restoring(one)
        await two.set("somebody:else", 1)
        with pytest.raises(NotFound, match="address"):
            await back_up_broker(two, tmp_path / "none.zip")
        with pytest.raises(FileExistsError):
            await back_up_broker(one, file)
        file.write_bytes(file.read_bytes()[:-50])
        with pytest.raises(BadMessage):
            await restore_to_broker(two, file)
        with pytest.raises(NotFound):
            await restore_to_broker(two, tmp_path / "none.zip")
        assert await two.dbsize() == 1
        await back_up_broker(one, tmp_path / "whole.zip")
        await restore_to_broker(two, tmp_path / "whole.zip")
        assert await two.get("somebody:else") == b"1"


async def test_a_broker_that_got_half_a_backup_is_not_used(
    redis_server: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a node, nor as something to back up; emptied, it takes the whole."""
    file = tmp_path / "b.zip"

    async def fail(*_: object) -> None:
        raise StoreFailed("The broker has gone away.")

    async with _databases(redis_server) as (one, two, _):
        await _fill(_on(one), one)
        await back_up_broker(one, file)
        with monkeypatch.context() as patch:
            patch.setattr(redis_backup, "_fill_beside", fail)
            with pytest.raises(StoreFailed, match="gone away"):
                await restore_to_broker(two, file)
        for work in (
            refuse_if_restoring(two),
            restore_to_broker(two, file),
            back_up_broker(two, tmp_path / "half.zip"),
        ):
            with pytest.raises(StoreFailed, match="broken off"):
                await work
        await two.flushdb()
        await restore_to_broker(two, file)
        assert await _all(_on(two)) == await _all(_on(one))
