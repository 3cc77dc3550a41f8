"""Two nodes' buses on a real broker: what is said on one is heard on the other, and only there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from parola.beside import beside
from parola.broker import open_broker, room_key
from parola.buses.redis import RedisBus
from parola.domain.log import Entry
from parola.domain.transcript import Segment, Word
from parola.ports import (
    Alarm,
    Asked,
    Numbered,
    Partial,
    RoomEvent,
    RoomState,
    Unrecorded,
)
from parola.stores.redis_leases import RedisLeases
from parola.stores.redis_log import RedisLog
from tests.broker import Broker


@dataclass(slots=True)
class Node:
    """What a node has of the broker."""

    bus: RedisBus
    log: RedisLog
    leases: RedisLeases


@asynccontextmanager
async def _node(broker: Broker, name: str) -> AsyncIterator[Node]:
    async with open_broker(broker.url) as client:
        leases = RedisLeases(client, name, 600)
        log = RedisLog(client, leases.fence)
        bus = RedisBus(client, log, leases)
        async with beside(bus.run()):
            yield Node(bus, log, leases)


@pytest.fixture
async def broker(redis_server: Broker) -> Broker:
    async with open_broker(redis_server.url) as client:
        await client.flushall()
    return redis_server


def _segment(number: int, *, is_final: bool = True, off_record: bool = False) -> Segment:
    words = (Word("ciao", 0, 100, 0.5, stable=True),)
    return Segment("talk", number, "ciao", 0, 100, is_final, "it-IT", words, off_record=off_record)


async def _next(events: AsyncIterator[RoomEvent]) -> RoomEvent:
    async with asyncio.timeout(15):
        return await anext(events)


async def test_every_event_comes_across_as_it_was(broker: Broker) -> None:
    """Guesses, finals off and on the record, states with alarms, questions: all of each."""
    async with _node(broker, "uno") as one, _node(broker, "due") as two:
        await one.leases.take("sala")
        entry = Entry("sala", 1, 1, _segment(1))
        passing: list[RoomEvent] = [
            Partial(_segment(1, is_final=False)),
            Unrecorded(_segment(1, off_record=True)),
            RoomState("listening", "well", (Alarm("hum", "50 Hz"),)),
            Asked("1", {"do": "turn", "mode": "live"}),
        ]
        async with two.bus.subscribe("sala") as events:
            for event in passing:
                await one.bus.publish("sala", event)
                assert await _next(events) == event
            await one.log.append([entry])
            await one.bus.publish("sala", Numbered(entry))
            assert await _next(events) == Numbered(entry)


async def test_a_final_is_shown_elsewhere_only_once_it_is_kept(broker: Broker) -> None:
    """What another node shows before it is saved stays there; what follows is not held up."""
    async with _node(broker, "uno") as one, _node(broker, "due") as two:
        await one.leases.take("sala")
        async with two.bus.subscribe("sala") as events:
            await one.bus.publish("sala", Numbered(Entry("sala", 1, 1, _segment(1))))
            await one.bus.publish("sala", RoomState("unsaved"))
            assert await _next(events) == RoomState("unsaved")


async def test_a_guess_at_what_is_final_comes_too_late(broker: Broker) -> None:
    """The two ways to another node are not in step: an old guess would stand after its final."""
    async with _node(broker, "uno") as one, _node(broker, "due") as two:
        await one.leases.take("sala")
        async with two.bus.subscribe("sala") as events:
            await one.log.append([Entry("sala", 1, 1, _segment(1))])
            assert await _next(events) == Numbered(Entry("sala", 1, 1, _segment(1)))
            for number in 1, 2:
                await one.bus.publish("sala", Partial(_segment(number, is_final=False)))
            assert await _next(events) == Partial(_segment(2, is_final=False))


async def test_who_has_lost_a_room_is_not_heard_any_more(broker: Broker) -> None:
    """A node that stood still and wakes up speaks under an old number: nobody shows that."""
    async with (
        _node(broker, "uno") as one,
        _node(broker, "due") as two,
        _node(broker, "tre") as three,
        open_broker(broker.url) as client,
    ):
        await one.leases.take("sala")
        await client.delete(room_key("sala", "lease"))
        await two.leases.take("sala")
        async with three.bus.subscribe("sala") as events:
            await two.bus.publish("sala", RoomState("listening"))
            assert await _next(events) == RoomState("listening")
            await one.bus.publish("sala", Partial(_segment(1, is_final=False)))
            guess = Partial(replace(_segment(1, is_final=False), text="salve"))
            await two.bus.publish("sala", guess)
            assert await _next(events) == guess


async def test_a_node_that_takes_a_room_shows_what_came_before_first(broker: Broker) -> None:
    """Its own first line never overtakes the last ones of the node before it."""
    entries = [Entry("sala", n, n, replace(_segment(n), first_frame=n)) for n in range(1, 5)]
    async with _node(broker, "uno") as one, _node(broker, "due") as two:
        await one.leases.take("sala")
        async with two.bus.subscribe("sala") as events:
            await one.log.append(entries[:3])
            await one.leases.give_back("sala")
            await two.leases.take("sala")
            await two.bus.publish("sala", Numbered(entries[3]))
            got: list[RoomEvent] = []
            while Numbered(entries[3]) not in got:
                got.append(await _next(events))
            firsts = sorted({got.index(event) for event in got})
            assert [got[n] for n in firsts] == [Numbered(entry) for entry in entries]


async def test_who_comes_later_learns_the_state(broker: Broker) -> None:
    """A node whose first viewer comes in the middle of a talk hears the state at the next beat."""
    async with _node(broker, "uno") as one, _node(broker, "due") as two:
        await one.leases.take("sala")
        async with one.bus.subscribe("sala"):
            await one.bus.publish("sala", RoomState("listening"))
            async with two.bus.subscribe("sala") as events:
                await two.bus.publish("sala", RoomState("idle"))
                while await _next(events) != RoomState("listening"):
                    pass
                await two.bus.publish("sala", RoomState("idle"))
                await one.bus.publish("sala", RoomState("waiting"))
                assert await _next(events) == RoomState("waiting")
