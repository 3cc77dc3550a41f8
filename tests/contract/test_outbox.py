"""What every outbox promises, checked on each of them with its log."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from parola.broker import open_broker
from parola.domain.corrections import Standing
from parola.domain.errors import StoreFailed
from parola.domain.log import Correction, Entry, Restore, StateChange, Strike
from parola.domain.transcript import Segment
from parola.ports import Forgets, Log, Outbox, Outgoing, Refusal, Unsent
from parola.stores.redis_log import RedisLog
from parola.stores.redis_outbox import RedisOutbox
from parola.stores.redis_tickets import OUTBOX, RedisTickets
from parola.stores.sqlite import open_sqlite
from tests.broker import Broker

HOLD_S = 0.3
"""How long a process that is gone holds up the next one, where several share a broker."""


class Kept(Log, Forgets, Protocol):
    """A log that forgets."""


@dataclass(frozen=True, slots=True)
class Stores:
    """A log and its outbox, as one process has them."""

    log: Kept
    outbox: Outbox


Open = Callable[[bool], AbstractAsyncContextManager[Stores]]
"""Opens them as a new process does; whether it sends finals on."""


@asynccontextmanager
async def _sqlite(folder: Path, *, ships: bool) -> AsyncIterator[Stores]:
    async with open_sqlite(folder, ships=ships) as stores:
        yield Stores(stores.log, stores.outbox)


@asynccontextmanager
async def _redis(broker: Broker, *, ships: bool) -> AsyncIterator[Stores]:
    async with open_broker(broker.url) as client:
        tickets = RedisTickets(client, OUTBOX, HOLD_S)
        log = RedisLog(client, outbox=tickets if ships else None)
        yield Stores(log, RedisOutbox(client, tickets, log))


@pytest.fixture(params=["sqlite", "redis"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Each outbox there is, empty."""
    if request.param == "sqlite":
        return lambda ships: _sqlite(tmp_path, ships=ships)
    broker: Broker = request.getfixturevalue("redis_server")
    async with open_broker(broker.url) as client:
        await client.flushall()
    return lambda ships: _redis(broker, ships=ships)


@pytest.fixture
async def stores(opened: Open) -> AsyncIterator[Stores]:
    """A log and its outbox, empty."""
    async with opened(True) as stores:
        yield stores


def _final(number: int, room: str = "sala") -> Entry:
    body = Segment("talk", number, "ciao", number * 100, number * 100 + 90, True, "it-IT")
    return Entry(room, number, 1000 + number, body)


