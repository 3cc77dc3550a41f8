"""Sound as the core counts it: 16 kHz, one channel, whole frames on a session's own clock."""

from dataclasses import dataclass

RATE_HZ = 16_000
"""Frames per second inside Parola. Recognisers and voice detection are trained on this rate."""

FRAME_BYTES = 2
"""One frame is one signed 16-bit little-endian sample."""


def to_seconds(frames: int) -> float:
    """Return the time of a frame on its session's clock, rounded to the millisecond."""
    return round(frames / RATE_HZ, 3)


def to_frames(seconds: float) -> int:
    """Return the frame nearest to a time in seconds."""
    return round(seconds * RATE_HZ)


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A run of neighbouring frames.

    Time is counted in frames, never in floating-point seconds: sums of 0.1 drift, frames do not.
    """

    first_frame: int
    """Where the chunk starts on the session's clock; 0 is the session's first frame."""

    pcm: bytes
    """Signed 16-bit little-endian samples, one channel, 16 kHz; a whole number of frames."""

    voiced: bool = True
    """Whether the gate let it through. What the gate withholds is digital silence."""

    both: bytes = b""
    """The same frames with the source's two channels apart, interleaved; `pcm` is their mean. Empty
    where the engine does not hear channels apart."""

    def __post_init__(self) -> None:
        """Refuse half frames.

        Raises:
            ValueError: the number of bytes is odd, the position is negative, or two channels are
                not twice as much as their mean.
        """
        if self.both and len(self.both) != 2 * len(self.pcm):
            raise ValueError(f"{len(self.both)} bytes are not two channels of {len(self.pcm)}")
        if len(self.pcm) % FRAME_BYTES:
            raise ValueError(f"{len(self.pcm)} bytes are not a whole number of 16-bit frames")
        if self.first_frame < 0:
            raise ValueError(f"a chunk cannot start at frame {self.first_frame}")

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return len(self.pcm) // FRAME_BYTES

    @property
    def end_frame(self) -> int:
        """The first frame after it."""
        return self.first_frame + self.frames

    def cut(self, frame: int) -> tuple["AudioChunk", "AudioChunk"]:
        """Return the parts before and from `frame`; either may be empty."""
        at = min(max(frame - self.first_frame, 0), self.frames)
        return (
            AudioChunk(
                self.first_frame,
                self.pcm[: at * FRAME_BYTES],
                self.voiced,
                self.both[: at * 2 * FRAME_BYTES],
            ),
            AudioChunk(
                self.first_frame + at,
                self.pcm[at * FRAME_BYTES :],
                self.voiced,
                self.both[at * 2 * FRAME_BYTES :],
            ),
        )
