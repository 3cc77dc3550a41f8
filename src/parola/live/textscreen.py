"""Rooms' painted lines as plain text, for programs that can only ask again and again."""

import asyncio
import json
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any

from parola.beside import beside
from parola.domain.errors import ParolaError, ServerFull
from parola.domain.vocabulary import RoomName
from parola.live.feed import View
from parola.live.lines import Lines
from parola.live.painter import Painter, noted
from parola.live.rooms import Rooms

MOST = 100
"""Rooms that are painted at once."""

LINES = 6
"""Lines kept for whoever asks for more than an overlay's two."""

FORGET_S = 60.0
"""A room nobody has asked for so long is painted no more."""


class TextScreens:
    """Paints a room for as long as somebody asks for it."""

    def __init__(self, rooms: Rooms, tasks: asyncio.TaskGroup) -> None:
        self._rooms = rooms
        self._tasks = tasks
        self._screens: dict[RoomName, _Screen] = {}

    async def lines(self, name: RoomName, most: int) -> list[str]:
        """Return the last painted lines, from top to bottom.

        Raises:
            ServerFull: as many rooms as possible are painted, open or read.
            StoreFailed: the room's log cannot be read now.
        """
        screen = self._screens.get(name)
        if screen is None:
            if len(self._screens) >= MOST:
                raise ServerFull(f"{MOST} rooms are asked for as text, which is the limit here.")
            screen = self._screens[name] = _Screen(self._rooms, name)
            self._tasks.create_task(self._paint(name, screen))
        await screen.ready.wait()
        if screen.failure:
            raise screen.failure
        return screen.lines(most)

    async def _paint(self, name: RoomName, screen: "_Screen") -> None:
        try:
            async with beside(screen.follow()):
                await screen.forgotten()
        finally:
            del self._screens[name]


class _Screen:
    """One room, painted."""

    def __init__(self, rooms: Rooms, name: RoomName) -> None:
        self._rooms = rooms
        self._name = name
        self._wipe()
        self._clock = rooms.plugs.monotonic
        self._began_ms = rooms.plugs.now_ms()
        self._asked = asyncio.Event()
        self.ready = asyncio.Event()
        """Set when the past is painted, or cannot be."""
        self.failure: ParolaError | None = None

    async def follow(self) -> None:
        """Paint what the room's viewers get, for ever."""
        view = View(partials=True, extras=True)
        try:
            async with aclosing(self._rooms.watch(self._name, view)) as frames:
                async for frame in frames:
                    self._take(json.loads(frame))
                    # What the room holds already comes without a pause in between.
                    self.ready.set()
        except ParolaError as error:
            self.failure = error
            self.ready.set()
            self._asked.set()

    def _wipe(self) -> None:
        self._lines = Lines(LINES)
        self._painter = Painter(self._lines)

    def _take(self, frame: dict[str, Any]) -> None:
        if frame.get("change") == "on_record":
            # Nobody who asks from now on reads what was said off the record.
            self._wipe()
        at = frame.get("at") if frame.get("is_partial") is False else None
        at_ms = datetime.fromisoformat(at).timestamp() * 1000 if at else None
        age_s = max(0.0, self._rooms.plugs.now_ms() - at_ms) / 1000 if at_ms else 0.0
        past = at_ms is not None and at_ms <= self._began_ms
        self._painter.take(frame, self._clock(), age_s, past=past)

    def lines(self, most: int) -> list[str]:
        """Return what is to be read now; nothing of a hidden room."""
        self._asked.set()
        now_s = self._clock()
        self._painter.tick(now_s)
        if self._painter.is_hidden:
            return []
        return noted(self._lines.texts, self._painter.note(now_s))[-most:]

    async def forgotten(self) -> None:
        """Wait until nobody has asked for a while, or the room cannot be read."""
        with suppress(TimeoutError):
            while self.failure is None:
                self._asked.clear()
                async with asyncio.timeout(FORGET_S):
                    await self._asked.wait()
