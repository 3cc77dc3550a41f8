"""What leases promise, on a real broker, with nodes whose clocks the test winds."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from parola.broker import open_broker
from parola.domain.errors import RoomElsewhere, StoreFailed
from parola.stores.redis_leases import RedisLeases, open_redis_leases
from tests.broker import Broker, running_broker

LEASE_S = 1.0


@pytest.fixture
async def client(redis_server: Broker) -> "AsyncIterator[Redis]":
    async with open_broker(redis_server.url) as client:
        await client.flushall()
        yield client


async def test_a_room_has_one_speaker(client: "Redis") -> None:
    """Whoever takes it has it, again if it likes; others are told whose; freed, it is free."""
    one, two = (RedisLeases(client, name, 60) for name in ("uno", "due"))
    assert await one.take("sala")
    assert not await one.take("sala")
    assert one.holds("sala")
    with pytest.raises(RoomElsewhere, match="uno"):
        await two.take("sala")
    assert not two.holds("sala")
    assert await two.take("altra")
    await one.give_back("sala")
    assert not one.holds("sala")
    assert await two.take("sala")


async def test_each_holder_has_a_higher_number(client: "Redis") -> None:
    """So that the log can tell the newest from one that comes late; a number never comes back."""
    one, two = (RedisLeases(client, name, 60) for name in ("uno", "due"))
    fences = []
    for node in one, two, two, one:
        await node.take("sala")
        fences.append(node.fence("sala"))
        await node.give_back("sala")
        assert node.fence("sala") < 0
    assert fences == sorted(set(fences))


async def test_a_holder_that_lives_keeps_its_rooms(client: "Redis") -> None:
    """Renewed in time, a lease outlasts its length."""
    lease_s = 2.0
    two = RedisLeases(client, "due", lease_s)
    async with open_redis_leases(client, "uno", lease_s) as one:
        await one.take("sala")
        for _ in range(5):
            await asyncio.sleep(lease_s / 4)
            assert one.holds("sala")
            with pytest.raises(RoomElsewhere):
                await two.take("sala")
    assert await two.take("sala")


async def test_a_holder_without_a_broker_stops_before_another_may_begin(tmp_path: Path) -> None:
    """From its own last question on, three quarters of a lease; the broker waits for all of it."""
    clock = [100.0]
    with running_broker(tmp_path) as broker:
        async with (
            open_broker(broker.url, answer_s=0.2) as client,
            open_redis_leases(client, "uno", LEASE_S, lambda: clock[0]) as one,
        ):
            await one.take("sala")
            broker.kill()
            clock[0] += 0.74 * LEASE_S
            assert one.holds("sala")
            clock[0] += 0.02 * LEASE_S
            assert not one.holds("sala")
            assert await anext(aiter(one.lost())) == "sala"
            with pytest.raises(StoreFailed):
                await one.take("sala")


async def test_a_holder_that_slept_learns_that_its_room_is_gone(client: "Redis") -> None:
    """Its first look at its own clock tells it, before it hears from the broker."""
    clock = [0.0]
    one = RedisLeases(client, "uno", 0.1, lambda: clock[0])
    two = RedisLeases(client, "due", LEASE_S)
    await one.take("sala")
    while True:
        try:
            await two.take("sala")
            break
        except RoomElsewhere:
            await asyncio.sleep(0.01)
    clock[0] += 3600
    assert not one.holds("sala")
    assert one.fence("sala") < two.fence("sala")
    with pytest.raises(RoomElsewhere, match="due"):
        await one.take("sala")


async def test_a_renewal_that_comes_late_does_not_keep_a_room_that_was_given_back(
    client: "Redis",
) -> None:
    """Both are on their way at once, over two connections: else the room were nobody's for long."""
    one, two = (RedisLeases(client, name, 60) for name in ("uno", "due"))
    await one.take("sala")
    lease = one._held["sala"]
    await one.give_back("sala")
    assert await one._renew({"sala": lease}) == [0]
    assert await two.take("sala")
