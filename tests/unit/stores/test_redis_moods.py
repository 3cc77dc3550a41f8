"""What a mood book on a broker promises beyond the contract: several nodes share it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from parola.analysts.local import LocalAnalyst, intent
from parola.beside import beside
from parola.broker import open_broker
from parola.domain.log import Correction, Entry
from parola.domain.mood import LineMood
from parola.domain.transcript import Segment
from parola.live.moods import OTHERS_S, Moods
from parola.ports import Unread
from parola.stores.redis_log import RedisLog
from parola.stores.redis_moods import RedisMoods
from parola.stores.redis_tickets import UNREAD, RedisTickets
from tests.broker import Broker

LINES = 60


@dataclass(frozen=True, slots=True)
class Node:
    """A log and a mood book, as one node has them."""

    log: RedisLog
    moods: RedisMoods


@asynccontextmanager
async def node(broker: Broker, hold_s: float = 60) -> AsyncIterator[Node]:
    """Open a node; with the context it is gone without a word."""
    async with open_broker(broker.url) as client:
        tickets = RedisTickets(client, UNREAD, hold_s)
        log = RedisLog(client, unread=tickets)
        yield Node(log, RedisMoods(client, tickets, log))


@pytest.fixture
async def broker(redis_server: Broker) -> Broker:
    async with open_broker(redis_server.url) as client:
        await client.flushall()
    return redis_server


def _final(number: int, text: str = "what a wonderful talk") -> Entry:
    body = Segment("talk", number, text, number * 100, number * 100 + 90, True, "en-US")
    return Entry("sala", number, 1000 + number, body)


def _mood(line: Unread, score: float) -> LineMood:
    return LineMood("sala", line.number, "talk", line.at_ms, 100, score, "other", "local")


async def _taken(other: Node) -> list[Unread]:
    """Return what another node had taken, as soon as it is free."""
    async with asyncio.timeout(20):
        while not (found := await other.moods.unread(10)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    return found


async def test_a_node_that_comes_back_late_changes_nothing(broker: Broker) -> None:
    """It stood still with what it had read; the line was corrected and read anew meanwhile."""
    async with node(broker, hold_s=0.1) as slow, node(broker) as other:
        await slow.log.append([_final(1)])
        (old,) = await slow.moods.unread(10)
        await other.log.append([Entry("sala", 2, 2000, Correction("talk", 1, 1, "a disaster"))])
        (new,) = await _taken(other)
        await other.moods.settle([new], [_mood(new, -0.9)])
        await slow.moods.settle([old], [_mood(old, 0.9)])
        for each in slow, other:
            assert [mood.score for mood in await each.moods.moods("sala")] == [-0.9]
            assert await each.moods.unread(10) == []


async def test_each_line_is_read_once_by_whichever_node(broker: Broker) -> None:
    """Three read, one of them stands still for ever in the middle: no line twice, none left out.

    Every node tells of all of them, of what others have read after a moment.
    """
    read: list[str] = []
    stands = asyncio.Event()

    class Counting(LocalAnalyst):
        async def scores(self, language: str, texts: Sequence[str]) -> list[float | None]:
            read.extend(texts)
            return await super().scores(language, texts)

    class Standing(LocalAnalyst):
        async def scores(self, language: str, texts: Sequence[str]) -> list[float | None]:
            stands.set()
            await asyncio.Event().wait()
            return []

    now_s = 0.0
    async with (
        asyncio.timeout(60),
        node(broker, hold_s=1) as one,
        node(broker) as two,
        node(broker) as three,
    ):
        dying = Moods(one.moods, Standing(), intent)
        others = [
            Moods(each.moods, Counting(), intent, book_is_shared=True, monotonic=lambda: now_s)
            for each in (two, three)
        ]
        for mood in others:
            assert (await mood.newest("sala")).curve == ()
        await one.log.append([_final(n, f"line {n}") for n in range(1, LINES)])
        async with beside(dying.run()):
            await stands.wait()
            async with beside(others[0].run()), beside(others[1].run()):
                await two.log.append([_final(LINES, f"line {LINES}")])
                while len(await two.moods.moods("sala")) < LINES:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.02)
        assert sorted(read) == sorted(f"line {n}" for n in range(1, LINES + 1))
        now_s = OTHERS_S + 0.1
        for mood in others:
            assert sum((await mood.newest("sala")).counts.values()) == LINES
