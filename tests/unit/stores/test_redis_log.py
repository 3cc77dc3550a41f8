"""What a log on a broker promises beyond the contract of all logs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.broker import open_broker, room_key
from parola.domain.errors import Fenced, StoreFailed
from parola.domain.log import Correction, Entry, StateChange
from parola.domain.transcript import Segment
from parola.ports import Log
from parola.stores.memory import MemoryLog
from parola.stores.redis_log import RedisLog
from tests.broker import Broker, deaf_line, running_broker


def _entry(number: int, room: str = "sala", frame: int | None = None) -> Entry:
    frame = number * 100 if frame is None else frame
    segment = Segment("talk", number, "ciao", frame, frame + 100, True, "it-IT")
    return Entry(room, number, 1000 + number, segment)


@asynccontextmanager
async def _opened(
    broker: Broker, fence: Callable[[str], int] = lambda _: 0
) -> AsyncIterator[RedisLog]:
    async with open_broker(broker.url, answer_s=0.5) as client:
        yield RedisLog(client, fence)


@pytest.fixture
async def broker(redis_server: Broker) -> Broker:
    async with open_broker(redis_server.url) as client:
        await client.flushall()
    return redis_server


async def test_a_late_write_of_an_old_owner_is_refused(broker: Broker) -> None:
    """Once another node has taken the room, nothing of the old one's reaches it; other rooms do."""
    fences = {"sala": 1, "altra": 0}
    async with _opened(broker, fences.__getitem__) as log, open_broker(broker.url) as client:
        await client.set(room_key("sala", "fence"), 1)
        await log.append([_entry(1)])
        await client.incr(room_key("sala", "fence"))
        with pytest.raises(Fenced) as refused:
            await log.append([_entry(2), _entry(1, "altra")])
        assert refused.value.rooms == {"sala"}
        assert await log.read("sala") == [_entry(1)]
        assert await log.read("altra") == [_entry(1, "altra")]
        fences["sala"] = 2
        await log.append([_entry(2)])
        assert await log.last_number("sala") == 2


async def test_an_append_whose_answer_was_lost_is_recognised(broker: Broker) -> None:
    """The broker did it, the node did not hear so and repeats it: every entry is there once."""
    async with deaf_line(broker) as line, _opened(line.broker) as log, _opened(broker) as straight:
        await log.append([_entry(1)])
        line.is_deaf = True
        with pytest.raises(StoreFailed):
            await log.append([_entry(2), _entry(3)])
        assert await straight.last_number("sala") == 3
        line.is_deaf = False
        await log.append([_entry(2), _entry(3)])
        assert await straight.read("sala") == [_entry(1), _entry(2), _entry(3)]


async def test_what_was_appended_outlives_a_power_cut_of_the_broker(tmp_path: Path) -> None:
    """While it is away calls fail in time; afterwards all is there, fences too, and it goes on."""
    with running_broker(tmp_path) as broker:
        async with _opened(broker, lambda _: 1) as log, open_broker(broker.url) as client:
            await client.incr(room_key("sala", "fence"))
            await log.append([_entry(1)])
            broker.kill()
            with pytest.raises(StoreFailed, match="broker"):
                await log.append([_entry(2)])
            with pytest.raises(StoreFailed, match="broker"):
                await log.read("sala")
            broker.start()
            broker.wait()
            await log.append([_entry(2)])
            assert await log.read("sala") == [_entry(1), _entry(2)]


async def test_newer_entries_of_several_rooms_come_together(broker: Broker) -> None:
    """A node asks once for all its rooms: nothing in time is nothing, and no room is mixed up."""
    async with _opened(broker) as log:
        assert await log.newer({"a": 0, "à": 0}, 0.05) == {}
        waiting = asyncio.create_task(log.newer({"a": 1, "à": 0}, 0.4))
        await log.append([_entry(1, "a"), _entry(1, "à")])
        assert await waiting == {"à": [_entry(1, "à")]}
        await log.append([_entry(2, "a")])
        assert await log.newer({"a": 1, "à": 1}, 0.4) == {"a": [_entry(2, "a")]}


