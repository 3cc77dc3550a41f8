"""What every mood book promises, checked on each of them with its log."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.analysts.local import LocalAnalyst, intent, read
from parola.broker import open_broker
from parola.domain.corrections import Edits
from parola.domain.log import Body, Correction, Entry, Restore, StateChange, Strike
from parola.domain.mood import PAUSE_S, LineMood
from parola.domain.transcript import Segment
from parola.live.moods import Moods
from parola.ports import Forgets, Log, MoodBook, Unread
from parola.stores.redis_log import RedisLog
from parola.stores.redis_moods import RedisMoods
from parola.stores.redis_tickets import UNREAD, RedisTickets
from parola.stores.sqlite import open_sqlite
from tests.broker import Broker

HOLD_S = 0.3
"""How long a process that is gone holds up the next one, where several share a broker."""

TEXTS = ("what a wonderful talk", "this is a disaster", "the table has six columns", "thank you")


class Kept(Log, Forgets, Protocol):
    """A log that forgets."""


@dataclass(frozen=True, slots=True)
class Stores:
    """A log and its mood book, as one process has them."""

    log: Kept
    moods: MoodBook


Open = Callable[[bool], AbstractAsyncContextManager[Stores]]
"""Opens them as a new process does; whether it reads lines."""


@asynccontextmanager
async def _sqlite(folder: Path, *, reads: bool) -> AsyncIterator[Stores]:
    async with open_sqlite(folder, reads=reads) as stores:
        yield Stores(stores.log, stores.moods)


@asynccontextmanager
async def _redis(broker: Broker, *, reads: bool) -> AsyncIterator[Stores]:
    async with open_broker(broker.url) as client:
        tickets = RedisTickets(client, UNREAD, HOLD_S)
        log = RedisLog(client, unread=tickets if reads else None)
        yield Stores(log, RedisMoods(client, tickets, log))


@asynccontextmanager
async def _empty(broker: Broker | None) -> AsyncIterator[Stores]:
    """Open an empty book, on a broker or in a folder."""
    if broker is None:
        with TemporaryDirectory() as folder:
            async with _sqlite(Path(folder), reads=True) as stores:
                yield stores
    else:
        await _emptied(broker)
        async with _redis(broker, reads=True) as stores:
            yield stores


async def _emptied(broker: Broker) -> None:
    async with open_broker(broker.url) as client:
        await client.flushall()


@pytest.fixture(params=["sqlite", "redis"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Each mood book there is, empty."""
    if request.param == "sqlite":
        return lambda reads: _sqlite(tmp_path, reads=reads)
    broker: Broker = request.getfixturevalue("redis_server")
    await _emptied(broker)
    return lambda reads: _redis(broker, reads=reads)


@pytest.fixture
async def stores(opened: Open) -> AsyncIterator[Stores]:
    """A log and its mood book, empty."""
    async with opened(True) as stores:
        yield stores


def _entry(number: int, body: Body) -> Entry:
    return Entry("sala", number, 1000 + number, body)


def _final(number: int, text: str = TEXTS[0], session: str = "talk") -> Entry:
    frame = number * 16_000
    return _entry(number, Segment(session, number, text, frame, frame + 900, True, "en-US"))


def _mood(line: Unread, score: float = 0.5) -> LineMood:
    assert line.segment
    return LineMood(
        line.room,
        line.number,
        line.segment.session,
        line.at_ms,
        line.segment.first_frame,
        score,
        "thanks",
        "local",
    )


async def _settle_all(stores: Stores, score: float = 0.5) -> None:
    while lines := await stores.moods.unread(100):
        await stores.moods.settle(lines, [_mood(line, score) for line in lines if line.segment])


async def test_new_lines_are_to_be_read_the_newest_first(stores: Stores) -> None:
    """Finals and nothing else, as they read now, as many as asked for; again until settled."""
    await stores.log.append([_final(1), _final(2)])
    await stores.log.append([_entry(3, StateChange("session_ended", "talk"))])
    await stores.log.append([Entry("à b", 1, 7, _final(1).body)])
    lines = await stores.moods.unread(10)
    told = [(line.room, line.number, line.at_ms) for line in lines]
    assert told == [("à b", 1, 7), ("sala", 2, 1002), ("sala", 1, 1001)]
    assert lines[1].segment == _final(2).body
    assert await stores.moods.unread(2) == lines[:2]
    await stores.moods.settle(lines[:1], [])
    assert await stores.moods.unread(10) == lines[1:]


async def test_what_was_read_is_told_as_it_was(stores: Stores) -> None:
    """A session's lines in their order; those nobody could read are none of them."""
    await stores.log.append([_final(1), _final(2, session="other"), _final(3), _final(4)])
    lines = (await stores.moods.unread(10))[::-1]
    moods = [_mood(line, line.number / 10) for line in lines[:3]]
    await stores.moods.settle(lines, moods[::-1])
    assert await stores.moods.unread(10) == []
    assert await stores.moods.moods("sala", "talk") == [moods[0], moods[2]]
    assert await stores.moods.moods("sala") == moods
    assert await stores.moods.moods("sala", "nobody") == []
    assert await stores.moods.moods("elsewhere") == []


