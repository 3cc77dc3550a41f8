"""An engine that recognises marks in the audio instead of speech: for tests and rehearsals.

Marked audio carries a number in each tenth of a second, so what should come out is known
exactly. Any other audio makes it speak a fixed verse by the audio's clock, which shows a
working chain without a recogniser. It never listens.
"""

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from parola.domain.audio import FRAME_BYTES, AudioChunk
from parola.domain.errors import EngineFailed
from parola.domain.transcript import Hypothesis, Settled, Word
from parola.domain.vocabulary import Language
from parola.ports import EngineEvent, StreamRequest

BLOCK_FRAMES = 1600
"""A tenth of a second holds one mark."""

_MAGIC = struct.pack("<4h", 20559, -20306, 20300, -16705)
_MARK = struct.Struct("<4H")

_VERSE = (  # noqa: SIM905 - a verse reads better than a list
    "word for word the room is heard and every screen will show the word that someone spoke "
    "and nothing more and nothing less than that"
).split()


def marked_audio(numbers: Iterable[int]) -> bytes:
    """Return 0.1 s of audio per number (0 to 2**60 - 1) that a scripted engine reads back."""
    return b"".join(_marked_block(number) for number in numbers)


def _marked_block(number: int) -> bytes:
    parts = [(number >> shift) & 0x7FFF for shift in (0, 15, 30, 45)]
    mark = _MAGIC + _MARK.pack(*parts)
    return mark + bytes(BLOCK_FRAMES * FRAME_BYTES - len(mark))


@dataclass(frozen=True, slots=True)
class Script:
    """How a scripted engine behaves."""

    words_per_final: int = 10
    partials: bool = True
    breaks_at: tuple[int, ...] = ()
    """Frames at which a stream breaks off, each once per session."""

    blocks_per_word: int = 1
    """Tenths of a second per word of the verse; marked audio always has one word a block."""


class ScriptedEngine:
    """Says what the marks say, in every language."""

    name = "scripted"
    gated = False

    def __init__(self, script: Script | None = None) -> None:
        self._script = script or Script(blocks_per_word=4)
        self._broken: set[tuple[str, int]] = set()

    def knows(self, language: Language) -> bool:  # noqa: ARG002 - it knows them all
        return True

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator["ScriptedStream"]:
        left = tuple(f for f in self._script.breaks_at if (request.session, f) not in self._broken)
        stream = ScriptedStream(request, self._script, left)
        try:
            yield stream
        finally:
            if stream.broke_at is not None:
                self._broken.add((request.session, stream.broke_at))


class ScriptedStream:
    """Reads whole blocks, wherever the chunks are cut."""

    def __init__(self, request: StreamRequest, script: Script, breaks_at: tuple[int, ...]) -> None:
        self._script = script
        self._breaks_at = breaks_at
        self.broke_at: int | None = None
        # When 64 events wait to be read, `send` waits too.
        self._events: deque[EngineEvent] = deque()
        self._ended = False
        self._changed = asyncio.Condition()
        self._pending = b""
        self._frame = request.first_frame
        self._words: list[Word] = []

    async def send(self, chunk: AudioChunk) -> None:
        self._pending += chunk.pcm
        size = BLOCK_FRAMES * FRAME_BYTES
        while len(self._pending) >= size:
            block, self._pending = self._pending[:size], self._pending[size:]
            for event in self._hear(block):
                await self._put(event)

    async def end(self) -> None:
        if self._words:
            await self._put(self._guess(is_final=True))
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def _put(self, event: EngineEvent) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._events) < 64)
            self._events.append(event)
            self._changed.notify_all()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._events or self._ended)
                if not self._events:
                    return
                event = self._events.popleft()
                self._changed.notify_all()
            yield event

    def _hear(self, block: bytes) -> Iterator[EngineEvent]:
        start, self._frame = self._frame, self._frame + BLOCK_FRAMES
        due = [frame for frame in self._breaks_at if start <= frame < self._frame]
        if due:
            self.broke_at = due[0]
            raise EngineFailed(f"The script breaks the stream at frame {due[0]}.")
        text = self._word(block, start)
        if text is None:
            return
        self._words.append(Word(text, start, self._frame, confidence=1.0, stable=True))
        if len(self._words) >= self._script.words_per_final:
            yield self._guess(is_final=True)
            self._words.clear()
            yield Settled(self._frame)
        elif self._script.partials:
            yield self._guess(is_final=False)

    def _word(self, block: bytes, start: int) -> str | None:
        if block.startswith(_MAGIC):
            parts = _MARK.unpack_from(block, len(_MAGIC))
            return str(
                sum(part << shift for part, shift in zip(parts, (0, 15, 30, 45), strict=True))
            )
        count, rest = divmod(start // BLOCK_FRAMES, self._script.blocks_per_word)
        return None if rest else _VERSE[count % len(_VERSE)]

    def _guess(self, *, is_final: bool) -> Hypothesis:
        words = tuple(self._words)
        return Hypothesis(
            " ".join(word.text for word in words),
            words[0].start_frame,
            words[-1].end_frame,
            is_final,
            words,
        )
