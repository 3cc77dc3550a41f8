"""The last two minutes of a conversation that other nodes hear."""

import asyncio
import json
from contextlib import aclosing

from parola.domain.errors import StoreFailed
from parola.domain.log import Entry
from parola.domain.transcript import Segment
from parola.domain.vocabulary import room_name
from parola.live.windows import Windows
from tests.houses import house

CALL = room_name("call")


class ListLog:
    """A shared log in memory, which counts who asks."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.asked = 0
        self.is_down = False

    async def since(self, room: str, since_ms: int) -> list[Entry]:
        self.asked += 1
        if self.is_down:
            raise StoreFailed("AWS's dynamodb cannot be reached; it is tried again.")
        return [entry for entry in self.entries if entry.at_ms >= since_ms]


def _entry(number: int) -> Entry:
    body = Segment("talk", number, str(number), number * 100, number * 100 + 90, True, "it-IT")
    return Entry(CALL, number, 1_000_000 + number, body)


def _texts(message: str) -> list[str]:
    return [line["transcript"] for line in json.loads(message)["value"]]


async def test_a_line_that_comes_late_stands_where_it_belongs() -> None:
    """A queue may deliver the second line first; what cannot be read now stays as it was."""
    shared = ListLog()
    shared.entries = [_entry(2)]
    async with house() as h:
        windows = Windows(h.rooms, h.rooms._tasks, every_s=0.05, shared=shared, look_s=0.01)
        async with aclosing(windows.follow(CALL)) as messages:
            assert _texts(await anext(messages)) == ["2"]
            shared.entries = [_entry(1), _entry(2)]
            while (found := _texts(await anext(messages))) == ["2"]:
                pass
            assert found == ["1", "2"]
            shared.is_down = True
            asked = shared.asked
            while shared.asked < asked + 3:
                assert _texts(await anext(messages)) == ["1", "2"]


async def test_it_is_asked_once_however_many_look() -> None:
    """One reader a room: ten viewers cost the shared log what one costs."""
    shared = ListLog()
    shared.entries = [_entry(1)]
    async with house() as h:
        windows = Windows(h.rooms, h.rooms._tasks, shared=shared, look_s=3600)
        viewers = [windows.follow(CALL) for _ in range(10)]
        found = await asyncio.gather(*(anext(viewer) for viewer in viewers))
        assert [_texts(message) for message in found] == [["1"]] * 10
        assert shared.asked == 1
        for viewer in viewers:
            await viewer.aclose()
