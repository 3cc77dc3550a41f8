"""Two nodes' rooms on a real broker, in one process, with clocks that the test winds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from parola.beside import beside, tasks_beside
from parola.broker import open_broker, room_key
from parola.buses.redis import RedisBus
from parola.domain.errors import RoomBusy, RoomElsewhere
from parola.domain.log import StateChange
from parola.domain.transcript import Segment
from parola.domain.vocabulary import language_tag, room_name
from parola.engines.scripted import BLOCK_FRAMES, Script, ScriptedEngine, marked_audio
from parola.live.errands import Errands
from parola.live.feed import View
from parola.live.recorder import Recorder
from parola.live.room import Plugs
from parola.live.rooms import Limits, Rooms
from parola.live.session import SessionPlan
from parola.stores.redis_books import RedisRoomBook
from parola.stores.redis_leases import RedisLeases
from parola.stores.redis_log import RedisLog
from tests.broker import Broker

ROOM = room_name("sala")
PLAN = SessionPlan("talk", language_tag("en-US"))
LEASE_S = 600.0


@dataclass(slots=True)
class Node:
    """One node; `clock` is what it measures its leases by."""

    rooms: Rooms
    leases: RedisLeases
    log: RedisLog
    clock: list[float]


@asynccontextmanager
async def _node(broker: Broker, name: str) -> AsyncIterator[Node]:
    clock = [0.0]
    loop = asyncio.get_running_loop()
    async with open_broker(broker.url) as client, asyncio.timeout(30):
        leases = RedisLeases(client, name, LEASE_S, lambda: clock[0])
        log = RedisLog(client, leases.fence)
        bus, recorder = RedisBus(client, log, leases), Recorder(log)
        plugs = Plugs(
            engines=(ScriptedEngine(Script(5)),),
            make_gate=lambda: None,
            log=log,
            book=RedisRoomBook(client),
            recorder=recorder,
            bus=bus,
            now_ms=lambda: int(loop.time() * 1000),
            monotonic=loop.time,
            leases=leases,
        )
        async with beside(bus.run()), beside(recorder.run()), tasks_beside() as tasks:
            rooms = Rooms(plugs, Limits(), tasks)
            rooms.envoy = Errands(rooms, tasks)
            tasks.create_task(rooms.leave_lost_rooms())
            yield Node(rooms, leases, log, clock)


@pytest.fixture
async def broker(redis_server: Broker) -> Broker:
    async with open_broker(redis_server.url) as client:
        await client.flushall()
    return redis_server


async def _say(node: Node, session: str, begin: int, until: int) -> None:
    """Say numbers as one talk of their own, to its end."""
    plan = SessionPlan(session, PLAN.language)
    async with node.rooms.attend(ROOM, plan, 0) as hold:
        await hold.feed(marked_audio(range(begin, until)))
        hold.end()
        await hold.intake.saved()


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - nobody tells; the node's timeout ends it
        await asyncio.sleep(0.01)


async def _texts(node: Node) -> list[str]:
    log = await node.log.read(ROOM)
    assert [entry.number for entry in log] == list(range(1, len(log) + 1))
    return [entry.body.text for entry in log if isinstance(entry.body, Segment)]


async def test_numbers_go_on_where_the_node_before_stopped(broker: Broker) -> None:
    """Also on a node that has had the room open all the time, and thinks it knows its end."""
    async with _node(broker, "uno") as one, _node(broker, "due") as two:
        async with one.rooms.enter(ROOM), two.rooms.enter(ROOM):
            await _say(one, "a", 0, 10)
            await _say(two, "b", 10, 20)
            await _say(one, "c", 20, 30)
        words = [" ".join(map(str, range(n, n + 5))) for n in range(0, 30, 5)]
        assert await _texts(one) == await _texts(two) == words


async def test_a_source_takes_its_talk_along(broker: Broker) -> None:
    """The node it has left breaks off, saves what it has, and lets the room go at once."""
    async with _node(broker, "uno") as one, _node(broker, "due") as two:
        async with one.rooms.attend(ROOM, PLAN, 0) as left:
            await left.feed(marked_audio(range(12)))
            await _until(lambda: left.intake.safe_position >= 10 * BLOCK_FRAMES)
            async with two.rooms.attend(ROOM, PLAN, 10 * BLOCK_FRAMES) as hold:
                with pytest.raises(RoomElsewhere):
                    await left.feed(marked_audio(range(12, 14)))
                begin = hold.intake.received // BLOCK_FRAMES
                await hold.feed(marked_audio(range(begin, 20)))
                hold.end()
                await hold.intake.saved()
        assert await _texts(two) == [" ".join(map(str, range(n, n + 5))) for n in range(0, 20, 5)]
        changes = [e.body for e in await two.log.read(ROOM) if isinstance(e.body, StateChange)]
        assert [c.change for c in changes] == ["session_started", "session_ended"]


async def test_another_source_is_told_that_the_room_is_busy(broker: Broker) -> None:
    """As it would be on one node; and the first one speaks on."""
    async with _node(broker, "uno") as one, _node(broker, "due") as two:
        async with one.rooms.attend(ROOM, PLAN, 0) as hold:
            await hold.feed(marked_audio(range(3)))
            with pytest.raises(RoomBusy, match="Another source"):
                async with two.rooms.attend(ROOM, SessionPlan("other", PLAN.language), 0):
                    pass
            await hold.feed(marked_audio(range(3, 5)))
            hold.end()
            await hold.intake.saved()
        assert await _texts(two) == ["0 1 2 3 4"]


async def test_a_node_whose_lease_is_over_says_nothing_more(broker: Broker) -> None:
    """By its own clock, whether or not anybody has taken the room."""
    async with _node(broker, "uno") as one, one.rooms.attend(ROOM, PLAN, 0) as hold:
        await hold.feed(marked_audio(range(7)))
        await _until(lambda: hold.intake.safe_position >= 5 * BLOCK_FRAMES)
        one.clock[0] += 0.76 * LEASE_S
        await hold.feed(marked_audio(range(7, 30)))
        await _until(lambda: isinstance(hold.session.failure, RoomElsewhere))
        assert await _texts(one) == ["0 1 2 3 4"]


async def test_what_one_node_showed_and_never_saved_gives_way(broker: Broker) -> None:
    """The other node gives the same numbers anew: those are what viewers of both are shown."""
    async with (
        _node(broker, "uno") as one,
        _node(broker, "due") as two,
        one.rooms.enter(ROOM) as room,
        open_broker(broker.url) as client,
    ):
        await one.rooms.ownership.take(room)
        await client.delete(room_key(ROOM, "lease"))
        await two.leases.take(ROOM)
        segment = Segment("lost", 1, "never kept", 0, 100, True, "en-US")
        await room.show(segment)
        await _until(lambda: room.feed.last_number == 1)
        await two.leases.give_back(ROOM)
        await _say(two, "kept", 0, 5)
        one.leases._lose(ROOM)
        await _until(lambda: "session_started" in room.feed._lines[0].frame)
        frames = one.rooms.follow(ROOM, View(after=0))
        assert "0 1 2 3 4" in (await anext(frames)).text
        await frames.aclose()
