"""One session's stream to Amazon Transcribe: a row of legs, one after the other.

A leg is one stream of the service. Its end is planned in three cases, and then the next leg takes
over at a frame boundary, so that nothing is sent or heard twice: the service's 4 hours are nearly
over (the next leg is open before the old one is told to end), the room has been silent for long
(where set), or no audio comes from the source. The old leg says its last words before the next
one is listened to.

Any other end is an `EngineFailed`: the session holds the audio that is not final text and opens a
new stream with it. Holding it here too would be a second backlog with a second retry budget.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk, to_frames
from parola.domain.errors import ParolaError
from parola.domain.transcript import Settled
from parola.engines.amazon_leg import Leg
from parola.engines.amazon_pace import Cutter, Pacer
from parola.engines.amazon_settings import AmazonSettings
from parola.ports import EngineEvent

logger = logging.getLogger(__name__)

ROTATE_AGAIN_S = 30.0
"""When the next leg cannot be opened, the old one goes on and it is tried again after this."""

OpenLeg = Callable[[int], Awaitable[Leg]]
"""Opens a leg that begins with a frame."""


class AmazonStream:
    """An `EngineStream`. Nothing runs in the background: legs open in `send`."""

    def __init__(
        self,
        first_frame: int,
        settings: AmazonSettings,
        open_leg: OpenLeg,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        channels: int = 1,
    ) -> None:
        """Take the session's frame it begins with; the first leg is opened by `begin`.

        With two channels every chunk has them in `both`.
        """
        self._channels = channels
        self._first_frame = self._next_frame = self._taken = first_frame
        self._settings = settings
        self._open_leg = open_leg
        self._clock = clock
        self._sleep = sleep
        self._cutter = Cutter(to_frames(settings.chunk_ms / 1000))
        self._pacer = Pacer(settings.catch_up_speed)
        self._legs: deque[Leg] = deque()
        """In the order of their audio; the last one is sent to unless it has ended."""
        self._rotate_from = 0.0
        self._silent_since = first_frame
        self._done = False
        self._news = asyncio.Event()
        """Set when the iteration, out of legs, may have something to do."""

    async def begin(self) -> None:
        """Open the first leg.

        Raises:
            ParolaError: it cannot be opened.
        """
        await self._add_leg(self._first_frame)

    async def send(self, chunk: AudioChunk) -> None:
        while self._taken < chunk.first_frame and self._leg:
            # The service counts time by what it is sent: a leg hears what the session left out.
            frames = min(chunk.first_frame - self._taken, RATE_HZ)
            await self._cut(self._silence(self._taken, frames))
        if self._taken < chunk.first_frame:
            # Settled, and the next leg begins with the chunk.
            self._cutter.drop()
        await self._cut(chunk)

    async def _cut(self, chunk: AudioChunk) -> None:
        self._taken = chunk.end_frame
        for piece in self._cutter.add(chunk):
            await self._send(piece)

    async def end(self) -> None:
        for piece in self._cutter.flush():
            await self._send(piece)
        self._done = True
        self._news.set()
        if leg := self._leg:
            await leg.end()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        settled = self._first_frame
        while True:
            while self._legs:
                async for event in self._legs[0]:
                    yield event
                # Only now is the leg's place free, so that a leg is never without an owner.
                self._legs.popleft().abort()
            if self._done:
                return
            if settled < self._next_frame:
                # Without a leg all audio is silence that nobody has to hear.
                settled = self._next_frame
                yield Settled(settled)
            self._news.clear()
            await self._news.wait()

    def abort(self) -> None:
        """Let go of every connection at once."""
        for leg in self._legs:
            leg.abort()

    @property
    def _leg(self) -> Leg | None:
        """The leg to send to, None while there is none."""
        if self._legs and not self._legs[-1].ended:
            return self._legs[-1]
        return None

    async def _send(self, piece: AudioChunk) -> None:
        leg = await self._leg_for(piece)
        if leg:
            wait_s = self._pacer.wait_s(piece.frames, self._clock())
            if wait_s:
                await self._sleep(wait_s)
            if leg.ended:
                # It was ended while we waited; the piece begins the next one.
                leg = await self._add_leg(piece.first_frame)
            await leg.send(piece)
        self._next_frame = piece.end_frame
        if piece.voiced:
            self._silent_since = piece.end_frame
        self._news.set()

    async def _leg_for(self, piece: AudioChunk) -> Leg | None:
        """Return the leg that takes a piece; None for silence that no leg has to hear."""
        leg = self._leg
        if leg is None:
            if not piece.voiced and self._settings.close_after_silence_s is not None:
                return None
            return await self._begin_at(piece)
        if not piece.voiced and self._is_silent_for_long(piece) and not leg.progress.owes:
            await leg.end()
            return None
        age_s = self._clock() - leg.began_at
        pause = not piece.voiced and not leg.progress.is_open
        if age_s >= self._settings.rotate_at_last_s or (
            pause and age_s >= self._settings.rotate_after_s
        ):
            return await self._rotate(leg, piece)
        return leg

    def _is_silent_for_long(self, piece: AudioChunk) -> bool:
        after_s = self._settings.close_after_silence_s
        return after_s is not None and piece.end_frame - self._silent_since >= to_frames(after_s)

    async def _begin_at(self, piece: AudioChunk) -> Leg:
        """Open a leg for a piece, with silence before it where there was silence."""
        pre_roll = min(to_frames(self._settings.pre_roll_s), piece.first_frame - self._silent_since)
        first = piece.first_frame - max(pre_roll, 0)
        leg = await self._add_leg(first)
        if first < piece.first_frame:
            await leg.send(self._silence(first, piece.first_frame - first))
        return leg

    def _silence(self, first_frame: int, frames: int) -> AudioChunk:
        both = bytes(2 * frames * FRAME_BYTES) if self._channels == 2 else b""
        return AudioChunk(first_frame, bytes(frames * FRAME_BYTES), voiced=False, both=both)

    async def _rotate(self, old: Leg, piece: AudioChunk) -> Leg:
        """Return the next leg, and end the old one; the old one when no other can be had."""
        if self._clock() < self._rotate_from:
            return old
        try:
            leg = await self._add_leg(piece.first_frame)
        except ParolaError as error:
            self._rotate_from = self._clock() + ROTATE_AGAIN_S
            logger.warning("the stream to Amazon goes on, it cannot be replaced: %s", error)
            return old
        await old.end()
        return leg

    async def _add_leg(self, first_frame: int) -> Leg:
        leg = await self._open_leg(first_frame)
        self._legs.append(leg)
        self._news.set()
        return leg
