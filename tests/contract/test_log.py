"""What every log promises, checked on each of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parola.broker import open_broker
from parola.domain.errors import StoreFailed
from parola.domain.log import (
    Correction,
    Entry,
    Restore,
    RoomSummary,
    SessionPast,
    StateChange,
    Strike,
)
from parola.domain.search import phrases_of
from parola.domain.talks import Talk
from parola.domain.transcript import Segment, Word
from parola.ports import Archive, Log
from parola.stores.dynamodb import open_dynamodb
from parola.stores.memory import MemoryLog
from parola.stores.redis_archive import RedisArchive
from parola.stores.sqlite import SqliteLog, open_sqlite_log
from parola.stores.sqlite_mirror import open_mirror
from tests.broker import Broker
from tests.stand_ins import StandIn, make_table


@asynccontextmanager
async def _memory() -> AsyncIterator[Log]:
    yield MemoryLog()


@asynccontextmanager
async def _sqlite() -> AsyncIterator[Log]:
    with TemporaryDirectory() as folder:
        async with open_sqlite_log(Path(folder)) as log:
            yield log


@asynccontextmanager
async def _dynamodb(stand_in: StandIn, patch: pytest.MonkeyPatch) -> AsyncIterator[Log]:
    for name, value in stand_in.environment.items():
        patch.setenv(name, value)
    async with open_dynamodb(make_table(stand_in)) as log:
        yield log


@asynccontextmanager
async def _redis(broker: Broker) -> AsyncIterator[Log]:
    with TemporaryDirectory() as folder:
        async with open_broker(broker.url) as client, open_mirror(Path(folder)) as mirror:
            await client.flushall()
            yield RedisArchive(client, mirror)


@pytest.fixture(params=["memory", "sqlite", "redis", "ministack", "dynalite"])
async def log(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Log]:
    """Each log there is, empty; DynamoDB as two stand-ins play it."""
    if request.param in {"memory", "sqlite"}:
        opened = _memory() if request.param == "memory" else _sqlite()
    elif request.param == "redis":
        opened = _redis(request.getfixturevalue("redis_server"))
    else:
        opened = _dynamodb(request.getfixturevalue(request.param), monkeypatch)
    async with opened as log:
        yield log


def _segment(first_frame: int, text: str = "ciao", session: str = "talk") -> Segment:
    return Segment(
        session=session,
        number=1,
        text=text,
        first_frame=first_frame,
        end_frame=first_frame + 100,
        is_final=True,
        language="it-IT",
        words=(Word(text, first_frame, first_frame + 100, 0.9, stable=True),),
    )


def _entries(count: int, room: str = "sala") -> list[Entry]:
    return [Entry(room, n, 1000 + n, _segment(n * 100)) for n in range(1, count + 1)]


async def test_what_was_appended_is_read_in_order(log: Log) -> None:
    """Entries come back equal and by number, from any number on, as many as asked for."""
    entries = _entries(5)
    await log.append(entries[:2])
    await log.append(entries[2:])
    assert await log.read("sala") == entries
    assert await log.read("sala", after=2, limit=2) == entries[2:4]
    assert await log.read("sala", after=5) == []
    assert await log.read("sala", limit=0) == []
    assert await log.read("sala", limit=-1) == []


async def test_a_room_without_a_log_is_empty(log: Log) -> None:
    """Nobody has to make a room before asking for it."""
    assert await log.read("nessuna") == []
    assert await log.last_number("nessuna") == 0
    assert await log.rooms() == []


async def test_rooms_keep_to_themselves(log: Log) -> None:
    """Two rooms have the same numbers, sessions and frames and nothing to do with each other."""
    await log.append([*_entries(2, "a"), *_entries(3, "à")])
    assert [entry.room for entry in await log.read("a")] == ["a", "a"]
    assert await log.last_number("à") == 3
    assert await log.rooms() == [RoomSummary("a", 2, 1001, 1002), RoomSummary("à", 3, 1001, 1003)]


async def test_appending_again_changes_nothing(log: Log) -> None:
    """A writer that does not know whether an append was kept simply repeats it."""
    entries = [*_entries(3), Entry("sala", 4, 2000, StateChange("session_ended", "talk"))]
    await log.append(entries[:3])
    await log.append(entries)
    await log.append(entries[1:])
    assert await log.read("sala") == entries


async def test_a_replayed_segment_is_swallowed(log: Log) -> None:
    """A segment of the same session and first frame is kept once, whatever its number."""
    entries = _entries(2)
    await log.append(entries)
    replay = Entry("sala", 3, 5000, _segment(100, "ciao di nuovo"))
    after = Entry("sala", 4, 5001, _segment(900))
    await log.append([replay, after])
    assert await log.read("sala") == [*entries, after]


async def test_the_same_frame_of_another_session_is_new(log: Log) -> None:
    """Every session starts at frame 0: only session and frame together are a replay."""
    entries = [
        Entry("sala", 1, 1, _segment(0, session="one")),
        Entry("sala", 2, 2, _segment(0, session="two")),
        Entry("sala", 3, 3, StateChange("language", "two", "en-US")),
        Entry("sala", 4, 4, StateChange("language", "two", "en-US")),
    ]
    await log.append(entries)
    assert await log.read("sala") == entries


@pytest.mark.parametrize(
    "other",
    [
        Entry("sala", 2, 1002, _segment(200, "altro")),
        Entry("sala", 2, 9999, _segment(200)),
        Entry("sala", 2, 1002, StateChange("session_ended", "talk")),
        Entry("sala", 2, 1002, _segment(100)),
    ],
    ids=["text", "time", "kind", "replay"],
)
async def test_a_number_is_never_given_twice(log: Log, other: Entry) -> None:
    """An entry whose number is taken by another one fails, and nothing of its append is kept."""
    entries = _entries(3)
    await log.append(entries)
    with pytest.raises(StoreFailed, match="other content"):
        await log.append([Entry("sala", 4, 7000, _segment(400)), other])
    assert await log.read("sala") == entries
    await log.append([Entry("sala", 4, 8000, _segment(400))])
    assert await log.last_number("sala") == 4


async def test_appending_nothing_is_allowed(log: Log) -> None:
    """An empty append does nothing."""
    await log.append([])
    assert await log.rooms() == []


texts = st.text() | st.sampled_from(["\ud800", "\x00", 'a "b" \\ \n', "perché 🎤"])
frames = st.integers(0, 2**53)
bodies = st.builds(
    Segment,
    session=st.sampled_from(["one", "two"]),
    number=st.integers(1, 2**53),
    text=texts,
    first_frame=st.integers(0, 5),
    end_frame=frames,
    is_final=st.just(True),
    language=texts,
    words=st.lists(
        st.builds(Word, texts, frames, frames, st.none() | st.floats(0, 1), st.booleans()),
        max_size=3,
    ).map(tuple),
    speaker=st.none() | texts,
    made_by=st.sampled_from(["automatic", "human", "corrected"]),
    engine=texts,
) | st.builds(
    StateChange,
    st.sampled_from(["session_started", "session_ended", "language"]),
    st.sampled_from(["one", "two"]),
    texts,
)
edits = st.builds(Correction, st.just("one"), st.integers(1, 6), st.integers(1, 6), texts, texts)
entries = st.builds(
    Entry, st.sampled_from(["a", "b"]), st.integers(1, 6), st.integers(0, 2), bodies | edits
)


async def _outcome(log: Log, batch: Sequence[Entry]) -> str:
    try:
        await log.append(batch)
    except StoreFailed as error:
        return error.message
    return "kept"


def test_every_log_does_the_same(tmp_path: Path) -> None:
    """Whatever is appended, the durable log keeps and refuses just what the one in memory does."""

    async def compare(log: SqliteLog, batches: list[list[Entry]]) -> None:
        # One file for all examples: opening a new one each time is most of the work.
        await log._writer.run(lambda db: db.executescript("DELETE FROM entries; DELETE FROM said"))
        twin = MemoryLog()
        for batch in batches:
            assert await _outcome(log, batch) == await _outcome(twin, batch)
        assert await log.rooms() == await twin.rooms()
        for room in "a", "b":
            assert await log.edits(room) == await twin.edits(room)
            assert await log.read(room) == await twin.read(room)
            assert await log.last_number(room) == await twin.last_number(room)

    with asyncio.Runner() as loop:
        opened = open_sqlite_log(tmp_path)
        log = loop.run(opened.__aenter__())
        try:
            # A first run builds Hypothesis's table of characters, and a busy machine has no pace.
            @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
            @given(st.lists(st.lists(entries, max_size=4), max_size=6))
            def check(batches: list[list[Entry]]) -> None:
                loop.run(compare(log, batches))

            check()
        finally:
            loop.run(opened.__aexit__(None, None, None))


async def test_edits_are_found_among_everything_else(log: Log) -> None:
    """A room's edits come in order, as they were, and those of other rooms do not."""
    edits = [
        Entry("sala", 3, 2003, Correction("talk", 1, 1, "ciao!", "Anna")),
        Entry("sala", 5, 2005, Strike("talk", 1, 3)),
        Entry("sala", 6, 2006, Restore("talk", 1, 5, "ciao!", "Bruno")),
    ]
    change = Entry("sala", 4, 2004, StateChange("language", "talk", "en-US"))
    await log.append([*_entries(2), edits[0], change, *edits[1:]])
    await log.append([Entry("altra", 1, 1, Strike("talk", 1, 1))])
    assert await log.edits("sala") == edits
    assert await log.edits("nessuna") == []
    assert await log.read("sala", after=4) == edits[1:]


