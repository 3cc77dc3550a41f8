"""One talk under one schedule: real rooms, sessions, recorder and endpoints on simulated time."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from starlette.websockets import WebSocket

from parola.beside import beside, tasks_beside
from parola.buses.local import LocalBus
from parola.domain.vocabulary import room_name
from parola.live.recorder import Recorder
from parola.live.room import Plugs
from parola.live.rooms import Limits, Rooms
from parola.server import sockets
from parola.server.fanout import Fanout
from parola.stores.memory import MemoryRoomBook
from tests.chaos.faults import Disk, Fault, FaultyEngine
from tests.chaos.link import Link
from tests.chaos.peers import Source, Viewer
from tests.houses import PowerSwitch

ROOM = room_name("main")
SESSION = UUID("7f0c5a52-30a5-4e0f-a9d4-0a52b1a6f2ce")
LINGER_S = 600.0
"""Longer than any fault: a talk that ends for want of its source is cut there, rightly."""


def _application() -> object:
    """Return what an endpoint takes from its application: nothing outlives a server's end."""
    return SimpleNamespace(state=SimpleNamespace(fanout=Fanout()))


class World:
    """A server that is started again when it is killed, its source, and its viewers."""

    def __init__(self, tasks: asyncio.TaskGroup, numbers: int, viewers: int) -> None:
        self.disk = Disk()
        self.engine = FaultyEngine()
        self._tasks = tasks
        self._rooms: Rooms | None = None
        self._server: asyncio.Task[None] | None = None
        self._switch: PowerSwitch | None = None
        self._links: list[Link] = []
        self._delay_s = 0.01
        self._app = _application()
        self.source = Source(self._connect, SESSION, numbers)
        self._speaking: asyncio.Task[None] | None = None
        self.viewers = [Viewer(self._connect) for _ in range(viewers)]

    def start(self) -> None:
        """Start everything."""
        self.start_server()
        self.start_source()
        for viewer in self.viewers:
            self._tasks.create_task(viewer.run())

    def start_source(self) -> None:
        """Start the source, from what its spool says."""
        self._speaking = self._tasks.create_task(self.source.run())

    def start_server(self) -> None:
        """Start a server on the disk as it is."""
        self._switch = PowerSwitch(self.disk)
        self._app = _application()
        self._server = self._tasks.create_task(self._serve(self._switch))

    async def _serve(self, switch: PowerSwitch) -> None:
        loop, recorder = asyncio.get_running_loop(), Recorder(switch)
        plugs = Plugs(
            engines=[self.engine],
            make_gate=lambda: None,
            log=switch,
            book=MemoryRoomBook(),
            recorder=recorder,
            bus=LocalBus(),
            now_ms=lambda: int(loop.time() * 1000),
            monotonic=loop.time,
        )
        async with beside(recorder.run()), tasks_beside() as tasks:
            self._rooms = Rooms(plugs, Limits(linger_s=LINGER_S), tasks)
            tasks.create_task(self._rooms.pass_on_failures())
            await loop.create_future()

    async def kill_server(self, down_s: float) -> None:
        """End the server as SIGKILL does, and start another one."""
        if self._server is None or self._switch is None:
            return
        self._switch.is_off, self._rooms = True, None
        server, self._server = self._server, None
        links, self._links = self._links, []
        for link in links:
            link.swallow()
        server.cancel()
        await asyncio.wait({server})
        for link in links:
            link.cut()
        await asyncio.sleep(down_s)
        self.start_server()

    def _connect(self, where: str) -> Link | None:
        if self._rooms is None:
            return None
        link = Link(self._delay_s)
        self._links.append(link)
        running: Any = _Running(self._rooms)

        async def endpoint(socket: WebSocket) -> None:
            if where == "audio":
                await sockets.audio(socket, running, ROOM)
            else:
                after = int(where.partition("=")[2])
                await sockets.transcript(socket, running, ROOM, after=after)

        self._tasks.create_task(self._connected(link, endpoint))
        return link

    async def _connected(
        self, link: Link, endpoint: Callable[[WebSocket], Coroutine[None, None, None]]
    ) -> None:
        server = self._server
        assert server is not None
        serving = asyncio.ensure_future(link.serve(endpoint, self._app))
        server.add_done_callback(lambda _: serving.cancel())
        await asyncio.wait({serving})
        if not serving.cancelled() and (error := serving.exception()):
            raise error

    async def suffer(self, fault: Fault) -> None:
        """Let one thing go wrong; returns when it is over."""
        who = fault.kind.split()[0]
        if who == "server":
            await self.kill_server(fault.for_s)
        elif fault.kind == "client killed":
            await self._kill_source(fault.for_s)
        elif who == "disk":
            self._spoil_disk(fault)
        elif who == "engine":
            self._spoil_engine(fault)
        elif who == "viewer":
            for viewer in self.viewers:
                _spoil(viewer.link, fault)
        else:
            if fault.kind == "client slow":
                self._delay_s = fault.for_s
            _spoil(self.source.link, fault)

    async def _kill_source(self, down_s: float) -> None:
        if self._speaking and not self.source.is_done:
            self._speaking.cancel()
            if self.source.link:
                self.source.link.cut(server_hears_after_s=down_s)
            await asyncio.sleep(down_s)
            self.start_source()

    def _spoil_disk(self, fault: Fault) -> None:
        until_s = asyncio.get_running_loop().time() + fault.for_s
        if fault.kind == "disk full":
            self.disk.full_until_s = until_s
        elif fault.kind == "disk slow":
            self.disk.slow_until_s = until_s
        else:
            self.disk.loses_answers += 1

    def _spoil_engine(self, fault: Fault) -> None:
        self.engine.next_fault = fault.kind
        if fault.kind == "engine gone":
            self.engine.gone_until_s = asyncio.get_running_loop().time() + fault.for_s
            self.engine.next_fault = "engine breaks"


def _spoil(link: Link | None, fault: Fault) -> None:
    if link is None:
        return
    if fault.kind.endswith("black hole"):
        link.swallow()
    elif fault.kind.endswith("slow"):
        link.delay_s = fault.for_s
    else:
        link.cut(fault.for_s + 5 if fault.kind.endswith("late") else 0.0)


class _Running:
    """The part of the services that the sockets use."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms


async def live_through(
    faults: list[Fault], numbers: int, viewers: int = 2
) -> tuple[str, list[list[dict[str, Any]]]]:
    """Return the room's log as exported, and what each viewer has seen, after the talk."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(3600), tasks_beside() as tasks:
        world = World(tasks, numbers, viewers)
        world.start()
        began_s = loop.time()
        for fault in faults:
            await asyncio.sleep(began_s + fault.at_s - loop.time())
            tasks.create_task(world.suffer(fault))
        while not world.source.is_done:  # noqa: ASYNC110 - simulated time costs nothing
            await asyncio.sleep(1)
        entries = await world.disk.log.read(ROOM)
        last = max((e.number for e in entries if e.body.session), default=0) - 1
        while any(v.last < last for v in world.viewers):  # noqa: ASYNC110 - as above
            await asyncio.sleep(1)
        return exported(world.disk), [viewer.seen for viewer in world.viewers]


def exported(disk: Disk) -> str:
    """Return the log as one JSON line an entry, everything in it but the wall-clock time."""
    rooms = disk.log._rooms.get(ROOM, {})
    lines = [asdict(replace(rooms[number], at_ms=0)) for number in sorted(rooms)]
    return "\n".join(f"{line['number']} {json.dumps(line['body'])}" for line in lines)
