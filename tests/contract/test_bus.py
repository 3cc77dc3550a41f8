"""What every bus promises."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from parola.beside import beside
from parola.broker import open_broker
from parola.buses.local import LocalBus
from parola.buses.redis import RedisBus
from parola.ports import Bus, RoomState
from parola.stores.redis_leases import RedisLeases
from parola.stores.redis_log import RedisLog
from tests.broker import Broker


@pytest.fixture(params=["local", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    if request.param == "local":
        yield LocalBus()
        return
    server: Broker = request.getfixturevalue("redis_server")
    async with open_broker(server.url) as client:
        await client.flushall()
        leases = RedisLeases(client, "node", 60)
        bus = RedisBus(client, RedisLog(client, leases.fence), leases)
        async with beside(bus.run()):
            yield bus


def state(n: int) -> RoomState:
    return RoomState("listening", str(n))


async def test_every_subscriber_gets_every_event_in_order(bus: Bus) -> None:
    """Two subscribers of one room read the same story."""
    async with bus.subscribe("a") as one, bus.subscribe("a") as two:
        for n in range(50):
            await bus.publish("a", state(n))
        for events in (one, two):
            assert [await anext(events) for _ in range(50)] == [state(n) for n in range(50)]


async def test_rooms_do_not_hear_each_other(bus: Bus) -> None:
    """An event goes to its room and nowhere else."""
    async with bus.subscribe("a") as a, bus.subscribe("b") as b:
        await bus.publish("a", state(1))
        await bus.publish("b", state(2))
        assert await anext(b) == state(2)
        assert await anext(a) == state(1)


async def test_events_before_the_subscription_are_not_heard(bus: Bus) -> None:
    """The past is the log's."""
    await bus.publish("a", state(1))
    async with bus.subscribe("a") as events:
        await bus.publish("a", state(2))
        assert await anext(events) == state(2)


async def test_a_publisher_waits_for_a_slow_subscriber_and_loses_nothing(bus: Bus) -> None:
    """Between the edges nothing is dropped: the publisher feels it instead."""
    async with bus.subscribe("a") as events, asyncio.TaskGroup() as tasks:

        async def publish_all() -> None:
            for n in range(5000):
                await bus.publish("a", state(n))

        publishing = tasks.create_task(publish_all())
        await asyncio.sleep(0.01)
        assert not publishing.done()
        got = [await anext(events) for _ in range(5000)]
    assert got == [state(n) for n in range(5000)]


async def test_a_subscriber_that_leaves_frees_a_waiting_publisher(bus: Bus) -> None:
    """One node that goes away never stops a room."""

    async def publish_all() -> None:
        for n in range(5000):
            await bus.publish("a", state(n))

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        async with bus.subscribe("a"):
            publishing = tasks.create_task(publish_all())
            await asyncio.sleep(0.01)
        await publishing