async def test_what_was_said_is_found_as_it_reads_now(log: Log) -> None:
    """All words, whole phrases, beginnings, accents: corrections count, what is struck does not."""
    if not isinstance(log, Archive):
        pytest.skip("this log cannot be searched")
    started = StateChange("session_started", "talk", "it-IT")
    await log.append([Entry("sala", 1, 1, started)])
    lines = ["perché la città dorme", "la citta di Nuoro", "Grazia Deleda di Nuoro", "segreto"]
    await log.append(
        [Entry("sala", n + 2, n + 2, _segment(n * 100, t)) for n, t in enumerate(lines)]
    )
    await log.append([Entry("altra", 1, 9, _segment(0, "altra città"))])
    await log.append(
        [
            Entry("sala", 6, 6, Correction("talk", 4, 4, "Grazia Deledda di Nùoro")),
            Entry("sala", 7, 7, Strike("talk", 5, 5)),
            Entry("sala", 8, 8, Correction("talk", 4, 4, "nobody saw this")),
            Entry("sala", 9, 10, StateChange("session_ended", "talk")),
        ]
    )

    async def found(query: str, room: str | None = None) -> list[int]:
        entries = await log.search(phrases_of(query), room)
        assert all(isinstance(entry.body, Segment) for entry in entries)
        return [entry.number for entry in entries]

    assert await found("CITTA") == [1, 3, 2]
    assert await found("citt", "sala") == [3, 2]
    assert await found("nuoro città") == [3]
    assert await found('"di nuoro"') == [4, 3]
    assert await found('"nuoro di"') == []
    assert await found("deledda") == [4]
    assert await found("deleda ") == await found("segreto") == await found("nobody") == []
    assert await found("") == await found(' " - ') == []
    (entry,) = await log.search(phrases_of("deledda"))
    assert isinstance(entry.body, Segment)
    assert (entry.body.text, entry.body.made_by) == ("Grazia Deledda di Nùoro", "corrected")
    await log.append([Entry("sala", 10, 11, Restore("talk", 5, 7, "segreto"))])
    assert await found("segreto") == [5]
    assert await log.talks() == [Talk("sala", "talk", "it-IT", 1, 10, 4)]


async def test_it_knows_where_a_session_stands(log: Log) -> None:
    """A session's newest segment, and whether its talk is open: what a restart goes on from."""
    assert await log.past("sala", "talk") == SessionPast()
    started = StateChange("session_started", "talk", "it-IT")
    await log.append([Entry("sala", 1, 1, started), Entry("sala", 2, 2, _segment(100))])
    await log.append([Entry("sala", 3, 3, _segment(9000, session="other"))])
    assert await log.past("sala", "talk") == SessionPast(1, 200, is_open=True)
    assert await log.past("sala", "other") == SessionPast(1, 9100)
    assert await log.past("elsewhere", "talk") == SessionPast()
    later = Entry("sala", 4, 4, replace(_segment(300), number=2))
    await log.append([later, Entry("sala", 5, 5, StateChange("language", "talk", "en-US"))])
    assert await log.past("sala", "talk") == SessionPast(2, 400, is_open=True)
    await log.append([Entry("sala", 6, 6, StateChange("session_ended", "talk"))])
    assert await log.past("sala", "talk") == SessionPast(2, 400)
