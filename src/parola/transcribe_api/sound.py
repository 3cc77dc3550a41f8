"""Turns a stream's audio, raw or compressed, into 16 kHz mono as it comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import Condition
from typing import BinaryIO, Protocol, cast

import numpy as np

from parola.audio.decode import Decoder
from parola.audio.g711 import Law, expanded
from parola.audio.pcm import Resampler
from parola.beside import tasks_beside
from parola.domain.audio import FRAME_BYTES, AudioChunk, to_seconds
from parola.domain.errors import BadAudio
from parola.wire.transcribe import BadRequest, StreamParameters

Feed = Callable[[bytes], Awaitable[None]]
"""Takes s16le, one channel, 16 kHz; waits while it has enough."""

RAW: Mapping[str, Law | None] = {"pcm": None, "g711-alaw": "alaw", "g711-ulaw": "ulaw"}
"""The encodings that are samples and no more, by how they are expanded to 16 bits."""

PIPE_BYTES = 256 * 1024
"""Compressed audio that may wait for the decoder; when it is full the client waits."""


class Sound(Protocol):
    """One stream's audio on its way in."""

    async def take(self, data: bytes) -> float:
        """Take what the client sent, cut anywhere, and return the seconds of audio so far.

        Raises:
            BadRequest: it is not what the client said it would be.
        """

    async def end(self) -> float:
        """Bring out the rest, and return the seconds of audio.

        Raises:
            BadRequest: as in `take`.
        """


@asynccontextmanager
async def open_sound(parameters: StreamParameters, feeds: Sequence[Feed]) -> AsyncIterator[Sound]:
    """Give the way in for a stream's encoding, with a feed for each channel."""
    if parameters.media_encoding in RAW:
        yield Pcm(parameters.sample_rate_hz, feeds, RAW[parameters.media_encoding])
        return
    async with tasks_beside() as tasks:
        compressed = Compressed(feeds[0])
        decoding = tasks.create_task(compressed.run())
        compressed.done = decoding
        try:
            yield compressed
        finally:
            compressed.stop()


class Pcm:
    """Raw samples: interleaved where there are several channels, each of which is heard alone."""

    def __init__(self, rate_hz: int, feeds: Sequence[Feed], law: Law | None) -> None:
        self._law = law
        self._feeds = feeds
        self._frame_bytes = FRAME_BYTES * len(feeds)
        self._bytes_per_s = rate_hz * self._frame_bytes
        self._resamplers = [Resampler(rate_hz) for _ in feeds]
        self._rest = b""
        self._taken = 0

    async def take(self, data: bytes) -> float:
        """Take samples."""
        if self._law:
            data = expanded(data, self._law)
        self._taken += len(data)
        data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        for feed, resampler, pcm in self._channels(data[:whole]):
            await feed(resampler.feed(pcm))
        return self._taken / self._bytes_per_s

    async def end(self) -> float:
        """Bring out what the filters held back."""
        for feed, resampler in zip(self._feeds, self._resamplers, strict=True):
            await feed(resampler.flush())
        return self._taken / self._bytes_per_s

    def _channels(self, data: bytes) -> Iterator[tuple[Feed, Resampler, bytes]]:
        if len(self._feeds) == 1:
            yield self._feeds[0], self._resamplers[0], data
            return
        frames = np.frombuffer(data, "<i2").reshape(-1, len(self._feeds))
        for index, feed in enumerate(self._feeds):
            yield feed, self._resamplers[index], frames[:, index].tobytes()


class Compressed:
    """FLAC or Ogg-Opus: a thread decodes what comes down a pipe."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._pipe = Pipe()
        self._seconds = 0.0
        self.done: asyncio.Task[None] | None = None
        """The task of `run`."""

    async def take(self, data: bytes) -> float:
        """Take a piece of the file. The seconds are those decoded, about one behind."""
        await self._pipe.write(data)
        return self._seconds

    async def end(self) -> float:
        """Bring out the rest."""
        self._pipe.close()
        if self.done is not None:
            await self.done
        return self._seconds

    def stop(self) -> None:
        """Let the thread go; what it has not decoded is lost."""
        self._pipe.close()

    async def run(self) -> None:
        """Decode until the pipe is closed.

        Raises:
            BadRequest: what comes is not sound.
        """
        loop = asyncio.get_running_loop()
        # A thread of its own: it waits for the client, and would use up the shared ones.
        threads = ThreadPoolExecutor(1, "decode")
        try:
            chunks = await loop.run_in_executor(threads, self._open)
            while chunk := await loop.run_in_executor(threads, _next, chunks):
                await self._feed(chunk.pcm)
                self._seconds = to_seconds(chunk.end_frame)
        except BadAudio as error:
            raise BadRequest(f"The audio could not be decoded. {error.message}") from error
        finally:
            self._pipe.close()
            threads.shutdown(wait=False)

    def _open(self) -> Iterator[AudioChunk]:
        return Decoder(cast("BinaryIO", self._pipe)).chunks()


def _next(chunks: Iterator[AudioChunk]) -> AudioChunk | None:
    return next(chunks, None)


class Pipe:
    """Bytes from the loop to one thread, which waits for them.

    It holds at most `PIPE_BYTES` and one piece more; when it is full `write` waits.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._closed = False
        self._changed = Condition()
        self._loop = asyncio.get_running_loop()
        self._space = asyncio.Event()

    async def write(self, data: bytes) -> None:
        """Put bytes in; after `close` they are dropped."""
        while True:
            with self._changed:
                if self._closed:
                    return
                if len(self._data) < PIPE_BYTES:
                    self._data += data
                    self._changed.notify()
                    return
                self._space.clear()
            await self._space.wait()

    def close(self) -> None:
        """Say that no more comes: the thread reads what is there, then the end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._space.set()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes as soon as there is one; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._data or self._closed)
            data = bytes(self._data[:size])
            del self._data[:size]
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._space.set)
        return data
