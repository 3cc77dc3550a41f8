"""The last two minutes of a conversation, as everybody who looks is sent them."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.errors import StoreFailed
from parola.domain.log import Correction, Edit, Entry, Restore, StateChange, Strike
from parola.domain.transcript import Segment
from parola.domain.vocabulary import room_name
from parola.live.windows import WINDOW_MS, Windows
from parola.ports import Numbered, RoomState
from parola.stores.memory import MemoryLog
from tests.houses import House, house

CALL = room_name("call")
BEGIN_S = 1000.0

Lines = list[dict[str, Any]]


def windows(h: House, every_s: float = 3600.0) -> Windows:
    return Windows(h.rooms, h.rooms._tasks, every_s=every_s)


async def say(h: House, number: int, speaker: str | None = None) -> None:
    """Let a final be said in the call now."""
    body = Segment("s", number, str(number), number * 1600, (number + 1) * 1600, True, "en-US")
    if speaker:
        body = Segment("s", number, str(number), 0, 79_280, True, "en-US", speaker=speaker)
    saving = h.rooms.plugs.recorder.submit(CALL, body, int(h.clock[0] * 1000))
    await h.rooms.plugs.bus.publish(CALL, Numbered(saving.entry))


def lines(message: str) -> Lines:
    told = json.loads(message)
    assert told.keys() == {"type", "value"}
    assert told["type"] == "transcripts"
    value: Lines = told["value"]
    return value


async def texts_until(messages: AsyncGenerator[str], last: str) -> list[str]:
    """Return the texts of the first window that ends with `last`."""
    async for message in messages:
        found = [line["transcript"] for line in lines(message)]
        if found and found[-1] == last:
            return found
    raise AssertionError


async def test_the_window_comes_at_once_and_with_every_line() -> None:
    """A viewer is sent what there is, also where that is nothing, and then each new line."""
    async with house() as h, aclosing(windows(h).follow(CALL)) as messages:
        assert lines(await anext(messages)) == []
        await say(h, 1, "Ada")
        (line,) = lines(await anext(messages))
        assert line == {
            "callId": "call",
            "endTime": "4.955",
            "eventTimestamp": "1970-01-01T00:16:40.000Z",
            "resultId": line["resultId"],
            "speakerName": "Ada",
            "startTime": "0.0",
            "transcript": "1",
        }
        await say(h, 2)
        assert "speakerName" not in lines(await anext(messages))[1]


async def test_the_window_comes_again_though_nothing_is_said() -> None:
    """Every ten seconds, here a hundredth of one; lines older than two minutes are gone by then."""
    async with house() as h, aclosing(windows(h, 0.01).follow(CALL)) as messages:
        await anext(messages)
        await say(h, 1)
        assert await texts_until(messages, "1") == ["1"]
        assert len(lines(await anext(messages))) == 1
        h.clock[0] += WINDOW_MS / 1000 + 0.1
        while lines(await anext(messages)):
            pass


async def test_a_blank_room_shows_nothing() -> None:
    """At once, and until the operator lets the words flow again."""
    async with house() as h, aclosing(windows(h).follow(CALL)) as messages:
        await anext(messages)
        await say(h, 1)
        assert lines(await anext(messages))
        await h.rooms.plugs.bus.publish(CALL, RoomState("hidden"))
        assert lines(await anext(messages)) == []
        await say(h, 2)
        assert lines(await anext(messages)) == []
        await h.rooms.plugs.bus.publish(CALL, RoomState("listening"))
        assert await texts_until(messages, "2") == ["1", "2"]


async def test_a_line_reads_as_people_have_left_it() -> None:
    """Corrected, struck and back again: at once for who looks, and for who comes later."""
    edits: dict[Edit, list[str]] = {
        Correction("s", 1, 1, "one", "Ada"): ["one", "2"],
        Strike("s", 1, 3, "Ada"): ["2"],
        Restore("s", 1, 4, "one", "Ada"): ["one", "2"],
    }
    async with house() as h, aclosing(windows(h).follow(CALL)) as messages:
        await anext(messages)
        await say(h, 1)
        await say(h, 2)
        await texts_until(messages, "2")
        for edit, wanted in edits.items():
            saving = h.rooms.plugs.recorder.submit(CALL, edit, int(h.clock[0] * 1000))
            await h.rooms.plugs.bus.publish(CALL, Numbered(saving.entry))
            found = lines(await anext(messages))
            assert [line["transcript"] for line in found] == wanted
            async with aclosing(windows(h).follow(CALL)) as later:
                assert lines(await anext(later)) == found


async def test_one_reader_serves_everybody() -> None:
    """The log is read once however many look, and all are sent the same string."""
    log = CountingLog()
    async with house(log=log) as h:
        shared = windows(h)
        await h.rooms.plugs.recorder.open_room(CALL)
        await say(h, 1)
        await h.rooms.plugs.recorder.settled()
        viewers = [shared.follow(CALL) for _ in range(20)]
        first = [await anext(viewer) for viewer in viewers]
        reads = log.reads
        more = [shared.follow(CALL) for _ in range(20)]
        first += [await anext(viewer) for viewer in more]
        assert log.reads == reads
        assert {id(message) for message in first} == {id(first[0])}
        for viewer in viewers + more:
            await viewer.aclose()


class CountingLog(MemoryLog):
    """A log that counts how often it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        self.reads += 1
        return await super().read(room, after, limit)