async def _waiting(stores: Stores) -> list[Outgoing]:
    """Return what waits, as soon as a process that is gone holds it no more."""
    async with asyncio.timeout(20):
        while not (found := await stores.outbox.waiting(10)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    return found


def _tickets(lines: list[Outgoing]) -> list[int]:
    return [line.ticket for line in lines]


async def test_finals_wait_in_order_and_nothing_else_does(stores: Stores) -> None:
    """As they are in the log, the oldest first, as many as asked for; of all rooms."""
    await stores.log.append([_final(1), _final(2)])
    await stores.log.append([Entry("sala", 3, 2000, StateChange("session_ended", "talk"))])
    await stores.log.append([_final(1, "à b")])
    lines = await stores.outbox.waiting(10)
    assert [line.entry for line in lines] == [_final(1), _final(2), _final(1, "à b")]
    assert len(set(_tickets(lines))) == 3
    assert await stores.outbox.waiting(2) == lines[:2]
    assert await stores.outbox.waiting(0) == []


async def test_an_edited_final_waits_again_as_it_reads_then(stores: Stores) -> None:
    """An edit waits as long as it is old, not as its final; of two, both tell the newest."""
    await stores.log.append([_final(1), _final(2)])
    await stores.outbox.settle(_tickets(await stores.outbox.waiting(10)), [])
    await stores.log.append([Entry("sala", 3, 4000, Correction("talk", 1, 1, "salve"))])
    assert (await stores.outbox.unsent()) == Unsent(1, 4000, 0)
    await stores.log.append([Entry("sala", 4, 4001, Strike("talk", of=1, made_on=3))])
    lines = await stores.outbox.waiting(10)
    assert [line.entry for line in lines] == [_final(1), _final(1)]
    struck = Standing(4, "salve", is_struck=True)
    assert [line.edited for line in lines] == [struck, struck]
    await stores.log.append([Entry("sala", 5, 4002, Restore("talk", 1, 4, "salve"))])
    await stores.outbox.settle(_tickets(lines), [])
    assert [line.edited for line in await stores.outbox.waiting(10)] == [Standing(5, "salve")]


async def test_what_was_not_settled_waits_on(stores: Stores) -> None:
    """Looking takes nothing away: only what was said to be sent goes, and nothing with it."""
    await stores.log.append([_final(number) for number in range(1, 4)])
    lines = await stores.outbox.waiting(10)
    assert await stores.outbox.waiting(10) == lines
    await stores.outbox.settle([lines[1].ticket], [])
    assert await stores.outbox.waiting(10) == [lines[0], lines[2]]
    await stores.outbox.settle([lines[1].ticket], [])
    await stores.outbox.settle([], [])
    assert await stores.outbox.unsent() == Unsent(2, 1001, 0)
    await stores.outbox.settle(_tickets(lines), [])
    assert await stores.outbox.unsent() == Unsent()
    await stores.log.append([_final(4)])
    (line,) = await stores.outbox.waiting(10)
    assert line.ticket not in _tickets(lines)


async def test_what_the_log_swallows_does_not_wait(stores: Stores) -> None:
    """A replay, with the same number or another one, is neither kept twice nor sent twice."""
    await stores.log.append([_final(1)])
    await stores.outbox.settle(_tickets(await stores.outbox.waiting(10)), [])
    await stores.log.append([_final(1)])
    await stores.log.append([Entry("sala", 2, 9000, _final(1).body)])
    assert await stores.outbox.waiting(10) == []


async def test_an_append_that_fails_puts_nothing_in(stores: Stores) -> None:
    """Log and outbox are one transaction: neither is kept without the other."""
    await stores.log.append([_final(1)])
    other = Entry("sala", 1, 9999, _final(1).body)
    with pytest.raises(StoreFailed):
        await stores.log.append([_final(2), other])
    assert (await stores.outbox.unsent()).lines == 1
    assert [line.entry.number for line in await stores.outbox.waiting(10)] == [1]


async def test_what_is_refused_for_good_stands_in_nobodys_way(stores: Stores) -> None:
    """It is counted, and never given again."""
    await stores.log.append([_final(number) for number in range(1, 4)])
    first, second, third = await stores.outbox.waiting(10)
    refusal = Refusal(first.ticket, "InvalidMessageContents", is_final=True)
    await stores.outbox.settle([third.ticket], [refusal])
    assert await stores.outbox.waiting(10) == [second]
    assert await stores.outbox.unsent() == Unsent(1, 1002, 1)


async def test_the_next_process_goes_on_where_one_ended(opened: Open) -> None:
    """Neither what was looked at nor what was not is lost; what was sent is not sent again."""
    async with opened(True) as stores:
        await stores.log.append([_final(1), _final(2)])
        first, _ = await stores.outbox.waiting(10)
        await stores.outbox.settle([first.ticket], [])
    async with opened(True) as stores:
        await stores.log.append([_final(3)])
        assert [line.entry for line in await _waiting(stores)] == [_final(2), _final(3)]


async def test_without_a_queue_nothing_is_put_aside(opened: Open) -> None:
    """A server that sends nothing on fills no outbox; what one before put in stays."""
    async with opened(True) as stores:
        await stores.log.append([_final(1)])
    async with opened(False) as stores:
        await stores.log.append([_final(2)])
    async with opened(True) as stores:
        assert [line.entry for line in await _waiting(stores)] == [_final(1)]


async def test_what_the_log_forgets_is_not_sent(stores: Stores) -> None:
    """The log has the last word: what is gone there neither waits nor counts."""
    body = Segment("newer", 1, "ciao", 0, 90, True, "it-IT")
    await stores.log.append([_final(1), _final(2), Entry("sala", 3, 9000, body)])
    lines = await stores.outbox.waiting(10)
    refusal = Refusal(lines[0].ticket, "InvalidMessageContents", is_final=True)
    await stores.outbox.settle([], [refusal])
    await stores.log.forget(5000)
    assert await stores.outbox.waiting(10) == lines[2:]
    assert await stores.outbox.unsent() == Unsent(1, 9000, 0)


async def test_who_waits_is_woken(stores: Stores) -> None:
    """By what was there before, and by each append."""
    async with asyncio.timeout(20):
        await stores.outbox.news()
        await stores.log.append([_final(1)])
        await stores.outbox.news()
    assert len(await stores.outbox.waiting(10)) == 1
