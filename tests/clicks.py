"""Sound of which one can say where each click is, before and after somebody kept it."""

import io
from collections.abc import Sequence

import av
import numpy as np

from parola.domain.audio import RATE_HZ

CLICK_FRAMES = 160


def sound_with_clicks(frames: int, at: Sequence[int]) -> bytes:
    """Return silence with a short tone at each of the frames: s16le."""
    samples = np.zeros(frames, "<i2")
    tone = (20_000 * np.sin(np.arange(CLICK_FRAMES) * 2 * np.pi * 1000 / RATE_HZ)).astype("<i2")
    for first in at:
        part = samples[first : first + CLICK_FRAMES]
        part[:] = tone[: len(part)]
    return samples.tobytes()


def clicks_in(file: bytes) -> list[float]:
    """Return the second at which each click of a file begins, by FFmpeg's decoder."""
    with av.open(io.BytesIO(file), "r") as container:
        samples = np.concatenate([f.to_ndarray().reshape(-1) for f in container.decode(audio=0)])
    loud = np.flatnonzero(np.abs(samples) > 0.15)
    starts = loud[np.diff(loud, prepend=-RATE_HZ) > RATE_HZ // 4]
    return [round(float(start) / RATE_HZ, 3) for start in starts]
