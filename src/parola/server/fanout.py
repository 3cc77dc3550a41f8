"""Sends a room's text to many viewers: one caption is framed once, and written to each transport.

Viewers who keep up stand in a group and share every byte. One who does not leaves it in the same
step and keeps its place only; its own task brings it back. docs/why/020.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode

from parola.live.archive import Line
from parola.live.feed import BEAT_S, Feed, Frame, Place, View
from parola.server.freezer import Freezer
from parola.server.outlet import Outlet, write_bare

BATCHES = 64
"""Batches of old entries a group keeps encoded, for many who come back at once."""


def websocket_bytes(frame: Frame) -> bytes:
    """Return an unmasked text frame. Source: RFC 6455, section 5.2."""
    return WebSocketFrame(Opcode.TEXT, frame.text.encode()).serialize(mask=False)


def event_bytes(frame: Frame) -> bytes:
    """Return a server-sent event in a chunk. Source: RFC 9112, section 7.1."""
    event = event_text(frame).encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


def event_text(frame: Frame) -> str:
    """Return a server-sent event. Source: WHATWG HTML, section 9.2.5."""
    number = "" if frame.number is None else f"id: {frame.number}\n"
    return f"{number}data: {frame.text}\n\n"


Encode = Callable[[Frame], bytes]


@dataclass(frozen=True, slots=True)
class Wish:
    """What all viewers of a group asked for."""

    view: View
    encode: Encode


class Crowd:
    """Viewers who keep up, and how each is written to."""

    def __init__(self, outlets: Iterable[Outlet]) -> None:
        self._bare: list[Outlet] = []
        self._numbers: list[int] = []
        self._others: list[Outlet] = []
        """Those whose transport has to be asked, now or always."""
        self.is_passing = False
        """Whether one of them can be written to past its transport soon."""
        for outlet in outlets:
            number = outlet.bare()
            if number is None:
                self._others.append(outlet)
                self.is_passing |= outlet.is_flushing()
            else:
                self._bare.append(outlet)
                self._numbers.append(number)

    def write(self, data: bytes) -> None:
        """Give everybody the same bytes."""
        for place, taken in write_bare(self._numbers, data):
            self._bare[place].write(data[taken:])
        for outlet in self._others:
            outlet.write(data)


class Group:
    """The viewers of one feed who see the same and have seen all of it."""

    def __init__(self, feed: Feed, wish: Wish) -> None:
        self.feed = feed
        self.wish = wish
        self._live: dict[Outlet, None] = {}
        self._crowd: Crowd | None = None
        """Made anew when somebody came or left; writing may make somebody leave."""
        self._batches: dict[tuple[int, int, int], bytes] = {}
        self._place = Place(0)
        self._loop = asyncio.get_running_loop()
        self._beat: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self.members = 0
        """Live or behind."""

    def join(self, outlet: Outlet, place: Place) -> None:
        """Take in a viewer who has read to the end."""
        if not self._live:
            self._place = replace(place)
            self.feed.listeners[self] = self._tell
            self._arm()
        self._live[outlet] = None
        self._crowd = None

    def leave(self, outlet: Outlet) -> Place:
        """Let a viewer go, and return how far it has read."""
        del self._live[outlet]
        self._crowd = None
        if not self._live:
            del self.feed.listeners[self]
            if self._beat:
                self._beat.cancel()
        return replace(self._place)

    def _tell(self) -> None:
        frames = self.feed.news(self.wish.view, self._place)
        if frames:
            self._write(b"".join(map(self.wish.encode, frames)))

    def _write(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        crowd = self._crowd = self._crowd or Crowd(self._live)
        crowd.write(data)
        if crowd.is_passing:
            self._crowd = None

    def _arm(self) -> None:
        """Let nobody who asked for states go without a frame for `BEAT_S`."""
        if self.wish.view.extras:
            self._heard_at = self._loop.time()
            self._beat = self._loop.call_later(BEAT_S, self._beat_now)

    def _beat_now(self) -> None:
        silent_s = self._loop.time() - self._heard_at
        if silent_s >= BEAT_S * 0.99:
            self._write(self.wish.encode(self.feed.beat()))
            silent_s = 0.0
        self._beat = self._loop.call_later(BEAT_S - silent_s, self._beat_now)

    def encoded(self, lines: Sequence[Line]) -> bytes:
        """Return a batch of entries, encoded once for all who missed it."""
        key = (self.feed.edited, lines[0].number, lines[-1].number)
        data = self._batches.get(key)
        if data is None:
            shown = (line for line in lines if line.is_for(extras=self.wish.view.extras))
            data = b"".join(self.wish.encode(Frame(line.frame, line.number)) for line in shown)
            if len(self._batches) >= BATCHES:
                del self._batches[next(iter(self._batches))]
            self._batches[key] = data
        return data


class Fanout:
    """All groups of this process."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Feed, Wish], Group] = {}
        self._freezer = Freezer()

    async def serve(
        self, feed: Feed, view: View, outlet: Outlet, encode: Encode, now_ms: int
    ) -> None:
        """Send one viewer everything until it is gone.

        Raises:
            StoreFailed: what it missed cannot be read from the log now.
            TooSlow: it takes nothing.
        """
        # What a viewer has is its own; all else makes its group.
        wish = Wish(replace(view, after=None), encode)
        group = self._groups.get((feed, wish)) or Group(feed, wish)
        self._groups[feed, wish] = group
        group.members += 1
        self._freezer.came()
        try:
            await _Viewer(group, outlet, feed.begin(view, now_ms)).serve(now_ms)
        finally:
            group.members -= 1
            self._freezer.left()
            if not group.members:
                del self._groups[feed, wish]


class _Viewer:
    """One viewer, on its way to its group or in it."""

    __slots__ = ("_group", "_outlet", "_place")

    def __init__(self, group: Group, outlet: Outlet, place: Place) -> None:
        self._group = group
        self._outlet = outlet
        self._place = place

    async def serve(self, now_ms: int) -> None:
        feed = self._group.feed
        if greeting := feed.greeting(self._group.wish.view, self._place, now_ms):
            self._write([greeting])
        while not self._outlet.is_gone():
            if not await self._catch_up():
                return
            if feed.is_read_to_the_end(self._place):
                self._group.join(self._outlet, self._place)
                await self._outlet.while_it_keeps_up(self._leave)
            elif self._place.number > feed.last_number:
                # It has numbers that this log has lost (docs/reference/durability.md).
                with suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_S):
                        await feed.change()

    def _leave(self) -> None:
        self._place = self._group.leave(self._outlet)

    async def _catch_up(self) -> bool:
        """Bring the viewer to the end; return False if it is gone.

        Between the last look at the feed and the return nothing is awaited.
        """
        group, outlet, place = self._group, self._outlet, self._place
        while True:
            await outlet.until_taken()
            self._write(group.feed.state_news(group.wish.view, place))
            lines = await group.feed.more(place)
            if outlet.is_gone():
                return False
            if lines:
                outlet.write(group.encoded(lines))
                place.number = lines[-1].number
            elif outlet.keeps_up():
                self._write(group.feed.passing_news(group.wish.view, place))
                if outlet.keeps_up():
                    return True

    def _write(self, frames: Sequence[Frame]) -> None:
        if frames and not self._outlet.is_gone():
            self._outlet.write(b"".join(map(self._group.wish.encode, frames)))
