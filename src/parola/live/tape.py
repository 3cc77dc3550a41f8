"""Hands a talk's sound to where it is kept, and makes nobody wait for that."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from parola.beside import beside
from parola.domain.audio import RATE_HZ, AudioChunk
from parola.domain.errors import ParolaError
from parola.ports import Recording

logger = logging.getLogger(__name__)

BEHIND_S = 120
"""Sound that may wait for a slow disk; what comes beyond that is silence in the recording."""


class Tape:
    """One talk's sound on its way into its recording; while it is off, nothing is kept."""

    def __init__(self, recording: Recording, *, is_on: bool) -> None:
        self._recording = recording
        self.is_on = is_on
        self.failure: str | None = None
        """Why sound is not being kept at the moment, a sentence for a person; else None."""
        self._waiting: deque[AudioChunk] = deque()
        self._frames = 0
        self._work = asyncio.Event()

    def hear(self, chunks: Iterable[AudioChunk]) -> None:
        """Take the next sound that may be kept; returns at once."""
        for chunk in chunks if self.is_on else ():
            if self._frames + chunk.frames > BEHIND_S * RATE_HZ:
                self._fail("The disk is too slow: some sound is missing in the recording.")
                continue
            self._waiting.append(chunk)
            self._frames += chunk.frames
            self._work.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep what is heard while the body runs, and at its end what still waits."""
        try:
            async with beside(self._run()):
                yield
        finally:
            await self._keep_all()
            try:
                await self._recording.close()
            except ParolaError as error:
                self._fail(error.message)

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            await self._keep_all()

    async def _keep_all(self) -> None:
        while self._waiting:
            chunks = list(self._waiting)
            self._waiting.clear()
            self._frames = 0
            try:
                await self._recording.write(chunks)
            except ParolaError as error:
                self._fail(error.message)
            except Exception:
                # The border between a recording and the captions, which go on without it.
                logger.exception("a recording: unexpected")
                self._fail("The sound cannot be kept; the server's log says why.")
            else:
                self.failure = None

    def _fail(self, failure: str) -> None:
        if failure != self.failure:
            logger.error("a talk's recording has a gap: %s", failure)
        self.failure = failure
