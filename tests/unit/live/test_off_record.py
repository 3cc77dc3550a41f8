"""What is said off the record is shown to who reads now, and is nowhere afterwards."""

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from parola.beside import beside
from parola.domain.log import StateChange, Switch
from parola.domain.transcript import Segment
from parola.domain.vocabulary import language_tag, room_name
from parola.engines.scripted import BLOCK_FRAMES, Script, ScriptedEngine, marked_audio
from parola.live.feed import View
from parola.live.off_record import OffRecord
from parola.live.rooms import Rooms
from parola.live.session import SessionPlan
from parola.stores.memory import MemoryLog, MemoryRoomBook
from tests.houses import house

MAIN = room_name("main")
PLAN = SessionPlan("s", language_tag("en-US"))


async def words(log: MemoryLog) -> list[int]:
    segments = [e.body for e in await log.read(MAIN) if isinstance(e.body, Segment)]
    return [int(word) for segment in segments for word in segment.text.split()]


async def watch(rooms: Rooms, view: View, seen: list[dict[str, Any]]) -> None:
    async with aclosing(rooms.watch(MAIN, view)) as frames:
        async for frame in frames:
            seen.append(json.loads(frame))  # noqa: PERF401 - it never ends


async def turn(rooms: Rooms, *, is_off: bool) -> None:
    """Say the word, and wait until it is in the log."""
    saving = await rooms.turn(MAIN, "off_record" if is_off else "live")
    await saving.kept()


async def until(holds: Callable[[], bool]) -> None:
    """Let the house go on until it holds."""
    while not holds():  # noqa: ASYNC110 - simulated: nothing else runs
        await asyncio.sleep(0)


def shown(seen: list[dict[str, Any]], *, off_record: bool) -> list[int]:
    finals = [f for f in seen if f["type"] == "segment" and not f["is_partial"]]
    kind = [f for f in finals if f.get("off_record", False) == off_record]
    return [int(word) for final in kind for word in final["text"].split()]


async def test_captions_flow_and_nothing_is_kept() -> None:
    """The viewer reads every word and sees the state; the log has those before and after only.

    They are numbered on without a gap, and cut at the very frame.
    """
    seen: list[dict[str, Any]] = []
    async with house() as h, h.rooms.enter(MAIN) as room:
        async with (
            beside(watch(h.rooms, View(extras=True), seen)),
            h.rooms.attend(MAIN, PLAN, 0) as hold,
        ):
            await hold.feed(marked_audio(range(7)))
            await turn(h.rooms, is_off=True)
            await hold.feed(marked_audio(range(7, 19)))
            assert room.feed.state.state == "off_record"
            await turn(h.rooms, is_off=False)
            await hold.feed(marked_audio(range(19, 25)))
            hold.end()
            await hold.intake.saved()
            assert hold.intake.safe_position == 25 * BLOCK_FRAMES
        assert await words(h.log) == [*range(7), *range(19, 25)]
        entries = await h.log.read(MAIN)
        assert [e.body.number for e in entries if isinstance(e.body, Segment)] == [1, 2, 3, 4]
        changes = [e.body for e in entries if isinstance(e.body, StateChange)]
        assert [(c.change, c.value) for c in changes if "_record" in c.change] == [
            ("off_record", str(7 * BLOCK_FRAMES)),
            ("on_record", str(19 * BLOCK_FRAMES)),
        ]
        await until(lambda: len(shown(seen, off_record=False)) == 13)
    assert shown(seen, off_record=False) == [*range(7), *range(19, 25)]
    assert shown(seen, off_record=True) == [*range(7, 19)]
    assert all(f["seq"] is None for f in seen if f.get("off_record"))
    assert not {f["session"] for f in seen if f.get("off_record")} & {"s"}
    assert "off_record" in {f["state"] for f in seen if f["type"] == "state"}


