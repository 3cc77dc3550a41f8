"""What every log promises that old talks can be taken out of."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from parola.broker import open_broker
from parola.domain.errors import StoreFailed
from parola.domain.log import Change, Correction, Entry, StateChange
from parola.domain.search import phrases_of
from parola.domain.transcript import Segment
from parola.ports import Archive, Forgets, Forgotten, Log
from parola.stores.memory import MemoryLog
from parola.stores.redis_archive import RedisArchive
from parola.stores.sqlite import open_sqlite_log
from parola.stores.sqlite_mirror import open_mirror
from tests.broker import Broker


class Kept(Log, Archive, Forgets, Protocol):
    """A log that can be searched and pruned."""


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """Each log that forgets, empty."""
    if request.param == "memory":
        yield MemoryLog()
    elif request.param == "redis":
        broker: Broker = request.getfixturevalue("redis_server")
        async with open_broker(broker.url) as client, open_mirror(tmp_path) as mirror:
            await client.flushall()
            yield RedisArchive(client, mirror)
    else:
        async with open_sqlite_log(tmp_path) as opened:
            yield opened


def said(number: int, text: str, session: str, room: str = "sala") -> Entry:
    """Return a final; an entry's number is its time in milliseconds, too."""
    body = Segment(session, 1, text, number * 100, number * 100 + 90, True, "it-IT")
    return Entry(room, number, number, body)


def changed(number: int, change: Change, session: str, value: str = "") -> Entry:
    return Entry("sala", number, number, StateChange(change, session, value))


OLD = [
    changed(1, "session_started", "old", "it-IT"),
    said(2, "vecchio discorso", "old"),
    Entry("sala", 3, 3, Correction("old", 2, 2, "antico discorso")),
    changed(4, "session_ended", "old"),
]
NEW = [
    changed(7, "session_started", "new", "it-IT"),
    said(8, "nuovo discorso", "new"),
    changed(9, "session_ended", "new"),
]


async def test_old_talks_go_and_newer_ones_stay(log: Kept) -> None:
    """A talk goes as a whole once its newest line is old: from the log, the list and the search."""
    await log.append([*OLD, changed(5, "mode", "", "live"), *NEW])
    assert await log.forget(5) == Forgotten(frozenset({("sala", "old")}), 4)
    assert [entry.number for entry in await log.read("sala")] == [5, 7, 8, 9]
    assert await log.edits("sala") == []
    assert [talk.session for talk in await log.talks()] == ["new"]
    assert await log.search(phrases_of("antico")) == []
    assert len(await log.search(phrases_of("discorso"))) == 1
    assert await log.forget(6) == Forgotten(frozenset(), 1), "what belongs to no talk goes by age"
    assert await log.forget(6) == Forgotten()


async def test_a_talk_that_was_edited_lately_stays(log: Kept) -> None:
    """Its newest line counts, whatever that is; a talk that goes on is spared."""
    edited = Entry("sala", 20, 20, Correction("old", 2, 3, "antichissimo"))
    await log.append([*OLD, *NEW, edited])
    assert await log.forget(10, spare={"new"}) == Forgotten()
    assert await log.forget(10) == Forgotten(frozenset({("sala", "new")}), 3)
    assert len(await log.search(phrases_of("antichissimo"))) == 1


async def test_numbers_are_not_given_again(log: Kept) -> None:
    """A room whose whole log is gone counts on: a viewer with a number misses nothing."""
    await log.append([*OLD, *NEW, said(1, "altrove", "other", "b")])
    await log.forget(100)
    assert await log.rooms() == []
    assert await log.last_number("sala") == 9
    await log.append([Entry("sala", 10, 200, StateChange("session_started", "next"))])
    assert await log.last_number("sala") == 10
    await log.forget(300)
    assert await log.last_number("sala") == 10
    assert await log.last_number("b") == 1


async def test_the_newest_word_on_or_off_the_record_stays(log: Kept) -> None:
    """A room that was off the record is so afterwards, however long ago that was said."""
    off = changed(5, "off_record", "old", "1600")
    await log.append([*OLD, changed(6, "on_record", "old"), *NEW])
    await log.append([Entry("hall", 1, 1, off.body), Entry("hall", 2, 2, OLD[1].body)])
    assert (await log.forget(100)).lines == 8
    assert await log.newest_switch("sala") == changed(6, "on_record", "old")
    assert await log.newest_switch("hall") == Entry("hall", 1, 1, off.body)
    assert await log.talks() == []
    assert await log.forget(100) == Forgotten()


async def test_a_session_of_the_same_name_elsewhere_stays(log: Kept) -> None:
    """A talk is a room and a session."""
    await log.append([said(1, "qui", "same"), said(50, "là", "same", "b")])
    assert (await log.forget(10)).talks == {("sala", "same")}
    assert [summary.room for summary in await log.rooms()] == ["b"]


async def test_a_log_that_fails_forgets_nothing(log: Kept) -> None:
    """It says so, and works the next time."""
    await log.append(OLD)
    if isinstance(log, MemoryLog):
        log.fail_with = "The disk is gone."
        with pytest.raises(StoreFailed):
            await log.forget(100)
        log.fail_with = None
    assert (await log.forget(100)).lines == 4
