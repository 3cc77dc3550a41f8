"""However slow a viewer is, and whenever: every final once, in order, and little waits for it."""

import asyncio
import socket
from contextlib import suppress
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
from parola.server.outlet import UNSENT_BYTES, Outlet, write_bare
from parola.stores.memory import MemoryLog
from tests.unit.live.test_feed import entry, segment


class Plug:
    """A socket as a transport shows it; one of this kind knows nothing of TCP."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        return self._sock.fileno()

    def setsockopt(self, *_: int) -> None:
        pass


class Transport:
    """Writes to a real socket as asyncio's do: what it does not take waits, and pauses."""

    def __init__(self, *, plain: bool) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for end in (self._ours, self._theirs):
            end.setblocking(False)
        self._plain = plain
        self.taken = b""
        self.waiting = b""
        self.most = 0
        self.outlet: Outlet | None = None
        self._high = 65536
        self._paused = False

    def set_write_buffer_limits(self, high: int) -> None:
        self._high = high

    def get_extra_info(self, name: str) -> object:
        return {"socket": Plug(self._ours), "sslcontext": not self._plain}[name]

    def get_write_buffer_size(self) -> int:
        return len(self.waiting)

    def write(self, data: bytes) -> None:
        self.waiting += data
        self._flush()
        self.most = max(self.most, len(self.waiting))
        if len(self.waiting) > self._high and not self._paused:
            self._paused = True
            assert self.outlet
            self.outlet.pause()

    def _flush(self) -> None:
        with suppress(BlockingIOError):
            while self.waiting:
                self.waiting = self.waiting[self._ours.send(self.waiting) :]

    def read(self, count: int) -> bool:
        """Let the viewer read; return whether there was anything. The loop hears of it later."""
        before = len(self.taken)
        with suppress(BlockingIOError):
            while read := self._theirs.recv(min(65536, count - len(self.taken) + before)):
                self.taken += read
        asyncio.get_running_loop().call_soon(self._writable)
        return len(self.taken) > before

    def _writable(self) -> None:
        if self._ours.fileno() == -1:
            return
        self._flush()
        if self._paused and len(self.waiting) <= self._high // 4:
            self._paused = False
            assert self.outlet
            self.outlet.resume()

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class Connection:
    """A connection whose other end the test plays."""

    def __init__(self, *, plain: bool = True) -> None:
        self.pipe = Transport(plain=plain)
        self.transport = cast("asyncio.Transport", self.pipe)
        self.outlet = self.pipe.outlet = Outlet(self)
        self.last_word = (0, "")

    def give_up(self, code: int, reason: str) -> None:
        self.last_word = (code, reason)

    def close(self) -> None:
        """Let the viewer go, with its socket."""
        self.outlet.end()
        self.pipe.close()


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
    st.tuples(
        st.sampled_from(["say", "guess", "tell", "read", "take", "pass"]), st.integers(1, 60)
    ),
    max_size=25,
)


class Stage:
    """A feed that is spoken into, and two viewers of one group."""

    def __init__(self, past: int, after: int, *, plain: bool) -> None:
        self.past = past
        self.last = past
        self.after = after
        self.log = MemoryLog()
        self.feed = Feed("main", self.log)
        self.fanout = Fanout()
        self.slow, self.quick = Connection(plain=plain), Connection(plain=plain)

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
            await settle()
            for _ in range(1000):
                news = [one.pipe.read(10**9) for one in (self.slow, self.quick)]
                await settle()
                if not any(news):
                    break
            self.slow.close()
            self.quick.close()

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
        elif what == "take":
            self.slow.pipe.read(count * 160)  # and what is said next comes before the loop knows
        else:
            self.slow.pipe.read(count * 160 if what == "read" else 0)
            await settle()
        self.quick.pipe.read(10**9)


