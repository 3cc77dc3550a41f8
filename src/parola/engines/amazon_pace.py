"""Cuts audio into frames' worth and says when each may travel: near real time, never in a flood."""

from collections.abc import Iterator

from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk

LEAD_S = 1.0
"""How far sending may run ahead of the pace: a second's worth goes at once."""


class Cutter:
    """Turns chunks of any size into pieces of one size, in order, without a frame more or less.

    A piece is voiced where any of its frames is.
    """

    def __init__(self, frames: int) -> None:
        """Take the frames of a piece."""
        self._frames = frames
        self._held = bytearray()
        self._both = bytearray()
        """The held frames' two channels, where the audio has them."""
        self._first = 0
        self._voiced = False

    def add(self, chunk: AudioChunk) -> Iterator[AudioChunk]:
        """Yield the pieces that are now full; less than one is kept."""
        rest = chunk
        while rest.frames:
            if not self._held:
                self._first, self._voiced = rest.first_frame, False
            missing = self._frames - len(self._held) // FRAME_BYTES
            part, rest = rest.cut(rest.first_frame + missing)
            self._held += part.pcm
            self._both += part.both
            self._voiced = self._voiced or part.voiced
            if len(self._held) == self._frames * FRAME_BYTES:
                yield from self.flush()

    def flush(self) -> Iterator[AudioChunk]:
        """Yield what is kept, if anything is."""
        if self._held:
            piece = AudioChunk(self._first, bytes(self._held), self._voiced, bytes(self._both))
            self.drop()
            yield piece

    def drop(self) -> None:
        """Forget what is kept: the next chunk does not follow on it."""
        self._held.clear()
        self._both.clear()


class Pacer:
    """Lets audio through at a speed, in times real time; time is an argument, in seconds."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._due = float("-inf")

    def wait_s(self, frames: int, now: float) -> float:
        """Return how long to wait before the next frames are sent, and count them as sent."""
        self._due = max(self._due, now - LEAD_S)
        wait = max(self._due - now, 0.0)
        self._due += frames / RATE_HZ / self._speed
        return wait
