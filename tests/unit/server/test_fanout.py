"""However slow a viewer is, and whenever: every final once, in order, and little waits for it."""

import asyncio
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.domain.errors import TooSlow
from parola.domain.log import Entry
from parola.live.feed import BATCH, Feed, Frame, View
from parola.ports import Numbered, Partial, RoomState
from parola.server import outlet as outlets
from parola.server.fanout import Fanout
from parola.server.outlet import UNSENT_BYTES, Outlet
from parola.stores.memory import MemoryLog
from tests.unit.live.test_feed import entry, segment


class Transport:
    """Takes what a viewer reads, and pauses as asyncio's do: above the limit, in the same step."""

    def __init__(self) -> None:
        self.taken = b""
        self.waiting = b""
        self.most = 0
        self.outlet: Outlet | None = None
        self._high = 0
        self._paused = False

    def set_write_buffer_limits(self, high: int) -> None:
        self._high = high

    def get_extra_info(self, _: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return len(self.waiting)

    def write(self, data: bytes) -> None:
        self.waiting += data
        self.most = max(self.most, len(self.waiting))
        if len(self.waiting) > self._high and not self._paused:
            self._paused = True
            assert self.outlet
            self.outlet.pause()

    def read(self, count: int) -> None:
        self.taken += self.waiting[:count]
        self.waiting = self.waiting[count:]
        if self._paused and len(self.waiting) <= self._high // 4:
            self._paused = False
            assert self.outlet
            self.outlet.resume()


class Connection:
    """A connection whose other end the test plays."""

    def __init__(self) -> None:
        self.pipe = Transport()
        self.transport = cast("asyncio.Transport", self.pipe)
        self.outlet = self.pipe.outlet = Outlet(self)
        self.last_word = (0, "")

    def give_up(self, code: int, reason: str) -> None:
        self.last_word = (code, reason)


def coded(frame: Frame) -> bytes:
    """Return a number, a guess or a state as a line of 80 bytes."""
    what = frame.number or ("?" if '"is_partial":true' in frame.text else "!")
    return str(what).encode().ljust(79) + b"\n"


def numbers(data: bytes) -> list[int]:
    return [int(line) for line in data.split() if line.isdigit()]


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(12):
        await asyncio.sleep(0)


STEPS = st.lists(
    st.tuples(st.sampled_from(["say", "guess", "tell", "read", "pass"]), st.integers(1, 60)),
    max_size=25,
)


class Stage:
    """A feed that is spoken into, and two viewers of one group."""

    def __init__(self, past: int, after: int) -> None:
        self.past = past
        self.last = past
        self.after = after
        self.log = MemoryLog()
        self.feed = Feed("main", self.log)
        self.fanout = Fanout()
        self.slow, self.quick = Connection(), Connection()

    async def play(self, steps: list[tuple[str, int]]) -> None:
        if self.past:
            await self.log.append([entry(n) for n in range(1, self.past + 1)])
        await self.feed.load()
        view = View(self.after, partials=True, extras=True)
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            for one in (self.slow, self.quick):
                tasks.create_task(self.fanout.serve(self.feed, view, one.outlet, coded, 2000))
            for what, count in steps:
                await self.step(what, count)
            for _ in range(1000):
                self.slow.pipe.read(10**9)
                self.quick.pipe.read(10**9)
                await settle()
                if not (self.slow.pipe.waiting or self.quick.pipe.waiting):
                    break
            self.slow.outlet.end()
            self.quick.outlet.end()

    async def step(self, what: str, count: int) -> None:
        if what == "say":
            fresh = [entry(self.last + n) for n in range(1, count + 1)]
            self.last += count
            await self.log.append(fresh)
            for one in fresh:
                self.feed.apply(Numbered(one))
        elif what == "guess":
            self.feed.apply(Partial(segment(self.last + 1, final=False)))
        elif what == "tell":
            self.feed.apply(RoomState("listening", str(count)))
        else:
            self.slow.pipe.read(count * 160 if what == "read" else 0)
            await settle()
        self.quick.pipe.read(10**9)


@settings(max_examples=60)
@given(steps=STEPS, past=st.integers(0, 60), after=st.integers(0, 60))
def test_every_final_comes_once_however_slow_the_viewer(
    steps: list[tuple[str, int]], past: int, after: int
) -> None:
    """Two viewers of one group, one of them slow: both read the same story; little waits."""
    stage = Stage(past, min(after, past))
    asyncio.run(stage.play(steps))
    for one in (stage.slow, stage.quick):
        assert numbers(one.pipe.taken) == list(range(stage.after + 1, stage.last + 1))
    assert stage.slow.pipe.most <= UNSENT_BYTES + BATCH * 80 + 240
    assert not stage.feed.listeners
    assert not stage.fanout._groups


async def test_a_viewer_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has had its time; one that takes a little has more."""
    monkeypatch.setattr(outlets, "PATIENCE_S", 0.05)
    connection = Connection()
    connection.pipe.write(bytes(3 * UNSENT_BYTES))
    waiting = asyncio.ensure_future(connection.outlet.until_taken())
    for _ in range(4):
        await asyncio.sleep(0.03)
        connection.pipe.read(100)
        assert not waiting.done()
    with pytest.raises(TooSlow):
        await waiting


async def test_those_who_ask_for_states_hear_a_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live group that nobody speaks to is told the state again; others are not."""
    monkeypatch.setattr("parola.server.fanout.BEAT_S", 0.02)
    feed = Feed("main", MemoryLog())
    fanout, asked, other = Fanout(), Connection(), Connection()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for one, extras in ((asked, True), (other, False)):
            view = View(extras=extras)
            tasks.create_task(fanout.serve(feed, view, one.outlet, coded, 2000))
        while asked.pipe.waiting.count(b"!") < 3:  # noqa: ASYNC110 - it is waited for
            await asyncio.sleep(0.01)
        asked.outlet.end()
        other.outlet.end()
    assert other.pipe.waiting == b""


async def test_a_hall_that_comes_back_reads_the_log_once() -> None:
    """Two hundred viewers who missed the same cost the log one query a page, and share bytes."""

    class Counting(MemoryLog):
        reads = 0

        async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
            self.reads += 1
            await asyncio.sleep(0)
            return await super().read(room, after, limit)

    log = Counting()
    await log.append([entry(n) for n in range(1, 1001)])
    feed = Feed("main", log)
    await feed.load()
    log.reads = 0
    fanout, viewers = Fanout(), [Connection() for _ in range(200)]
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        for one in viewers:
            view = View(after=100, extras=True)
            tasks.create_task(fanout.serve(feed, view, one.outlet, coded, 2000))
        while any(len(numbers(one.pipe.taken)) < 900 for one in viewers):
            for one in viewers:
                one.pipe.read(10**9)
            await settle()
        for one in viewers:
            one.outlet.end()
    assert log.reads <= 3
