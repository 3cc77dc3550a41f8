"""Reads samples without a header around them, of any usual format, as 16 kHz mono."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parola.audio.pcm import Resampler
from parola.domain.errors import BadAudio

RAW_FORMATS = {
    "s16le": "<i2",
    "s16be": ">i2",
    "s24le": "",
    "s32le": "<i4",
    "f32le": "<f4",
    "f64le": "<f8",
    "u8": "u1",
}
"""By FFmpeg's name of the format: how NumPy reads it (24 bits it cannot)."""

_BYTES = {"s16le": 2, "s16be": 2, "s24le": 3, "s32le": 4, "f32le": 4, "f64le": 8, "u8": 1}


@dataclass(frozen=True, slots=True)
class Raw:
    """What samples without a header are."""

    format: str
    """One of `RAW_FORMATS`."""

    rate_hz: int
    channels: int


class RawReader:
    """Turns a stream of such samples into 16 kHz mono, however the stream is cut."""

    def __init__(self, raw: Raw) -> None:
        """Start a stream.

        Raises:
            BadAudio: nobody knows the format, or the rate or the channels are out of range.
        """
        if raw.format not in RAW_FORMATS:
            raise BadAudio(f"{raw.format!r} is no kind of samples; take {', '.join(RAW_FORMATS)}.")
        self._format = raw.format
        self._resampler = Resampler(raw.rate_hz, raw.channels)
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return the 16 kHz mono samples that are ready after these bytes."""
        data = self._rest + data
        whole = len(data) - len(data) % _BYTES[self._format]
        self._rest = data[whole:]
        return self._resampler.feed(to_s16le(data[:whole], self._format))

    def flush(self) -> bytes:
        """Return what the filter held back."""
        self._rest = b""
        return self._resampler.flush()


def to_s16le(data: bytes, format_: str) -> bytes:
    """Return whole samples of a format as signed 16-bit little-endian ones.

    Numbers with more bits lose the lowest; floating-point ones beyond full scale are clipped.
    """
    if format_ == "s24le":
        # The two upper bytes of three.
        upper = np.frombuffer(data, "u1").reshape(-1, 3)[:, 1:]
        return upper.tobytes()
    samples = np.frombuffer(data, RAW_FORMATS[format_])
    wide: npt.NDArray[np.float64]
    if samples.dtype.kind == "f":
        finite = np.nan_to_num(samples.astype(np.float64), posinf=1.0, neginf=-1.0)
        wide = np.rint(np.clip(finite, -1.0, 1.0) * 32_768)
    elif format_ == "u8":
        wide = (samples.astype(np.float64) - 128) * 256
    else:
        wide = samples.astype(np.float64) // (2 ** (8 * (samples.dtype.itemsize - 2)))
    return np.clip(wide, -32_768, 32_767).astype("<i2").tobytes()