async def test_the_newest_conversation_begins_after_a_long_silence(stores: Stores) -> None:
    """However many lines it has, and were said before."""
    pause_ms = int(PAUSE_S * 1000) + 1
    before = [Entry("sala", n, n, _final(n).body) for n in range(1, 600)]
    since = [Entry("sala", n, n + pause_ms, _final(n).body) for n in range(600, 1200)]
    await stores.log.append([*before, *since])
    await _settle_all(stores)
    numbers = [mood.number for mood in await stores.moods.moods("sala")]
    assert numbers == list(range(600, 1200))
    assert len(await stores.moods.moods("sala", "talk")) == 1199


async def test_a_line_that_is_edited_while_it_is_read_waits_on(stores: Stores) -> None:
    """What was read of its old text is not the last word."""
    await stores.log.append([_final(1)])
    lines = await stores.moods.unread(10)
    await stores.log.append([_entry(2, Correction("talk", 1, 1, TEXTS[1]))])
    await stores.moods.settle(lines, [_mood(lines[0], 0.9)])
    (again,) = await stores.moods.unread(10)
    assert again.segment
    assert again.segment.text == TEXTS[1]
    await stores.moods.settle([again], [_mood(again, -0.9)])
    assert [mood.score for mood in await stores.moods.moods("sala")] == [-0.9]
    assert await stores.moods.unread(10) == []


async def test_what_is_struck_is_told_of_no_more(stores: Stores) -> None:
    """It is to be looked at once more, and nothing is there to be read."""
    await stores.log.append([_final(1), _final(2)])
    await _settle_all(stores)
    await stores.log.append([_entry(3, Strike("talk", 1, 1))])
    (line,) = await stores.moods.unread(10)
    assert (line.number, line.segment) == (1, None)
    await stores.moods.settle([line], [])
    assert [mood.number for mood in await stores.moods.moods("sala")] == [2]


async def test_what_the_log_forgets_is_told_of_no_more(stores: Stores) -> None:
    """Neither what was read nor what was to be; also where it was being read just then."""
    await stores.log.append([_final(1), _final(2)])
    first = (await stores.moods.unread(10))[1:]
    await stores.moods.settle(first, [_mood(first[0])])
    await stores.log.append([Entry("sala", 3, 9000, _final(3, session="newer").body)])
    lines = await stores.moods.unread(10)
    await stores.log.forget(5000)
    assert [line.number for line in await stores.moods.unread(10)] == [3]
    await stores.moods.settle(lines, [_mood(line) for line in lines])
    assert [mood.number for mood in await stores.moods.moods("sala")] == [3]
    assert await stores.moods.moods("sala", "talk") == []


async def test_the_next_process_reads_what_one_left(opened: Open) -> None:
    """Nothing is read twice or left out; where nobody reads nothing is noted."""
    async with opened(True) as stores:
        await stores.log.append([_final(1), _final(2)])
        lines = await stores.moods.unread(1)
        await stores.moods.settle(lines, [_mood(lines[0])])
        await stores.moods.unread(1)
    async with opened(False) as stores:
        await stores.log.append([_final(3)])
    async with opened(True) as stores:
        async with asyncio.timeout(20):
            while not (left := await stores.moods.unread(10)):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        assert [line.number for line in left] == [1]
        assert [mood.number for mood in await stores.moods.moods("sala")] == [2]


async def test_who_waits_is_woken(stores: Stores) -> None:
    """By what was there before, and by each append."""
    async with asyncio.timeout(20):
        await stores.moods.news()
        await stores.log.append([_final(1)])
        await stores.moods.news()
    assert len(await stores.moods.unread(10)) == 1


Step = tuple[str, int, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["final", "correct", "strike", "restore", "read"]),
        st.integers(1, 6),
        st.sampled_from(TEXTS),
    ),
    max_size=25,
)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_what_is_known_is_of_the_text_as_it_reads_now(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """Whatever was said, corrected, struck and restored, and whenever lines were read between.

    In the end there is one mood for each line that can be read, of its newest text, and no other.
    """
    broker: Broker | None = request.getfixturevalue("redis_server") if kind == "redis" else None
    with asyncio.Runner() as loop:

        @settings(max_examples=15, deadline=None)
        @given(STEPS)
        def check(steps: list[Step]) -> None:
            loop.run(_do(steps, broker))

        check()


async def _do(steps: list[Step], broker: Broker | None) -> None:
    entries: list[Entry] = []
    edits = Edits()
    async with _empty(broker) as stores:
        moods = Moods(stores.moods, LocalAnalyst(), intent)
        for step in steps:
            if step[0] == "read":
                await moods._read_some()
                continue
            if (entry := _next(len(entries) + 1, entries, edits, step)) is None:
                continue
            await stores.log.append([entry])
            entries.append(entry)
            edits.add(entry)
        while await moods._read_some():
            pass
        found = {(m.number, m.score, m.intent) for m in await moods.lines_of("sala", "talk")}
    wanted = {
        (now.number, *_read(now.body.text))
        for now in edits.read_all(entries)
        if isinstance(now.body, Segment)
    }
    assert found == wanted


def _next(number: int, entries: list[Entry], edits: Edits, step: Step) -> Entry | None:
    what, place, text = step
    finals = [entry.number for entry in entries if isinstance(entry.body, Segment)]
    if what == "final":
        return _final(number, text)
    if not finals:
        return None
    of = finals[place % len(finals)]
    made_on = edits.standing(of).version
    body: Body = Strike("talk", of, made_on)
    if what == "correct":
        body = Correction("talk", of, made_on, text)
    elif what == "restore":
        body = Restore("talk", of, made_on, text)
    return _entry(number, body)


def _read(text: str) -> tuple[float, str]:
    found = read("en-US", text)
    assert found
    return found
