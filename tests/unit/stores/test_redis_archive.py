"""What a node finds in the logs on a broker, from a copy that it can lose at any time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.broker import open_broker, room_key
from parola.domain.errors import StoreFailed
from parola.domain.log import Body, Correction, Edit, Entry, Restore, StateChange, Strike
from parola.domain.search import phrases_of
from parola.domain.transcript import Segment
from parola.ports import Archive, Forgotten
from parola.stores import redis_archive
from parola.stores.memory import MemoryLog
from parola.stores.redis_archive import RedisArchive
from parola.stores.sqlite_mirror import MIRROR_FILE, open_mirror
from tests.broker import Broker

WORDS = ("perla", "perché", "sale")


def _final(number: int, text: str, session: str = "talk", room: str = "sala") -> Entry:
    body = Segment(session, 1, text, number * 100, number * 100 + 90, True, "it-IT")
    return Entry(room, number, number, body)


class Archived(RedisArchive):
    """A log whose broker does not write its file anew each time: that has tests of its own."""

    async def _write_file_anew(self) -> None:
        pass


@asynccontextmanager
async def _node(broker: Broker, folder: Path) -> AsyncIterator[RedisArchive]:
    folder.mkdir(exist_ok=True)
    async with open_broker(broker.url) as client, open_mirror(folder) as mirror:
        yield Archived(client, mirror)


@pytest.fixture
async def broker(redis_server: Broker) -> Broker:
    async with open_broker(redis_server.url) as client:
        await client.flushall()
    return redis_server


async def _found(log: Archive, query: str, room: str | None = None) -> list[int]:
    return [entry.number for entry in await log.search(phrases_of(query), room)]


steps = st.one_of(
    st.tuples(st.just("say"), st.sampled_from("ab"), st.sampled_from(["one", "two"]), st.text()),
    st.tuples(st.just("say"), st.sampled_from("ab"), st.just("one"), st.sampled_from(WORDS)),
    st.tuples(st.just("begin"), st.sampled_from("ab"), st.sampled_from(["one", "two"])),
    st.tuples(st.just("end"), st.sampled_from("ab"), st.sampled_from(["one", "two"])),
    st.tuples(st.just("edit"), st.sampled_from("ab"), st.integers(0, 5), st.integers(0, 2)),
    st.tuples(st.just("forget"), st.integers(0, 4), st.sampled_from([(), ("one",)])),
    st.tuples(st.just("ask"), st.sampled_from([(0,), (1,), (0, 1)])),
    st.tuples(st.just("restart"), st.integers(0, 1)),
    st.just(("reset",)),
)


def _body(step: tuple[object, ...], newest: dict[int, int], number: int) -> Body | None:
    """Return what a step writes into a room whose finals have these newest versions."""
    match step:
        case ("say", _, str(session), str(text)):
            return Segment(session, 1, text, number * 100, number * 100 + 90, True, "it-IT")
        case ("begin", _, str(session)):
            return StateChange("session_started", session, "it-IT")
        case ("end", _, str(session)):
            return StateChange("session_ended", session)
        case ("edit", _, int(which), int(kind)) if newest:
            of = sorted(newest)[which % len(newest)]
            made = (
                Correction("one", of, newest[of], "perla nera"),
                Strike("one", of, newest[of]),
                Restore("one", of, newest[of], "sale grosso"),
            )
            return made[kind]
    return None


class World:
    """Two nodes on a broker, and a log in memory that has had the same."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self._broker = broker
        self._folder = folder
        self._twin = MemoryLog()
        self._newest: dict[str, dict[int, int]] = {}
        """Each room's finals, with the number of their newest edit."""
        self._held = [AsyncExitStack(), AsyncExitStack()]
        self._nodes: dict[int, RedisArchive] = {}

    async def start(self, number: int) -> None:
        """Start a node, anew where it runs."""
        await self._held[number].aclose()
        opened = _node(self._broker, self._folder / str(number))
        self._nodes[number] = await self._held[number].enter_async_context(opened)

    async def stop(self) -> None:
        """Stop both."""
        for held in self._held:
            await held.aclose()

    async def lose(self) -> None:
        """Empty the broker."""
        async with open_broker(self._broker.url) as client:
            await client.flushall()
        self._twin, self._newest = MemoryLog(), {}

    async def forget(self, by: int, before_ms: int, spare: tuple[str, ...]) -> None:
        """Have a node forget."""
        gone = await self._twin.forget(before_ms, spare)
        assert await self._nodes[by].forget(before_ms, spare) == gone

    async def write(self, by: int, at_ms: int, step: tuple[object, ...]) -> None:
        """Have a node write into a room."""
        room = str(step[1])
        number, finals = await self._twin.last_number(room) + 1, self._newest.setdefault(room, {})
        body = _body(step, finals, number)
        if isinstance(body, Segment):
            finals[number] = number
        elif isinstance(body, Edit):
            finals[body.of] = number
        if body:
            for log in self._twin, self._nodes[by]:
                await log.append([Entry(room, number, at_ms, body)])

    async def agrees(self, number: int) -> None:
        """Ask a node everything."""
        node = self._nodes[number]
        assert await node.talks() == await self._twin.talks()
        for word in (*WORDS, "nera", '"sale grosso"'):
            for room in None, "a":
                found = await node.search(phrases_of(word), room)
                assert found == await self._twin.search(phrases_of(word), room)


