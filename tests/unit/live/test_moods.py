"""Lines are read beside the captions, and what fails there fails nowhere else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from parola.analysts.local import LocalAnalyst, intent, read
from parola.beside import beside
from parola.domain.errors import AnalystFailed
from parola.domain.log import Entry
from parola.domain.mood import LineMood
from parola.domain.transcript import Segment
from parola.live.moods import FIRST_PAUSE_S, LONGEST_PAUSE_S, Moods, Sleep
from parola.ports import Analyst, Forgotten, Unread
from parola.stores.sqlite import SqliteStores, open_sqlite

TEXTS = ("what a wonderful talk", "this is a disaster", "the table has six columns", "thank you")


def _final(number: int, text: str, language: str = "en-US") -> Entry:
    frame = number * 16_000
    body = Segment("talk", number, text, frame, frame + 900, True, language)
    return Entry("sala", number, 1000 + number, body)


class Moody(LocalAnalyst):
    """The local analyst, with failures on the way."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked: list[str] = []

    async def scores(self, language: str, texts: Sequence[str]) -> list[float | None]:
        self.asked += texts
        if self.failures:
            raise self.failures.pop(0)
        return await super().scores(language, texts)


@asynccontextmanager
async def _reading(
    stores: SqliteStores, analyst: Analyst, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[Moods]:
    moods = Moods(stores.moods, analyst, intent, sleep=sleep)
    async with asyncio.timeout(20), beside(moods.run()):
        yield moods


async def _all_read(stores: SqliteStores) -> None:
    while await stores.moods.unread(1):  # noqa: ASYNC110 - the store tells its reader only
        await asyncio.sleep(0.005)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - metrics look at it, and wait for nothing
        await asyncio.sleep(0.005)


async def test_a_line_is_known_soon_after_it_is_in_the_log(tmp_path: Path) -> None:
    """Sentiment and intent of each final, in order; a language nobody knows is left out."""
    async with open_sqlite(tmp_path, reads=True) as stores, _reading(stores, LocalAnalyst()) as it:
        await stores.log.append(
            [_final(1, TEXTS[0]), _final(2, "habari", "sw"), _final(3, TEXTS[1])]
        )
        await _all_read(stores)
        found = [(m.number, m.score, m.intent) for m in await it.lines_of("sala")]
        assert found == [(1, *_read(TEXTS[0])), (3, *_read(TEXTS[1]))]
        assert (await it.newest("sala")).label == "neutral"
        await stores.log.append([_final(4, "grazie mille, è stato bellissimo", "it-IT")])
        await _all_read(stores)
        assert (await it.newest("sala")).label == "positive"
        assert (await it.newest("elsewhere")).curve == ()


async def test_what_one_process_left_the_next_one_reads(tmp_path: Path) -> None:
    """What is still to be read survives a crash; nothing is noted where nobody reads."""
    async with open_sqlite(tmp_path, reads=True) as stores:
        await stores.log.append([_final(1, TEXTS[0])])
    async with open_sqlite(tmp_path) as stores:
        await stores.log.append([_final(2, TEXTS[1])])
    async with open_sqlite(tmp_path, reads=True) as stores, _reading(stores, LocalAnalyst()) as it:
        await _all_read(stores)
        assert [mood.number for mood in await it.lines_of("sala")] == [1]


async def test_an_analyst_that_fails_is_asked_again_and_told_of(tmp_path: Path) -> None:
    """It pauses longer each time; the log goes on meanwhile, and no line is lost."""
    analyst = Moody(*[AnalystFailed("Amazon Comprehend cannot be reached.") for _ in range(9)])
    pauses: list[float] = []
    failed, go_on = asyncio.Event(), asyncio.Event()

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        failed.set()
        await go_on.wait()

    async with open_sqlite(tmp_path, reads=True) as stores:
        await stores.log.append([_final(1, TEXTS[0])])
        async with _reading(stores, analyst, sleep) as it:
            await failed.wait()
            assert it.failure == "Amazon Comprehend cannot be reached."
            await stores.log.append([_final(2, TEXTS[1])])
            go_on.set()
            await _all_read(stores)
            await _until(lambda: it.failure is None)
            assert it.lines == 2
    assert len(pauses) == 9
    assert FIRST_PAUSE_S / 2 <= pauses[0] <= FIRST_PAUSE_S
    assert LONGEST_PAUSE_S / 2 <= pauses[-1] <= LONGEST_PAUSE_S


async def test_a_broken_analyst_costs_its_own_lines_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A line that breaks a plug is left out and told of; the next one is read."""
    analyst = Moody(ZeroDivisionError("a bug"))
    async with open_sqlite(tmp_path, reads=True) as stores:
        await stores.log.append([_final(1, TEXTS[0])])
        async with _reading(stores, analyst) as it:
            await _all_read(stores)
            await stores.log.append([_final(2, TEXTS[1])])
            await _all_read(stores)
            assert [mood.number for mood in await it.lines_of("sala")] == [2]
    assert "1 lines are not read: local broke" in caplog.text


def _read(text: str) -> tuple[float, str]:
    found = read("en-US", text)
    assert found
    return found


async def test_what_was_deleted_is_not_remembered(tmp_path: Path) -> None:
    """A room's mood goes with its talk, and not only when the next line is said there."""
    async with open_sqlite(tmp_path, reads=True) as stores, _reading(stores, LocalAnalyst()) as it:
        await stores.log.append([_final(1, TEXTS[0])])
        await _all_read(stores)
        await _until(lambda: it.lines == 1)
        while "sala" not in it._newest:  # not where something is read in the same moment
            assert (await it.newest("sala")).score > 0
        gone = await stores.log.forget(2_000_000)
        assert (await it.newest("sala")).score > 0, "it is remembered: else this shows nothing"
        it.forget(gone)
        assert sum((await it.newest("sala")).counts.values()) == 0


async def test_a_talk_that_is_deleted_while_it_is_looked_at_is_not_remembered() -> None:
    """Whoever asked just before still hears of it; whoever asks next does not."""
    book = HeldMoods(LineMood("sala", 1, "talk", 1000, 0, 0.9, "other", "local"))
    it = Moods(book, LocalAnalyst(), intent)
    looking = asyncio.create_task(it.newest("sala"))
    await book.asked.wait()
    it.forget(Forgotten(frozenset({("sala", "talk")}), 1))
    book.may_answer.set()
    assert sum((await looking).counts.values()) == 1
    book.lines = []
    assert sum((await it.newest("sala")).counts.values()) == 0


class HeldMoods:
    """A mood book that answers when a test lets it."""

    def __init__(self, *lines: LineMood) -> None:
        self.lines = list(lines)
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def moods(self, room: str, session: str | None = None) -> list[LineMood]:
        found = self.lines
        self.asked.set()
        await self.may_answer.wait()
        return found

    async def news(self) -> None:
        """There is none."""

    async def unread(self, limit: int) -> list[Unread]:
        return []

    async def settle(self, lines: Sequence[Unread], moods: Sequence[LineMood]) -> None:
        """Nothing was read."""
