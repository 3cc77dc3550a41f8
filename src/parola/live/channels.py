"""Keeps a source's two channels beside their mean, frame for frame, for engines that hear them."""

from parola.domain.audio import FRAME_BYTES, AudioChunk
from parola.ports import Engine, HearsChannels, StreamRequest

PAIR_BYTES = 2 * FRAME_BYTES


def hears_channels(engine: Engine, request: StreamRequest) -> bool:
    """Return whether an engine is to get the channels of the request's source apart."""
    if request.channels == 1 or not isinstance(engine, HearsChannels):
        return False
    return engine.hears_channels(request)


class Channels:
    """Both channels from the backlog's rewind point on.

    Everything else counts, gates and keeps the mean, and knows nothing of this. It holds as much
    as the backlog does, twice as large: 7.7 MB when that is full.
    """

    def __init__(self, first_frame: int) -> None:
        """Begin at the session's first frame."""
        self._pcm = bytearray()
        self._first = first_frame

    def add(self, pcm: bytes) -> None:
        """Keep the next whole frames: s16le, 16 kHz, two channels interleaved."""
        self._pcm += pcm

    def settle(self, frame: int) -> None:
        """Forget what is before a frame."""
        gone = frame - self._first
        if gone > 0:
            del self._pcm[: gone * PAIR_BYTES]
            self._first = frame

    def beside(self, chunk: AudioChunk) -> AudioChunk:
        """Return a chunk with its channels: silence in both where the gate withheld it."""
        if not chunk.voiced:
            both = bytes(chunk.frames * PAIR_BYTES)
        else:
            at = (chunk.first_frame - self._first) * PAIR_BYTES
            both = bytes(self._pcm[at : at + chunk.frames * PAIR_BYTES])
        return AudioChunk(chunk.first_frame, chunk.pcm, chunk.voiced, both)