async def _live(world: World, plan: list[tuple[object, ...]]) -> None:
    await world.lose()
    for number in 0, 1:
        await world.start(number)
    for at_ms, step in enumerate(plan):
        match step:
            case ("forget", int(for_ms), tuple(spare)):
                await world.forget(at_ms % 2, at_ms - for_ms, spare)
            case ("ask", tuple(numbers)):
                for number in numbers:
                    await world.agrees(number)
            case ("restart", int(number)):
                await world.start(number)
            case ("reset",):
                await world.lose()
            case _:
                await world.write(at_ms % 2, at_ms, step)
    for number in 0, 1:
        await world.agrees(number)
    await world.stop()


def test_each_node_finds_what_is_in_the_logs(
    redis_server: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is said, edited, forgotten, or lost with the broker, and whenever nodes restart."""
    monkeypatch.setattr(redis_archive, "PAGE", 3)
    monkeypatch.setattr(redis_archive, "IDS", 2)
    with asyncio.Runner() as loop:

        @settings(max_examples=30)
        @given(st.lists(steps, min_size=5, max_size=20))
        def check(plan: list[tuple[object, ...]]) -> None:
            loop.run(_live(World(redis_server, tmp_path), plan))

        check()


async def test_what_one_node_forgets_is_in_no_file_of_the_others(
    broker: Broker, tmp_path: Path
) -> None:
    """Also where nobody asks anything there: each node looks by itself."""
    old = [_final(n, f"canary{n} " * 30, "old") for n in range(1, 40)]
    new = [_final(n, "magpie", "new") for n in range(40, 50)]

    def holding(word: bytes) -> list[str]:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return sorted(path.parent.name for path in files if word in path.read_bytes())

    async with _node(broker, tmp_path / "one") as one, _node(broker, tmp_path / "two") as two:
        await one.append([*old, *new])
        assert len(await one.talks()) == len(await two.talks()) == 0
        assert set(holding(b"canary")) == {"one", "two"}
        await one.forget(40)
        assert set(holding(b"canary")) == {"two"}
        told: list[Forgotten] = []

        async def let_go(gone: Forgotten) -> None:
            assert holding(b"canary") == ["two"] * len(holding(b"canary"))
            told.append(gone)

        following = asyncio.create_task(two.run(let_go))
        async with asyncio.timeout(30):
            while holding(b"canary"):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        following.cancel()
        assert told == [Forgotten(frozenset({("sala", "old")}), 39)]
        assert await _found(two, "canary") == []
        assert set(holding(b"magpie")) == {"one", "two"}
        assert len(await _found(two, "magpie")) == 10


async def test_a_broker_that_has_lost_its_newest_lines_is_believed(
    broker: Broker, tmp_path: Path
) -> None:
    """One that syncs too rarely loses lines in a power cut; other lines get their numbers."""
    async with _node(broker, tmp_path) as log, open_broker(broker.url) as client:
        await log.append([_final(1, "resta"), _final(2, "perduta"), _final(3, "perduta")])
        assert await _found(log, "perduta") == [3, 2]
        for lines in ([_final(2, "nuova")], [_final(n, "altra") for n in (2, 3, 4)]):
            for part in ("log", "said", "ends"):
                await client.delete(room_key("sala", part))
            await log.append([_final(1, "resta"), *lines])
            assert await _found(log, "perduta") == []
            assert await _found(log, "resta") == [1]
        assert await _found(log, "altra") == [4, 3, 2]
        assert await _found(log, "nuova") == []


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _scribble(path: Path) -> None:
    path.write_text("this is no database " * 500)


def _of_a_later_parola(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def _of_another_format(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA application_id = 99")


@pytest.mark.parametrize(
    "spoil", [_truncate, _scribble, _of_a_later_parola, _of_another_format, Path.unlink]
)
async def test_a_copy_that_cannot_be_used_is_made_anew(
    spoil: Callable[[Path], None], broker: Broker, tmp_path: Path
) -> None:
    """Nobody has to do anything."""
    async with _node(broker, tmp_path) as log:
        await log.append([_final(n, "perla") for n in range(1, 30)])
        assert len(await _found(log, "perla")) == 29
    spoil(tmp_path / MIRROR_FILE)
    async with _node(broker, tmp_path) as log:
        assert len(await _found(log, "perla")) == 29


async def test_a_node_that_is_far_behind_says_so(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never answers from a half of what there is; it is asked again, and has it all."""
    async with _node(broker, tmp_path) as log:
        await log.append([_final(1, "perla")])
        monkeypatch.setattr(redis_archive, "READY_S", 0.0)
        with pytest.raises(StoreFailed, match="try again"):
            await log.talks()
        monkeypatch.undo()
        assert await _found(log, "perla") == [1]


async def test_who_asks_at_the_same_time_shares_a_look_at_the_broker(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hall that opens the archive at once asks it two or three times; each has what was there."""
    looks: list[int] = []

    async def look(self: RedisArchive) -> None:
        looks.append(1)
        await follow(self)

    follow = RedisArchive._follow
    monkeypatch.setattr(RedisArchive, "_follow", look)
    async with _node(broker, tmp_path) as log:
        await log.append([_final(1, "perla")])
        first = asyncio.create_task(_found(log, "perla"))
        while not (looks or first.done()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        await log.append([_final(2, "perla")])
        found = await asyncio.gather(*(_found(log, "perla") for _ in range(50)))
        assert found == [[2, 1]] * 50
        assert 1 in await first
        assert len(looks) <= 3


async def test_a_broker_that_takes_no_writes_can_be_searched(
    broker: Broker, tmp_path: Path
) -> None:
    """Its memory is full, say: what it has is found."""
    async with _node(broker, tmp_path) as log, open_broker(broker.url) as client:
        assert await log.talks() == []
        await log.append([_final(1, "perla")])
        await client.config_set("maxmemory", 1)
        try:
            with pytest.raises(StoreFailed, match="memory"):
                await log.append([_final(2, "perla")])
            assert await _found(log, "perla") == [1]
        finally:
            await client.config_set("maxmemory", 0)


async def test_without_its_broker_nothing_is_found(broker: Broker, tmp_path: Path) -> None:
    """What was taken out meanwhile must not be shown, and nobody can say what that is."""
    async with _node(broker, tmp_path) as log:
        await log.append([_final(1, "perla")])
        assert await _found(log, "perla") == [1]
    gone = Broker(broker.folder, "127.0.0.1", 1)
    async with _node(gone, tmp_path) as log:
        with pytest.raises(StoreFailed, match="broker"):
            await log.search(phrases_of("perla"))
        with pytest.raises(StoreFailed, match="broker"):
            await log.talks()
