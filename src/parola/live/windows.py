"""The last two minutes of each conversation, read once however many people look."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress

from parola.beside import beside
from parola.domain.corrections import Edits
from parola.domain.errors import ParolaError, StoreFailed
from parola.domain.log import Entry
from parola.domain.transcript import Segment
from parola.domain.vocabulary import RoomName
from parola.live.room import Room
from parola.live.rooms import Rooms
from parola.ports import Numbered, RoomState, SharedLog
from parola.wire import conversation

logger = logging.getLogger(__name__)

WINDOW_MS = 120_000
"""How old a line may be. Source: the pipeline's web app, "the past 2 minutes"."""

EVERY_S = 10.0
"""How often a viewer is sent the window at least. Source: the pipeline's own pace."""

LOOK_S = 1.0
"""How often a shared log is looked at: once for each room and node, however many viewers."""

BLANK = "hidden"
"""The state of a room of which nothing may be shown; its web app knows no such word."""

MOST = 1000
"""Lines in a window; two minutes of several quick speakers have a tenth of it."""


class Windows:
    """One reader a room, for as long as somebody looks."""

    def __init__(
        self,
        rooms: Rooms,
        tasks: asyncio.TaskGroup,
        *,
        every_s: float = EVERY_S,
        window_ms: int = WINDOW_MS,
        shared: SharedLog | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        """Read this node's own rooms, or, where there is one, a log that nodes share."""
        self._rooms = rooms
        self._tasks = tasks
        self._every_s = every_s
        self._window_ms = window_ms
        self._shared = shared
        self._look_s = look_s
        self._windows: dict[RoomName, _Window] = {}

    async def follow(self, name: RoomName) -> AsyncGenerator[str]:
        """Yield the room's window as a message: now, on every new line, and every ten seconds.

        A viewer that is slow to ask for the next one skips those between.

        Raises:
            StoreFailed: the room's log cannot be read now.
            ServerFull: too many viewers or rooms.
        """
        async with self._rooms.view(name) as room:
            window = self._windows.get(name)
            if window is None:
                window = self._windows[name] = self._open(room)
                self._tasks.create_task(self._read(name, window))
            window.viewers += 1
            try:
                await window.ready.wait()
                while window.failure is None:
                    changed = window.changed
                    yield window.message(self._rooms.plugs.now_ms())
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._every_s):
                            await changed.wait()
                raise window.failure
            finally:
                window.viewers -= 1
                if not window.viewers:
                    # The next viewer reads afresh, also when this reader is not gone yet.
                    window.left.set()
                    if self._windows.get(name) is window:
                        del self._windows[name]

    def _open(self, room: Room) -> "_Window":
        if self._shared is None:
            return _Window(self._rooms, room, self._window_ms)
        return _SharedWindow(self._rooms, room, self._window_ms, self._shared, self._look_s)

    async def _read(self, name: RoomName, window: "_Window") -> None:
        try:
            async with beside(window.read()):
                await window.left.wait()
        except ParolaError as error:
            window.fail(error)
            if self._windows.get(name) is window:
                del self._windows[name]


class _Window:
    """A room's newest lines, and the message that everybody is sent."""

    def __init__(self, rooms: Rooms, room: Room, window_ms: int) -> None:
        self._rooms = rooms
        self._name = room.name
        self._feed = room.feed
        self._is_blank = room.feed.state.state == BLANK
        self._window_ms = window_ms
        self._lines: deque[Entry] = deque(maxlen=MOST)
        self._edits = Edits()
        self._last_number = 0
        self._message = ""
        self.viewers = 0
        self.left = asyncio.Event()
        self.ready = asyncio.Event()
        """Set when the past has been read, or cannot be."""
        self.changed = asyncio.Event()
        self.failure: ParolaError | None = None

    async def read(self) -> None:
        """Take every line, for ever. Subscribe first, then read the past: no gap.

        Raises:
            StoreFailed: the log cannot be read now.
        """
        plugs = self._rooms.plugs
        async with plugs.bus.subscribe(self._name) as events:
            last = await plugs.recorder.last_number(self._name)
            for entry in await plugs.recorder.read(self._name, max(last - MOST, 0), MOST + 1):
                self._take(entry)
            self.ready.set()
            async for event in events:
                if isinstance(event, Numbered):
                    self._take(event.entry)
                elif isinstance(event, RoomState):
                    self._follow_state(event)

    def fail(self, error: ParolaError) -> None:
        """Let every viewer know why nothing more comes."""
        self.failure = error
        self.ready.set()
        self.changed.set()

    def message(self, now_ms: int) -> str:
        """Return the window; the same string for everybody until it changes."""
        if self._is_blank:
            return conversation.told("transcripts", [])
        oldest = now_ms - self._window_ms
        while self._lines and self._lines[0].at_ms < oldest:
            self._lines.popleft()
            self._message = ""
        if not self._message:
            lines = [
                conversation.item(now, now.body)
                for now in self._edits.read_all(self._lines)
                if isinstance(now.body, Segment)
            ]
            self._message = conversation.told("transcripts", lines)
        return self._message

    def _take(self, entry: Entry) -> None:
        if entry.number <= self._last_number:
            return
        self._last_number = entry.number
        if isinstance(entry.body, Segment):
            self._lines.append(entry)
            self._tell()
        elif self._edits.add(entry):
            self._tell()

    def _follow_state(self, state: RoomState) -> None:
        if self._is_blank != (state.state == BLANK):
            self._is_blank = not self._is_blank
            self._tell()

    def _tell(self) -> None:
        self._message = ""
        waiting, self.changed = self.changed, asyncio.Event()
        waiting.set()


class _SharedWindow(_Window):
    """The same, from a log that nodes share and that has to be asked."""

    def __init__(
        self, rooms: Rooms, room: Room, window_ms: int, shared: SharedLog, look_s: float
    ) -> None:
        super().__init__(rooms, room, window_ms)
        self._shared = shared
        self._look_s = look_s

    async def read(self) -> None:
        """Ask for the whole window each time: a queue may deliver an early line late.

        Where the log cannot be read, what was read before stays, and it is asked again.
        """
        while True:
            oldest = self._rooms.plugs.now_ms() - self._window_ms
            try:
                self._replace(await self._shared.since(self._name, oldest))
            except StoreFailed as error:
                logger.warning("the shared log cannot be read: %s", error.message)
            self._follow_state(self._feed.state)
            self.ready.set()
            await asyncio.sleep(self._look_s)

    def _replace(self, entries: list[Entry]) -> None:
        lines = [entry for entry in entries[-MOST:] if isinstance(entry.body, Segment)]
        if lines != list(self._lines):
            self._lines = deque(lines, maxlen=MOST)
            self._tell()
