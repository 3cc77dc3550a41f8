"""What an outbox on a broker promises beyond the contract: several nodes share it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from parola.beside import beside
from parola.broker import open_broker, room_key
from parola.domain.errors import Fenced, StoreFailed
from parola.domain.log import Entry
from parola.domain.transcript import Segment
from parola.live.shipper import Shipper
from parola.ports import Outgoing, Refusal
from parola.stores.redis_log import RedisLog
from parola.stores.redis_outbox import RedisOutbox
from parola.stores.redis_tickets import OUTBOX, RedisTickets
from tests.broker import Broker, deaf_line


class Node:
    """A log and an outbox, as one node has them."""

    def __init__(self, log: RedisLog, outbox: RedisOutbox) -> None:
        self.log = log
        self.outbox = outbox


@asynccontextmanager
async def node(
    broker: Broker, hold_s: float = 60, fence: Callable[[str], int] = lambda _: 0
) -> AsyncIterator[Node]:
    """Open a node; with the context it is gone without a word."""
    async with open_broker(broker.url, answer_s=0.5) as client:
        tickets = RedisTickets(client, OUTBOX, hold_s)
        log = RedisLog(client, fence, tickets)
        yield Node(log, RedisOutbox(client, tickets, log))


@pytest.fixture
async def broker(redis_server: Broker) -> Broker:
    async with open_broker(redis_server.url) as client:
        await client.flushall()
    return redis_server


def _final(number: int, room: str = "sala") -> Entry:
    body = Segment("talk", number, "ciao", number * 100, number * 100 + 90, True, "it-IT")
    return Entry(room, number, 1000 + number, body)


async def test_a_node_that_dies_in_an_append_leaves_what_it_kept_to_be_sent(broker: Broker) -> None:
    """The broker kept a final, and nobody heard so: whoever sends next finds it in the outbox."""
    async with deaf_line(broker) as line, node(line.broker) as dying, node(broker) as other:
        await dying.log.append([_final(1)])
        line.is_deaf = True
        with pytest.raises(StoreFailed):
            await dying.log.append([_final(2)])
        assert await other.log.read("sala") == [_final(1), _final(2)]
        assert [line.entry for line in await other.outbox.waiting(10)] == [_final(1), _final(2)]


async def test_what_comes_too_late_for_the_log_is_not_sent(broker: Broker) -> None:
    """A node that lost its lease puts nothing into the outbox either; other rooms' finals go."""
    async with open_broker(broker.url) as client, node(broker) as late:
        await client.set(room_key("sala", "fence"), 1)
        with pytest.raises(Fenced):
            await late.log.append([_final(1), _final(1, "altra")])
        assert [line.entry for line in await late.outbox.waiting(10)] == [_final(1, "altra")]


async def test_one_node_at_a_time_sends(broker: Broker) -> None:
    """Others get nothing while it has some; when all is sent, whoever comes first."""
    async with node(broker) as one, node(broker) as two:
        await one.log.append([_final(1), _final(2)])
        lines = await two.outbox.waiting(1)
        assert await one.outbox.waiting(10) == []
        await two.outbox.settle([lines[0].ticket], [])
        assert await one.outbox.waiting(10) == []
        (second,) = await two.outbox.waiting(10)
        await two.outbox.settle([second.ticket], [])
        await two.log.append([_final(3)])
        assert [line.entry for line in await one.outbox.waiting(10)] == [_final(3)]
        assert await two.outbox.waiting(10) == []
        assert (await one.outbox.unsent()) == (await two.outbox.unsent())


async def test_one_that_comes_back_late_sends_once_more_and_harms_nobody(broker: Broker) -> None:
    """It stood still while it sent, another went on: what it settles is what it has sent."""
    async with node(broker, hold_s=0.1) as slow, node(broker) as other:
        await slow.log.append([_final(1), _final(2)])
        lines = await slow.outbox.waiting(1)
        taken = await _taken(other, 1)
        assert taken == lines
        await other.outbox.settle([taken[0].ticket], [])
        assert await slow.outbox.waiting(10) == []
        await slow.outbox.settle([lines[0].ticket], [])
        assert [line.entry for line in await other.outbox.waiting(10)] == [_final(2)]


async def test_every_final_of_all_nodes_is_sent_once_and_in_order(broker: Broker) -> None:
    """Three nodes speak and send at once: no final is missing, none comes twice."""
    sent: list[Entry] = []
    all_sent = asyncio.Event()

    class Queue:
        async def send(self, lines: Sequence[Outgoing]) -> list[Refusal]:
            sent.extend(line.entry for line in lines)
            if len(sent) >= 3 * 40:
                all_sent.set()
            return []

    async def speak(own: Node, room: str) -> None:
        for number in range(1, 41):
            await own.log.append([_final(number, room)])

    async with (
        asyncio.timeout(60),
        node(broker) as one,
        node(broker) as two,
        node(broker) as three,
        beside(Shipper(one.outbox, Queue(), lambda: 0).run()),
        beside(Shipper(two.outbox, Queue(), lambda: 0).run()),
        beside(Shipper(three.outbox, Queue(), lambda: 0).run()),
    ):
        await asyncio.gather(speak(one, "a"), speak(two, "b"), speak(three, "c"))
        await all_sent.wait()
        while (await one.outbox.unsent()).lines:  # noqa: ASYNC110 - a store tells nobody
            await asyncio.sleep(0.02)
    for room in "abc":
        assert [entry.number for entry in sent if entry.room == room] == list(range(1, 41))


async def _taken(other: Node, limit: int) -> list[Outgoing]:
    """Return what another node had taken, as soon as it is free."""
    async with asyncio.timeout(20):
        while not (found := await other.outbox.waiting(limit)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    return found
