"""What can go wrong, and when: a schedule of faults drawn from a seed."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from parola.domain.audio import AudioChunk
from parola.domain.errors import EngineFailed, StoreFailed
from parola.domain.log import Entry, RoomSummary, SessionPast
from parola.domain.transcript import Hypothesis
from parola.domain.vocabulary import Language
from parola.engines.scripted import Script, ScriptedEngine, ScriptedStream
from parola.ports import EngineEvent, StreamRequest
from parola.stores.memory import MemoryLog

KINDS = (
    "server killed",
    "client killed",
    "client reset",
    "client reset, server told late",
    "client black hole",
    "client slow",
    "viewer reset",
    "viewer black hole",
    "engine breaks",
    "engine stalls",
    "engine talks garbage",
    "engine gone",
    "disk full",
    "disk slow",
    "disk answer lost",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    at_s: float
    """Since the talk began."""

    kind: str
    for_s: float
    """How long it lasts, where it lasts."""


def schedule(seed: int, talk_s: float) -> list[Fault]:
    """Return the faults of a seed, in order: two to ten, some of them at once."""
    draw = random.Random(seed)  # noqa: S311 - to be drawn again
    faults = [
        Fault(draw.uniform(0, talk_s + 2), draw.choice(KINDS), draw.choice([0.05, 0.5, 3, 12]))
        for _ in range(draw.randint(2, 10))
    ]
    return sorted(faults, key=lambda fault: fault.at_s)


class Disk:
    """A log on a disk that fails, hangs, or keeps what it then says it has not kept."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.full_until_s = self.slow_until_s = 0.0
        self.loses_answers = 0

    async def append(self, entries: Sequence[Entry]) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self.slow_until_s:
            await asyncio.sleep(self.slow_until_s - loop.time())
        await asyncio.sleep(0.002)
        if loop.time() < self.full_until_s:
            raise StoreFailed("The disk is full; free some space.")
        await self.log.append(entries)
        if self.loses_answers:
            self.loses_answers -= 1
            raise StoreFailed("The disk did not answer.")

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        await asyncio.sleep(0.001)
        return await self.log.read(room, after, limit)

    async def edits(self, room: str) -> list[Entry]:
        await asyncio.sleep(0.001)
        return await self.log.edits(room)

    async def last_number(self, room: str) -> int:
        await asyncio.sleep(0.001)
        return await self.log.last_number(room)

    async def past(self, room: str, session: str) -> SessionPast:
        await asyncio.sleep(0.001)
        return await self.log.past(room, session)

    async def newest_switch(self, room: str) -> Entry | None:
        return await self.log.newest_switch(room)

    async def rooms(self) -> list[RoomSummary]:
        return await self.log.rooms()


class FaultyEngine:
    """A scripted engine that breaks, stalls or talks garbage when it is told to."""

    name = "scripted"
    gated = False

    def __init__(self) -> None:
        self._engine = ScriptedEngine(Script(words_per_final=7))
        self.next_fault: str | None = None
        self.gone_until_s = 0.0

    def knows(self, language: Language) -> bool:
        return True

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator["_FaultyStream"]:
        if asyncio.get_running_loop().time() < self.gone_until_s:
            raise EngineFailed("The engine is gone.")
        async with self._engine.open(request) as stream:
            yield _FaultyStream(self, stream, request)


class _FaultyStream:
    def __init__(
        self, engine: FaultyEngine, stream: ScriptedStream, request: StreamRequest
    ) -> None:
        self._engine = engine
        self._stream = stream
        self._request = request
        self._is_stalled = False

    async def send(self, chunk: AudioChunk) -> None:
        if self._engine.next_fault == "engine breaks":
            self._engine.next_fault = None
            raise EngineFailed("The engine broke.")
        if self._engine.next_fault == "engine stalls":
            self._engine.next_fault, self._is_stalled = None, True
        if not self._is_stalled:
            await self._stream.send(chunk)

    async def end(self) -> None:
        if not self._is_stalled:
            await self._stream.end()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        async for event in self._stream:
            if self._engine.next_fault == "engine talks garbage":
                self._engine.next_fault = None
                yield Hypothesis("garbage", self._request.first_frame, 10**9, is_final=True)
            yield event
