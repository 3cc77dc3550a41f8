"""Holds a session's audio until its text is final, so that a new engine stream can start over."""

from collections import deque

from parola.domain.audio import RATE_HZ, AudioChunk

LIMIT_FRAMES = 120 * RATE_HZ
"""How much may wait: two minutes, 3.8 MB. When it is full the source waits, nothing is dropped."""


class Backlog:
    """Contiguous audio from the rewind point to the newest frame.

    The *rewind point* is the first frame that is neither final text nor known to hold none.
    """

    def __init__(self, first_frame: int = 0, limit_frames: int = LIMIT_FRAMES) -> None:
        self._chunks: deque[AudioChunk] = deque()
        self._rewind = first_frame
        self._end = first_frame
        self._limit = limit_frames

    @property
    def rewind_frame(self) -> int:
        """Where a new engine stream has to start."""
        return self._rewind

    @property
    def end_frame(self) -> int:
        """The first frame that has not come yet."""
        return self._end

    @property
    def is_full(self) -> bool:
        """Whether the source should wait."""
        return self._end - self._rewind >= self._limit

    def append(self, chunk: AudioChunk) -> None:
        """Keep the next chunk.

        Raises:
            ValueError: it does not start where the last one ended.
        """
        if chunk.first_frame != self._end:
            raise ValueError(f"expected frame {self._end}, got {chunk.first_frame}")
        if chunk.frames:
            self._chunks.append(chunk)
            self._end = chunk.end_frame

    def settle(self, frame: int) -> None:
        """Forget the audio before `frame`; a frame before the rewind point changes nothing."""
        frame = min(frame, self._end)
        if frame <= self._rewind:
            return
        self._rewind = frame
        while self._chunks and self._chunks[0].end_frame <= frame:
            self._chunks.popleft()
        if self._chunks and self._chunks[0].first_frame < frame:
            _, self._chunks[0] = self._chunks[0].cut(frame)

    def after(self, frame: int) -> AudioChunk | None:
        """Return the audio from `frame` to the end of the chunk it lies in; None at the end.

        Raises:
            ValueError: the frame is before the rewind point, its audio is gone.
        """
        if frame < self._rewind:
            raise ValueError(f"frame {frame} is before the rewind point {self._rewind}")
        if frame >= self._end:
            return None
        # The frame wanted is nearly always in one of the newest chunks.
        for chunk in reversed(self._chunks):
            if chunk.first_frame <= frame:
                return chunk.cut(frame)[1]
        raise AssertionError("chunks are contiguous from the rewind point")
