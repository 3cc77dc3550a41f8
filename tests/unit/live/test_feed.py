"""A viewer gets exactly what it missed, in order, once; and then what comes."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from parola.domain.log import Entry, StateChange, Withheld
from parola.domain.transcript import Segment
from parola.live.feed import REPLAY, REPLAY_MS, WINDOW, Feed, View
from parola.ports import Numbered, Partial, RoomState
from parola.stores.memory import MemoryLog


def segment(number: int, *, final: bool = True, text: str = "") -> Segment:
    return Segment("s", number, text or f"n{number}", number * 10, number * 10 + 10, final, "en-US")


def entry(number: int, at_ms: int = 1000) -> Entry:
    if number % 7 == 0:
        return Entry("main", number, at_ms + number, StateChange("language", "s", "it-IT"))
    return Entry("main", number, at_ms + number, segment(number))


async def feed_of(entries: int) -> Feed:
    log = MemoryLog()
    if entries:
        await log.append([entry(n) for n in range(1, entries + 1)])
    feed = Feed("main", log)
    await feed.load()
    return feed


def withheld(number: int) -> Entry:
    body = Withheld("s", "thank you for watching", 0, 8000, "no speech", 3.0, "hostile")
    return Entry("main", number, 1000 + number, body)


async def read(feed: Feed, view: View, count: int, now_ms: int = 2000) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with aclosing(feed.watch(view, now_ms)) as frames:
        async with asyncio.timeout(5):
            while len(found) < count:
                found.append(json.loads(await anext(frames)))
    return found


async def is_silent(feed: Feed, view: View, after_frames: int) -> bool:
    """Return whether nothing more comes after so many frames."""
    async with aclosing(feed.watch(view, 2000)) as frames:
        for _ in range(after_frames):
            await anext(frames)
        waiting = asyncio.ensure_future(anext(frames))
        await asyncio.wait({waiting}, timeout=0.02)
        silent = not waiting.done()
        waiting.cancel()
        await asyncio.wait({waiting})
    return silent


@settings(max_examples=40, deadline=None)
@given(
    past=st.integers(0, 50) | st.integers(WINDOW - 5, WINDOW + 300),
    live=st.integers(0, 30),
    after=st.data(),
)
def test_a_viewer_that_resumes_misses_nothing_and_sees_nothing_twice(
    past: int, live: int, after: st.DataObject
) -> None:
    """From any number on, through log, window and live events: each entry once, in order."""
    last = past + live
    # The window's first entry is where reading from the log ends: look there closely.
    edge = max(past - WINDOW, 0)
    near_the_edge = st.integers(max(edge - 25, 0), min(edge + 5, past))
    seen = after.draw(st.integers(0, past) | near_the_edge)

    async def run() -> None:
        feed = await feed_of(past)
        watching = aclosing(feed.watch(View(seen, extras=True), 2000))
        async with asyncio.timeout(10), watching as frames:
            assert json.loads(await anext(frames))["type"] == "state"
            numbers = []
            if seen < past:
                numbers.append(json.loads(await anext(frames))["seq"])
            for number in range(past + 1, last + 1):
                feed.apply(Numbered(entry(number)))
                feed.apply(Numbered(entry(number)))
            while len(numbers) < last - seen:
                numbers.append(json.loads(await anext(frames))["seq"])
        assert numbers == list(range(seen + 1, last + 1))

    asyncio.run(run())


async def test_older_clients_get_text_and_nothing_else() -> None:
    """Every frame has a string `text`: state changes and states go to viewers that ask."""
    feed = await feed_of(20)
    frames = await read(feed, View(0), 18)
    assert all(isinstance(frame["text"], str) for frame in frames)
    assert await is_silent(feed, View(0), 18)


async def test_a_newcomer_gets_the_recent_past_and_not_yesterday() -> None:
    """A late viewer sees what was said, up to a hundred entries of the last twelve hours."""
    feed = await feed_of(300)
    first = (await read(feed, View(extras=True), 2))[1]
    assert first["seq"] == 300 - REPLAY + 1
    tomorrow = 1000 + 300 + REPLAY_MS + 1
    async with aclosing(feed.watch(View(), tomorrow)) as frames:
        feed.apply(Numbered(entry(302)))
        assert json.loads(await anext(frames))["seq"] == 302


async def test_finals_only_unless_partials_are_asked_for() -> None:
    """The conference system's default: no guesses on the screen."""
    feed = await feed_of(0)
    feed.apply(Partial(segment(1, final=False)))
    assert await is_silent(feed, View(), 0)
    (frame,) = await read(feed, View(partials=True), 1)
    assert (frame["is_partial"], frame["text"]) == (True, "n1")


async def test_a_slow_viewer_skips_partials_and_no_final() -> None:
    """It finds the newest guess and every final when it comes back."""
    feed = await feed_of(0)
    async with aclosing(feed.watch(View(partials=True), 2000)) as frames:
        feed.apply(Partial(segment(1, final=False, text="a")))
        assert json.loads(await anext(frames))["text"] == "a"
        for text in ("b", "c", "d"):
            feed.apply(Partial(segment(1, final=False, text=text)))
        feed.apply(Numbered(entry(1)))
        feed.apply(Numbered(entry(2)))
        feed.apply(Partial(segment(3, final=False, text="e")))
        texts = [json.loads(await anext(frames))["text"] for _ in range(3)]
    assert texts == ["n1", "n2", "e"]


async def test_a_viewer_that_comes_after_the_final_is_not_shown_its_partial() -> None:
    """The final stands for it."""
    feed = await feed_of(0)
    feed.apply(Partial(segment(1, final=False)))
    feed.apply(Numbered(entry(1)))
    assert await is_silent(feed, View(partials=True), 1)


async def test_states_reach_viewers_that_ask_at_once_and_on_change() -> None:
    """A display always knows what is going on."""
    feed = await feed_of(0)
    async with aclosing(feed.watch(View(extras=True), 2000)) as frames:
        assert json.loads(await anext(frames))["state"] == "idle"
        feed.apply(RoomState("failed", "Fetch the model again."))
        frame = json.loads(await anext(frames))
    assert (frame["state"], frame["detail"]) == ("failed", "Fetch the model again.")


async def test_a_number_from_another_log_does_not_silence_a_viewer() -> None:
    """The data folder was replaced: the viewer is a newcomer in the new log."""
    feed = await feed_of(3)
    assert [frame["seq"] for frame in await read(feed, View(after=999), 3)] == [1, 2, 3]


async def test_what_is_withheld_reaches_no_viewer() -> None:
    """Neither live, nor from the log, nor for those who ask for everything."""
    log = MemoryLog()
    await log.append([withheld(1), *(entry(n) for n in range(2, WINDOW + 10)), withheld(600)])
    feed = Feed("main", log)
    await feed.load()
    feed.apply(Numbered(withheld(601)))
    feed.apply(Numbered(entry(602)))
    frames = await read(feed, View(after=0, extras=True), WINDOW + 10)
    assert "thank you" not in json.dumps(frames)
    assert [f["seq"] for f in frames if "seq" in f] == [*range(2, WINDOW + 10), 602]