bodies = st.one_of(
    st.builds(
        Segment,
        st.sampled_from(["one", "two"]),
        st.just(1),
        st.sampled_from(["a", "b"]),
        st.integers(0, 3),
        st.just(9),
        st.just(True),
        st.just("en-US"),
    ),
    st.builds(StateChange, st.sampled_from(["session_started", "session_ended"]), st.just("one")),
    st.builds(Correction, st.just("one"), st.integers(1, 3), st.integers(1, 3), st.just("x")),
)
entries = st.builds(
    lambda number, more_ms, body: Entry("a", number, 10 * number + more_ms, body),
    st.integers(1, 8),
    st.integers(0, 1),
    bodies,
)


async def _is_kept(log: Log, batch: list[Entry]) -> bool:
    try:
        await log.append(batch)
    except StoreFailed as error:
        if "other content" not in error.message:
            raise
        return False
    return True


def test_it_keeps_and_refuses_what_the_log_in_memory_does(redis_server: Broker) -> None:
    """Repeated, overlapping and contradicting appends, in one call or several: the same log.

    Only a number below the newest that was never given is refused here and not there.
    """

    async def compare(batches: list[list[Entry]]) -> None:
        async with open_broker(redis_server.url) as client:
            await client.flushall()
            log, twin = RedisLog(client), MemoryLog()
            for batch in batches:
                numbers = [entry.number for entry in batch]
                goes_on = numbers == sorted(numbers) and numbers[:1] > [await twin.last_number("a")]
                if await _is_kept(log, batch):
                    assert await _is_kept(twin, batch)
                elif goes_on:
                    assert not await _is_kept(twin, batch)
            assert await log.read("a") == await twin.read("a")
            assert await log.edits("a") == await twin.edits("a")
            assert await log.last_number("a") == await twin.last_number("a")
            assert await log.rooms() == await twin.rooms()

    with asyncio.Runner() as loop:

        @settings(max_examples=60)
        @given(st.lists(st.lists(entries, max_size=4), max_size=5))
        def check(batches: list[list[Entry]]) -> None:
            loop.run(compare(batches))

        check()


async def test_it_forgets_what_the_log_in_memory_forgets(broker: Broker) -> None:
    """Whole talks, but for a room's word off the record; numbers count on, and replays are new."""
    started, ended = StateChange("session_started", "talk"), StateChange("session_ended", "talk")
    other = Segment("other", 1, "altro", 0, 100, True, "it-IT")
    entries = [
        Entry("sala", 1, 1, started),
        Entry("sala", 2, 2, _entry(2).body),
        Entry("sala", 3, 3, StateChange("off_record", "talk", "1600")),
        Entry("sala", 4, 4, Correction("talk", 2, 2, "x")),
        Entry("sala", 5, 5, StateChange("mode", "", "live")),
        Entry("sala", 6, 6, ended),
        Entry("sala", 7, 70, other),
        Entry("altra", 1, 1, other),
    ]
    twin = MemoryLog()
    async with _opened(broker) as log:
        for one in log, twin:
            await one.append(entries)
        for before_ms, spare in ((6, ()), (50, ("talk",)), (50, ()), (50, ()), (100, ())):
            assert await log.forget(before_ms, spare) == await twin.forget(before_ms, spare)
            assert await log.rooms() == await twin.rooms()
            for room in "sala", "altra":
                assert await log.read(room) == await twin.read(room)
                assert await log.edits(room) == await twin.edits(room)
                assert await log.last_number(room) == await twin.last_number(room)
                assert await log.newest_switch(room) == await twin.newest_switch(room)
                assert await log.past(room, "talk") == await twin.past(room, "talk")
        for one in log, twin:
            await one.append([Entry("sala", 8, 80, _entry(2).body), Entry("altra", 2, 80, other)])
        assert [e.number for e in await log.read("sala")] == [3, 8]
        assert await log.read("altra") == await twin.read("altra")


async def test_a_talk_that_runs_on_another_node_is_spared(broker: Broker) -> None:
    """However long it has been silent; once nobody holds its room it is old, as any other."""
    began, over = StateChange("session_started", "talk"), StateChange("session_ended", "over")
    entries = [
        Entry("sala", 1, 1, StateChange("session_started", "over")),
        Entry("sala", 2, 2, over),
        Entry("sala", 3, 3, began),
        Entry("sala", 4, 4, _entry(4).body),
    ]
    async with _opened(broker) as log, open_broker(broker.url) as client:
        await log.append(entries)
        await client.set(room_key("sala", "lease"), "another")
        assert (await log.forget(50)).talks == {("sala", "over")}
        assert await log.read("sala") == entries[2:]
        await client.delete(room_key("sala", "lease"))
        assert (await log.forget(50)).talks == {("sala", "talk")}