@settings(max_examples=60)
@given(steps=STEPS, past=st.integers(0, 60), after=st.integers(0, 60), plain=st.booleans())
def test_every_final_comes_once_however_slow_the_viewer(
    steps: list[tuple[str, int]], past: int, after: int, *, plain: bool
) -> None:
    """Two viewers of one group, one of them slow: both read the same story; little waits."""
    stage = Stage(past, min(after, past), plain=plain)
    asyncio.run(stage.play(steps))
    for one in (stage.slow, stage.quick):
        assert numbers(one.pipe.taken) == list(range(stage.after + 1, stage.last + 1))
    assert stage.slow.pipe.most <= UNSENT_BYTES + BATCH * 80 + 240
    assert not stage.feed.listeners
    assert not stage.fanout._groups


async def test_a_viewer_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has had its time; one that takes a little has more."""
    monkeypatch.setattr(outlets, "PATIENCE_S", 0.5)
    connection = Connection()
    connection.pipe.write(bytes(3 * 65536))
    waiting = asyncio.ensure_future(connection.outlet.until_taken())
    for _ in range(4):
        await asyncio.sleep(0.15)
        connection.pipe.read(8192)
        assert not waiting.done()
    with pytest.raises(TooSlow):
        await waiting
    connection.close()


async def test_those_who_ask_for_states_hear_a_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live group that nobody speaks to is told the state again; others are not."""
    monkeypatch.setattr("parola.server.fanout.BEAT_S", 0.02)
    feed = Feed("main", MemoryLog())
    fanout, asked, other = Fanout(), Connection(), Connection()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for one, extras in ((asked, True), (other, False)):
            view = View(extras=extras)
            tasks.create_task(fanout.serve(feed, view, one.outlet, coded, 2000))
        while asked.pipe.taken.count(b"!") < 3:
            await asyncio.sleep(0.01)
            asked.pipe.read(10**9)
        assert not other.pipe.read(10**9)
        asked.close()
        other.close()


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
            one.close()
    assert log.reads <= 3


async def test_what_was_written_before_is_read_before() -> None:
    """A transport that still holds the handshake's answer is not written past."""
    feed, fanout, late = Feed("main", MemoryLog()), Fanout(), Connection()
    late.pipe.waiting = b"101 "
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(fanout.serve(feed, View(), late.outlet, coded, 2000))
        await settle()
        for number in (1, 2, 3):
            feed.apply(Numbered(entry(number)))
        for _ in range(3):
            late.pipe.read(10**9)
            await settle()
        late.close()
    assert [int(line) for line in late.pipe.taken.split()] == [101, 1, 2, 3]


async def test_a_caption_larger_than_what_a_socket_takes_comes_whole() -> None:
    """A part goes past the transport, the rest through it, and the next after that."""
    log = MemoryLog()
    feed, fanout, viewer = Feed("main", log), Fanout(), Connection()

    def large(frame: Frame) -> bytes:
        return coded(frame) * 5000

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(fanout.serve(feed, View(), viewer.outlet, large, 2000))
        await settle()
        for number in (1, 2, 3):
            await log.append([entry(number)])
            feed.apply(Numbered(entry(number)))
        while len(viewer.pipe.taken) < 3 * 5000 * 80:
            assert viewer.pipe.read(10**9)
            await settle()
        viewer.close()
    assert numbers(viewer.pipe.taken) == [1] * 5000 + [2] * 5000 + [3] * 5000


def test_a_socket_that_does_not_take_all_is_told_of() -> None:
    """One that is full, one whose viewer has gone, one that has room: who took how much."""
    pairs = [socket.socketpair() for _ in range(3)]
    for ours, _ in pairs:
        ours.setblocking(False)
    _fill(pairs[0][0])
    pairs[1][1].close()
    assert write_bare([ours.fileno() for ours, _ in pairs], b"news") == [(0, 0), (1, 0)]
    assert pairs[2][1].recv(100) == b"news"
    large = bytes(10**7)
    ((place, taken),) = write_bare([pairs[2][0].fileno()], large)
    assert place == 0
    assert 0 < taken < len(large)
    for sock in (sock for pair in pairs for sock in pair):
        sock.close()


def _fill(sock: socket.socket) -> None:
    with suppress(BlockingIOError):
        while True:
            sock.send(bytes(4096))
