"""A server for viewers in the test's own loop, and viewers over real sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import uvicorn
from websockets.asyncio.client import connect

from parola.domain.log import Entry, StateChange
from parola.domain.transcript import Segment
from parola.domain.vocabulary import RoomName
from parola.live.rooms import Rooms
from parola.ports import Numbered, Partial
from parola.server.app import create_app
from parola.server.asgi import server_config
from parola.stores.memory import MemoryLog
from tests.houses import OTHER_SERVER, house, services_of

ROOM = RoomName("main")

Path = Literal["direct", "plain"]
Medium = Literal["socket", "events"]


@dataclass(slots=True)
class Hall:
    """A room that the test speaks into, and its address."""

    rooms: Rooms
    port: int
    said: int = 0

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/transcript/{ROOM}"

    @property
    def events(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/rooms/{ROOM}/events"

    async def say(self, text: str = "") -> None:
        """Log and publish the next final."""
        self.said += 1
        await self.rooms.plugs.log.append([entry(self.said, text)])
        await self.rooms.plugs.bus.publish(ROOM, Numbered(entry(self.said, text)))

    async def guess(self, text: str) -> None:
        """Publish a partial."""
        segment = Segment("s", self.said + 1, text, 0, 10, False, "en-US")
        await self.rooms.plugs.bus.publish(ROOM, Partial(segment))

    async def has(self, viewers: int) -> None:
        """Wait until so many viewers are in the room."""
        async with asyncio.timeout(10):
            while self._viewers() != viewers:  # noqa: ASYNC110 - nobody tells of a viewer
                await asyncio.sleep(0.005)

    def _viewers(self) -> int:
        return sum(room.feed.viewers for room in self.rooms.open_rooms)


def entry(number: int, text: str = "") -> Entry:
    """Return a final, or each seventh time a change of language."""
    if number % 7 == 0:
        return Entry(ROOM, number, 1000, StateChange("language", "s", "it-IT"))
    segment = Segment(
        "s", number, text or f"n{number}", number * 10, number * 10 + 9, True, "en-US"
    )
    return Entry(ROOM, number, 1000, segment)


@asynccontextmanager
async def hall(path: Path, past: int = 0) -> AsyncIterator[Hall]:
    """Serve a room with so many entries in its log, on one of the two paths."""
    log = MemoryLog()
    if past:
        await log.append([entry(number) for number in range(1, past + 1)])
    async with house(log=log) as home:
        app = create_app(services_of(home))
        others = {} if path == "direct" else OTHER_SERVER
        config = server_config(app, timeout_graceful_shutdown=1, **others)
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as sock:
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(server.serve([sock]))
                while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(0.005)
                try:
                    yield Hall(home.rooms, sock.getsockname()[1], past)
                finally:
                    server.should_exit = True
                    await serving


Frames = AsyncIterator[dict[str, Any]]


@asynccontextmanager
async def viewer(hall: Hall, medium: Medium, query: str = "") -> AsyncIterator[Frames]:
    """Read the hall's room."""
    if medium == "socket":
        async with connect(f"{hall.ws}?{query}", compression=None) as socket_:
            yield (json.loads(text) async for text in socket_)
    else:
        async with (
            httpx.AsyncClient(timeout=20) as http,
            http.stream("GET", f"{hall.events}?{query}") as answer,
        ):
            lines = answer.aiter_lines()
            yield (json.loads(line[6:]) async for line in lines if line.startswith("data: "))


async def take(frames: Frames, count: int) -> list[dict[str, Any]]:
    """Return the next frames."""
    async with asyncio.timeout(15):
        return [await anext(frames) for _ in range(count)]