async def test_who_comes_later_finds_what_was_said() -> None:
    """Also when nobody looked while it was said, and after everybody had left."""
    async with house() as h:
        shared = windows(h)
        async with aclosing(shared.follow(CALL)) as messages:
            await anext(messages)
        await asyncio.sleep(0)
        async with h.rooms.enter(CALL):
            await say(h, 1)
        async with aclosing(shared.follow(CALL)) as messages:
            assert await texts_until(messages, "1") == ["1"]


class LateLog(MemoryLog):
    """A log that cannot be read a second time."""

    times = 0

    async def last_number(self, room: str) -> int:
        return await super().last_number(room)

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        self.times += 1
        if self.times > 2:
            raise StoreFailed("The disk is gone.")
        return await super().read(room, after, limit)


async def test_a_log_that_cannot_be_read_is_told() -> None:
    """The viewer hears why nothing comes, and the next one tries again."""
    async with house(log=LateLog()) as h:
        for _ in range(2):
            with pytest.raises(StoreFailed, match="disk is gone"):
                async with aclosing(windows(h).follow(CALL)) as messages:
                    await anext(messages)


Steps = st.lists(st.tuples(st.integers(0, 50_000), st.sampled_from(["line", "change", "look"])))


@given(Steps)
def test_a_window_is_what_was_said_in_two_minutes(steps: list[tuple[int, str]]) -> None:
    """Oldest first, no line twice, none missing, and no two at the same time."""
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[int, str]]) -> None:
    said: list[tuple[int, str]] = []
    async with house() as h, aclosing(windows(h, 0.0).follow(CALL)) as messages:
        await anext(messages)
        for number, (wait_ms, what) in enumerate(steps, 1):
            h.clock[0] += wait_ms / 1000
            now_ms = int(h.clock[0] * 1000)
            if what == "line":
                await say(h, number)
                entry_ms = (await h.rooms.plugs.recorder.read(CALL))[-1].at_ms
                said.append((entry_ms, str(number)))
            elif what == "change":
                change = StateChange("language", "s", "it-IT")
                saving = h.rooms.plugs.recorder.submit(CALL, change, now_ms)
                await h.rooms.plugs.bus.publish(CALL, Numbered(saving.entry))
            for _ in range(3):
                await asyncio.sleep(0)  # The reader takes its turn.
            found = lines(await anext(messages))
            wanted = [text for at_ms, text in said if at_ms >= now_ms - WINDOW_MS]
            assert [line["transcript"] for line in found] == wanted
            times = [line["eventTimestamp"] for line in found]
            assert times == sorted(set(times))
