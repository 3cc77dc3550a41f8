"""Rooms on memory for tests: no sockets, no disk, and a power switch."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

from parola.beside import beside, tasks_beside
from parola.buses.local import LocalBus
from parola.domain.log import Entry, RoomSummary, SessionPast
from parola.domain.vocabulary import RoomName
from parola.engines.scripted import Script, ScriptedEngine
from parola.live.feed import View
from parola.live.recorder import Recorder
from parola.live.room import Plugs
from parola.live.rooms import Limits, Rooms
from parola.ports import Engine, Log
from parola.server.access import Access
from parola.server.deps import Services
from parola.server.limits import Shares
from parola.stores.memory import MemoryAccessBook, MemoryLog, MemoryRoomBook

OTHER_SERVER = {"http": "h11", "ws": "websockets-sansio"}
"""Makes uvicorn behave as any other ASGI server: no connection can be written to past it."""


class PowerSwitch:
    """A log's plug: once it is off, nothing the process still does reaches the log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.is_off = False

    async def append(self, entries: Sequence[Entry]) -> None:
        if self.is_off:
            await asyncio.get_running_loop().create_future()
        await self._log.append(entries)

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        return await self._log.read(room, after, limit)

    async def edits(self, room: str) -> list[Entry]:
        return await self._log.edits(room)

    async def last_number(self, room: str) -> int:
        return await self._log.last_number(room)

    async def past(self, room: str, session: str) -> SessionPast:
        return await self._log.past(room, session)

    async def newest_switch(self, room: str) -> Entry | None:
        return await self._log.newest_switch(room)

    async def rooms(self) -> list[RoomSummary]:
        return await self._log.rooms()


@dataclass(slots=True)
class House:
    """Rooms on memory, with a clock that the test winds."""

    rooms: Rooms
    log: MemoryLog
    book: MemoryRoomBook
    clock: list[float]


@asynccontextmanager
async def house(
    *engines: Engine,
    limits: Limits | None = None,
    log: MemoryLog | None = None,
    book: MemoryRoomBook | None = None,
    is_killed: bool = False,
    limit_s: float = 20.0,
) -> AsyncIterator[House]:
    """Open rooms; at the end they are drained, or the power is cut (`is_killed`)."""
    log, book, clock = log or MemoryLog(), book or MemoryRoomBook(), [1000.0]
    switch = PowerSwitch(log)
    recorder = Recorder(switch)
    plugs = Plugs(
        engines=engines or (ScriptedEngine(Script(5)),),
        make_gate=lambda: None,
        log=switch,
        book=book,
        recorder=recorder,
        bus=LocalBus(),
        now_ms=lambda: int(clock[0] * 1000),
        monotonic=lambda: clock[0],
    )
    async with asyncio.timeout(limit_s), beside(recorder.run()), tasks_beside() as tasks:
        rooms = Rooms(plugs, limits or Limits(), tasks)
        tasks.create_task(rooms.pass_on_failures())
        yield House(rooms, log, book, clock)
        switch.is_off = is_killed
        if not is_killed:
            await rooms.drain(5.0)


def services_of(home: House) -> Services:
    """Return what the application needs to show a house's rooms to everybody."""
    access = Access("everybody", MemoryAccessBook(), time.time)
    services = SimpleNamespace(
        rooms=home.rooms, version="0", access=access, shares=Shares(), trusted_proxies=()
    )
    return cast("Services", services)


async def texts(h: House, room: RoomName, after: int, count: int) -> list[str]:
    """Return what a viewer of a room reads that has a number."""
    found: list[str] = []
    async with aclosing(h.rooms.watch(room, View(after=after))) as frames:
        while len(found) < count:
            found.append(json.loads(await anext(frames))["text"])
    return found
