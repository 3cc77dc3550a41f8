"""Where a talk's sound comes from, as the uplink sees it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from parola.audio.pcm import is_clipping, level_dbfs
from parola.blocking import in_thread
from parola.domain.audio import AudioChunk, to_seconds


class Source(Protocol):
    """Sound from somewhere, 16 kHz mono."""

    @property
    def name(self) -> str:
        """What it is, for people, and to know it again."""

    @property
    def is_live(self) -> bool:
        """Whether it goes on without us: what is not taken in time is lost."""

    def sound(self, from_frame: int) -> AsyncGenerator["Heard"]:
        """Yield its sound; a recording begins at the frame, what is live begins now.

        Raises:
            ParolaError: it cannot be heard.
        """


@dataclass(frozen=True, slots=True)
class Heard:
    """A piece of sound, with what a meter shows of it."""

    pcm: bytes
    """Signed 16-bit little-endian samples, one channel, 16 kHz; may be empty."""

    level_dbfs: float
    is_clipping: bool
    """Whether it was louder than its numbers can tell."""


def heard(pcm: bytes) -> Heard:
    """Return sound that nothing was measured of before."""
    return Heard(pcm, level_dbfs(pcm), is_clipping(pcm))


class DecodedSource:
    """What FFmpeg decodes: a recording, a pipe, an address."""

    def __init__(
        self,
        name: str,
        open_chunks: Callable[[], Iterator[AudioChunk]],
        *,
        is_live: bool,
        real_time: bool,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take chunks that begin at frame 0 and have no gaps, from an iterator that may block.

        With `real_time` none is passed on before the clock has reached its end.
        """
        self.name = name
        self.is_live = is_live
        self._open_chunks = open_chunks
        self._real_time = real_time
        self._monotonic = monotonic
        self._sleep = sleep

    async def sound(self, from_frame: int) -> AsyncGenerator[Heard]:
        """Yield what is decoded."""
        began = self._monotonic()
        skip = 0 if self.is_live else from_frame
        chunks = self._open_chunks()
        # One at a time: what came before a broken part is not lost with it.
        while whole := await in_thread(lambda: next(chunks, None)):
            chunk = whole.cut(skip)[1]
            if not chunk.frames:
                continue
            wait_s = began + to_seconds(chunk.end_frame - skip) - self._monotonic()
            if self._real_time and wait_s > 0:
                await self._sleep(wait_s)
            yield heard(chunk.pcm)
