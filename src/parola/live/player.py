"""Plays a file into a session, at the pace of a clock or as fast as the engine goes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from parola.audio.decode import Decoder
from parola.blocking import batches
from parola.domain.audio import to_seconds
from parola.live.session import Session


class Player:
    """One file on its way into one session; closing the context of the session stops it."""

    def __init__(
        self,
        path: Path,
        *,
        real_time: bool,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._path = path
        self._real_time = real_time
        self._monotonic = monotonic
        self._sleep = sleep
        self.position_frame = 0
        """How far it has played."""

    @property
    def position_s(self) -> float:
        """How far it has played, in seconds."""
        return to_seconds(self.position_frame)

    async def _sleep_until(self, when: float) -> None:
        wait_s = when - self._monotonic()
        if wait_s > 0:
            await self._sleep(wait_s)

    async def play(self, session: Session, heard: Callable[[], None] = lambda: None) -> None:
        """Feed the whole file; `heard` is called after each chunk.

        Raises:
            BadAudio: the file holds no sound.
            EngineFailed: the session's engine broke for good.
        """
        began = self._monotonic()
        apart = session.plan.channels == 2
        with Decoder(self._path, apart=apart) as decoder:
            async for batch in batches(decoder.chunks()):
                for chunk in batch:
                    if self._real_time:
                        await self._sleep_until(began + to_seconds(chunk.end_frame))
                    await session.feed(chunk.both if apart else chunk.pcm)
                    self.position_frame = chunk.end_frame
                    heard()