async def test_a_viewer_that_comes_later_gets_nothing_of_it() -> None:
    """Neither a newcomer nor one that resumes with its last number is sent it, guesses included."""
    async with house() as h, h.rooms.enter(MAIN), h.rooms.attend(MAIN, PLAN, 0) as hold:
        await hold.feed(marked_audio(range(5)))
        await turn(h.rooms, is_off=True)
        await hold.feed(marked_audio(range(5, 13)))
        await until(lambda: hold.session.durable_frame >= 10 * BLOCK_FRAMES)
        for after in (None, 1, 2):
            seen: list[dict[str, Any]] = []
            async with beside(watch(h.rooms, View(after, partials=True, extras=True), seen)):
                await asyncio.sleep(0.01)  # what comes comes at once
            assert not [f for f in seen if f["type"] == "segment" and f["seq"] is None]
            assert shown(seen, off_record=True) == []


@settings(max_examples=30)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("say"), st.integers(0, 9)),
            st.tuples(st.just("switch"), st.integers(0, 1)),
            st.tuples(st.just("crash"), st.integers(0, 6)),
        ),
        max_size=9,
    ),
    st.integers(1, 6),
    st.lists(st.integers(0, 40), max_size=1),
)
@example([("say", 4), ("crash", 5), ("switch", 1), ("say", 3)], 6, [1])
def test_every_word_is_where_it_belongs(
    steps: list[tuple[str, int]], per_final: int, breaks: list[int]
) -> None:
    """Whatever breaks, on record is in the log once, and off record never."""
    asyncio.run(_belongs([*steps, ("say", 3), ("end", 0)], per_final, breaks))


async def _belongs(steps: list[tuple[str, int]], per_final: int, breaks: list[int]) -> None:
    log, is_off, said, off, safe = MemoryLog(), False, 0, set[int](), 0
    book = MemoryRoomBook()
    engine = ScriptedEngine(
        Script(per_final, breaks_at=tuple(sorted({b * BLOCK_FRAMES for b in breaks})))
    )
    left = list(steps)
    while left:
        async with (
            house(
                engine, log=log, book=book, is_killed=left[-1] != ("end", 0) or len(left) > 1
            ) as h,
            h.rooms.attend(MAIN, PLAN, safe * BLOCK_FRAMES) as hold,
        ):
            # What was not acknowledged is sent again.
            await hold.feed(marked_audio(range(hold.intake.received // BLOCK_FRAMES, said)))
            while left:
                step, number = left.pop(0)
                if step == "say":
                    off |= set(range(said, said + number)) if is_off else set()
                    await hold.feed(marked_audio(range(said, said + number)))
                    said += number
                elif step == "switch":
                    is_off = bool(number)
                    await turn(h.rooms, is_off=is_off)
                elif step == "crash":
                    for _ in range(number):
                        await asyncio.sleep(0)
                    safe = hold.intake.safe_position // BLOCK_FRAMES
                    break
                else:
                    hold.end()
                    await hold.intake.saved()
    assert await words(log) == [n for n in range(said) if n not in off]


def test_a_span_is_as_long_in_sound_as_on_the_clock() -> None:
    """Sound from before the word, that the network held up, is not taken for sound after it."""
    record = OffRecord()
    assert record.switch(16_000, 1_000, is_off=False) is None
    assert record.switch(16_000, 1_000, is_off=True) == Switch(16_000, 1_000, is_off=True)
    assert record.switch(16_000, 5_000, is_off=False) == Switch(80_000, 5_000, is_off=False)
    assert [record.is_off(f) for f in (15_999, 16_000, 79_999, 80_000)] == [
        False,
        True,
        True,
        False,
    ]
    assert record.next_after(16_000) == 80_000
    record.switch(20_000, 5_500, is_off=True)
    assert record.is_off(80_000)


async def test_the_word_is_remembered_by_the_next_server() -> None:
    """A room that was off the record is off after a crash, for whoever speaks; and back on."""
    log, book = MemoryLog(), MemoryRoomBook()
    async with house(log=log, book=book, is_killed=True) as h:
        await turn(h.rooms, is_off=True)
    async with house(log=log, book=book, is_killed=True) as h, h.rooms.enter(MAIN) as room:
        assert room.is_off_record
        async with h.rooms.speak(MAIN, SessionPlan("bare", language_tag("en-US"))) as session:
            await session.feed(marked_audio(range(7)))
            session.end()
            await session.saved()
        assert await words(log) == []
        await turn(h.rooms, is_off=False)
    async with house(log=log, book=book) as h, h.rooms.enter(MAIN) as room:
        assert not room.is_off_record
