"""An engine that always knows what was said, whatever it is sent: the guard's worst enemy."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parola.domain.audio import AudioChunk, to_frames
from parola.domain.transcript import Hypothesis, Settled, Word
from parola.domain.vocabulary import Language
from parola.ports import EngineEvent, StreamRequest

SENTENCE = "thank you for watching"
CONFIDENCE = 0.99


class HostileEngine:
    """Says its sentence over every stretch of audio, sure of every word, partials and finals."""

    name = "hostile"
    gated = True

    def __init__(self, every_s: float = 1.0, sentence: str = SENTENCE) -> None:
        """Take how long the stretches are, in seconds; the last one may be shorter."""
        self._every = to_frames(every_s)
        self._sentence = sentence

    def knows(self, language: Language) -> bool:
        return True

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator["HostileStream"]:
        yield HostileStream(request.first_frame, self._every, self._sentence)


class HostileStream:
    """One stream; it hears nothing and counts frames."""

    def __init__(self, first_frame: int, every: int, sentence: str) -> None:
        self._from = self._to = first_frame
        self._every = every
        self._sentence = sentence
        # Bounded by the audio: two events a stretch, and the test reads as it feeds.
        self._events: deque[EngineEvent] = deque()
        self._changed = asyncio.Event()
        self._ended = False

    async def send(self, chunk: AudioChunk) -> None:
        self._to = chunk.end_frame
        while self._to - self._from >= self._every:
            self._speak(self._from + self._every)
        self._changed.set()
        await asyncio.sleep(0)

    async def end(self) -> None:
        if self._to > self._from:
            self._speak(self._to)
        self._ended = True
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        while True:
            while self._events:
                yield self._events.popleft()
            if self._ended:
                return
            self._changed.clear()
            await self._changed.wait()

    def _speak(self, end_frame: int) -> None:
        texts = self._sentence.split()
        length = (end_frame - self._from) / len(texts)
        words = tuple(
            Word(
                text,
                self._from + round(n * length),
                self._from + round((n + 1) * length),
                CONFIDENCE,
                stable=True,
            )
            for n, text in enumerate(texts)
        )
        guess = Hypothesis(self._sentence, self._from, end_frame, False, words)
        final = Hypothesis(self._sentence, self._from, end_frame, True, words)
        self._events += [guess, final, Settled(end_frame)]
        self._from = end_frame
