"""A talk whose source numbers its sound survives its connections, and the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.beside import beside
from parola.domain.audio import FRAME_BYTES
from parola.domain.errors import EngineFailed, RoomBusy, Stopping
from parola.domain.log import SessionPast, StateChange, Withheld
from parola.domain.transcript import Segment
from parola.domain.vocabulary import language_tag, room_name
from parola.engines.scripted import (
    BLOCK_FRAMES,
    Script,
    ScriptedEngine,
    ScriptedStream,
    marked_audio,
)
from parola.live.intake import Hold
from parola.live.rooms import Limits, Rooms
from parola.live.session import Session, SessionPlan
from parola.ports import RoomState, StreamRequest
from parola.stores.memory import MemoryLog
from tests.houses import house

MAIN = room_name("main")
PLAN = SessionPlan("s", language_tag("en-US"))


@asynccontextmanager
async def attending(rooms: Rooms, numbers: range) -> AsyncIterator[Hold]:
    """Connect, and send what is wanted of the numbers."""
    position = numbers.start * BLOCK_FRAMES
    async with rooms.attend(MAIN, PLAN, position) as hold:
        wanted = hold.intake.received // BLOCK_FRAMES
        await hold.feed(marked_audio(range(wanted, numbers.stop)))
        yield hold


async def segments(log: MemoryLog) -> list[Segment]:
    return [e.body for e in await log.read(MAIN) if isinstance(e.body, Segment)]


async def words(log: MemoryLog) -> list[str]:
    return [word for segment in await segments(log) for word in segment.text.split()]


async def changes(log: MemoryLog) -> list[str]:
    return [e.body.change for e in await log.read(MAIN) if isinstance(e.body, StateChange)]


def numbered(count: int) -> list[str]:
    return [str(n) for n in range(count)]


async def test_a_talk_survives_its_connections() -> None:
    """However often the source comes back: one talk, every word once, cut as if nothing was."""
    async with house() as h:
        for until in (7, 7, 12):
            async with attending(h.rooms, range(until)):
                pass
        async with attending(h.rooms, range(18)) as hold:
            hold.end()
            await hold.intake.saved()
        await h.rooms.drain(5.0)
        assert [s.text for s in await segments(h.log)][:1] == ["0 1 2 3 4"]
        assert await words(h.log) == numbered(18)
        assert await changes(h.log) == ["session_started", "session_ended"]


async def test_a_source_takes_over_its_own_dying_connection() -> None:
    """At once, from what the server has; the old connection can say nothing more."""
    async with house() as h, attending(h.rooms, range(7)) as dying:
        async with attending(h.rooms, range(9)) as alive:
            assert alive.session is dying.session
            with pytest.raises(RoomBusy):
                await dying.feed(marked_audio(range(7, 9)))
            with pytest.raises(RoomBusy):
                dying.end()
            alive.end()
            await alive.intake.saved()
        assert await words(h.log) == numbered(9)


async def test_another_source_is_refused() -> None:
    """Only the talk itself may take its place, also while it waits for its source."""
    other = SessionPlan("other", language_tag("en-US"))
    async with house() as h:
        async with attending(h.rooms, range(3)):
            pass
        with pytest.raises(RoomBusy):
            async with h.rooms.attend(MAIN, other, 0):
                pass
        async with attending(h.rooms, range(5)) as hold:
            hold.end()
            await hold.intake.saved()
        assert await words(h.log) == numbered(5)


async def test_a_talk_that_nobody_comes_back_to_ends() -> None:
    """Its last words are made final, and its source may still go on later, under the same id."""
    async with house(limits=Limits(linger_s=0.01)) as h:
        async with attending(h.rooms, range(7)) as hold:
            pass
        await hold.session.finished()
        assert await words(h.log) == numbered(7)
        with pytest.raises(Stopping):
            await hold.session.feed(b"")
        async with attending(h.rooms, range(12)) as again:
            assert again.intake.received == 12 * BLOCK_FRAMES
            again.end()
            await again.intake.saved()
        assert await words(h.log) == numbered(12)


async def test_a_gap_is_a_gap_and_not_a_shift() -> None:
    """A source that had to give up sound says so: the words after it keep their times."""
    async with house() as h:
        async with attending(h.rooms, range(5)):
            pass
        async with attending(h.rooms, range(10, 15)) as hold:
            hold.end()
            await hold.intake.saved()
        assert [s.first_frame for s in await segments(h.log)] == [0, 10 * BLOCK_FRAMES]
        assert [s.number for s in await segments(h.log)] == [1, 2]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), st.integers(0, 12)), max_size=5),
    st.booleans(),
)
def test_a_server_that_comes_back_repeats_and_loses_nothing(
    lives: list[tuple[int, int, int]], is_saved: bool
) -> None:
    """Each life of the server ends at any point, and its engine cuts where it likes."""
    asyncio.run(_many_lives(lives, is_saved=is_saved))


async def _many_lives(lives: list[tuple[int, int, int]], *, is_saved: bool) -> None:
    log, safe = MemoryLog(), 0
    for until, per_final, forgotten in lives:
        async with house(ScriptedEngine(Script(per_final)), log=log, is_killed=True) as h:
            # An acknowledgement may be lost on its way.
            begin = max(safe - forgotten, 0)
            async with attending(h.rooms, range(begin, max(until, begin))) as hold:
                if is_saved:
                    for _ in range(100):
                        await asyncio.sleep(0)  # until the engine has said what it can
                    await h.rooms.plugs.recorder.settled()
                safe = max(safe, hold.intake.safe_position // BLOCK_FRAMES)
    async with house(log=log) as h, attending(h.rooms, range(safe, 45)) as hold:
        hold.end()
        await hold.intake.saved()
    assert await words(log) == numbered(45)
    assert [s.number for s in await segments(log)] == list(range(1, len(await segments(log)) + 1))
    assert await changes(log) == ["session_started", "session_ended"]


async def test_a_missed_last_acknowledgement_leaves_no_trace() -> None:
    """The source repeats its end to a new server: nothing is logged a second time."""
    log = MemoryLog()
    for _ in range(2):
        async with house(log=log) as h, attending(h.rooms, range(7)) as hold:
            hold.end()
            await hold.intake.saved()
            assert hold.intake.safe_position == 7 * BLOCK_FRAMES
    assert await words(log) == numbered(7)
    assert await changes(log) == ["session_started", "session_ended"]


async def test_stopping_leaves_the_talk_open_for_the_next_server() -> None:
    """The sentence is saved up to the word that the stop cuts, and goes on there, as one talk."""
    log = MemoryLog()
    async with house(log=log) as h, attending(h.rooms, range(7)) as hold:
        await h.rooms.drain(5.0)
        assert hold.intake.safe_position == 6 * BLOCK_FRAMES
    assert await words(log) == numbered(6)
    async with house(log=log) as h, attending(h.rooms, range(6, 12)) as hold:
        hold.end()
        await hold.intake.saved()
    assert await words(log) == numbered(12)
    assert await changes(log) == ["session_started", "session_ended"]


async def test_a_word_that_a_stop_cuts_in_two_is_heard_whole_by_the_next_server() -> None:
    """Wherever the sound stands at that moment: what has no text yet is not called safe."""
    for cut_frames in (1, 100, BLOCK_FRAMES // 2, BLOCK_FRAMES - 1):
        log, sound = MemoryLog(), marked_audio(range(12))
        frames = 7 * BLOCK_FRAMES + cut_frames
        async with house(log=log) as h, h.rooms.attend(MAIN, PLAN, 0) as hold:
            await hold.feed(sound[: frames * FRAME_BYTES])
            await h.rooms.drain(5.0)
            safe = hold.intake.safe_position
        assert safe == 6 * BLOCK_FRAMES, "the seventh may have been cut, for all an engine knows"
        async with house(log=log) as h, h.rooms.attend(MAIN, PLAN, safe) as hold:
            assert hold.intake.received == safe
            await hold.feed(sound[safe * FRAME_BYTES :])
            hold.end()
            await hold.intake.saved()
        assert await words(log) == numbered(12)


async def test_a_server_that_lets_talks_end_takes_back_their_own_sources_only() -> None:
    """A connection that breaks then is let in again; another talk goes elsewhere."""
    async with house() as h:
        async with attending(h.rooms, range(7)):
            emptying = asyncio.create_task(h.rooms.empty())
            await asyncio.sleep(0)
            with pytest.raises(Stopping):
                async with h.rooms.attend(room_name("other"), replace(PLAN, session="t"), 0):
                    pass
        async with h.rooms.attend(MAIN, PLAN, 7 * BLOCK_FRAMES) as hold:
            assert not emptying.done()
            await hold.feed(marked_audio(range(7, 9)))
            hold.end()
            await hold.intake.saved()
        await emptying
        assert await words(h.log) == numbered(9)


class Gone(ScriptedEngine):
    """An engine that is gone while a test says so."""

    is_gone = False

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator[ScriptedStream]:
        if self.is_gone:
            raise EngineFailed("It is gone.")
        async with super().open(request) as stream:
            yield stream


async def test_a_talk_goes_on_after_its_engine_was_gone_for_good() -> None:
    """The failure ends the session, and is told; the source comes back and all is said again."""
    engine = Gone(Script(5))
    async with house(engine) as h:
        engine.is_gone = True
        async with attending(h.rooms, range(7)) as hold:
            hold.session.fail(EngineFailed("It is gone."))
            with pytest.raises(EngineFailed):
                await hold.feed(b"")
            hold.session.end()
            await hold.session.stopped()
        engine.is_gone = False
        async with attending(h.rooms, range(12)) as hold:
            hold.end()
            await hold.intake.saved()
        assert await words(h.log) == numbered(12)


async def test_a_stale_position_repeats_nothing() -> None:
    """A source that sends old sound into a session that the log knows already says it once."""
    screen = Shown()
    past = SessionPast(1, 5 * BLOCK_FRAMES, is_open=True)
    session = Session(PLAN, ScriptedEngine(Script(4)), None, screen, past=past)
    async with beside(session.run()):
        await session.feed(marked_audio(range(12)))
        session.end()
        await session.finished()
    assert screen.words == [str(n) for n in range(5, 12)]


class Shown:
    """A sink that keeps the finals' words."""

    def __init__(self) -> None:
        self.words: list[str] = []

    async def show(self, segment: Segment) -> None:
        self.words += segment.text.split() if segment.is_final else []

    async def withhold(self, withheld: Withheld) -> None:
        pass

    async def tell(self, state: RoomState) -> None:
        pass
