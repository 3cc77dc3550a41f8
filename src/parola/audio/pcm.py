"""Turns raw samples of any usual rate into the core's 16 kHz mono, and measures them."""

import numpy as np
import numpy.typing as npt
import soxr

from parola.domain.audio import FRAME_BYTES, RATE_HZ
from parola.domain.errors import BadAudio

MIN_RATE_HZ = 8_000
"""Telephone sound, the lowest rate that anybody captures speech with."""

MAX_RATE_HZ = 192_000
"""The highest rate that sound cards offer."""

MAX_CHANNELS = 8
"""The most that a sound file names places for (7.1); more than that is a studio's raw tracks."""

_FULL_SCALE = 32_768.0

CLIPPED_SAMPLES = 3
"""Neighbouring samples at full scale that speech does not have unless it was cut off there."""


class Resampler:
    """Turns a stream of 16-bit samples into 16 kHz mono, however the stream is cut.

    Sound above 8 kHz is filtered away before the rate falls, so it does not fold back into
    speech. The filter holds back 20 to 80 ms of sound; `flush` brings it out. Sound that is
    16 kHz mono already passes through unchanged and at once.

    Channels are mixed to their mean. All bytes are signed 16-bit little-endian samples,
    interleaved by channel.
    """

    def __init__(self, rate_hz_in: int, channels: int = 1) -> None:
        """Start a stream.

        Raises:
            BadAudio: the rate is not from 8,000 to 192,000 Hz, or the channels from 1 to 8.
        """
        if not MIN_RATE_HZ <= rate_hz_in <= MAX_RATE_HZ:
            raise BadAudio(
                f"A sample rate of {rate_hz_in} Hz cannot be used;"
                f" send {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, best 16000."
            )
        _check_channels(channels)
        self._channels = channels
        self._rest = b""
        self._stream = _stream(rate_hz_in) if rate_hz_in != RATE_HZ else None

    def feed(self, pcm: bytes) -> bytes:
        """Return the 16 kHz mono samples that are ready after these bytes; often fewer, or none.

        The bytes may be cut anywhere: what is left over of a frame waits for the next call.
        """
        whole, self._rest = _whole_frames(self._rest + pcm, self._channels)
        mono = to_mono(whole, self._channels)
        if self._stream is None:
            return mono
        samples = np.frombuffer(mono, "<i2").astype(np.float32)
        return _to_pcm(self._stream.resample_chunk(samples))

    def flush(self) -> bytes:
        """Return what the filter held back, and start anew.

        After this all calls together have returned the input's frames times 16,000 over its
        rate, give or take one frame. A frame that was never completed is dropped.
        """
        self._rest = b""
        if self._stream is None:
            return b""
        tail = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        self._stream.clear()
        return _to_pcm(tail)


class Apart:
    """Turns a stream of 16-bit samples of two channels into 16 kHz, the channels kept apart.

    As `Resampler` does with each of them; both have the same length, always.
    """

    def __init__(self, rate_hz_in: int) -> None:
        """Start a stream.

        Raises:
            BadAudio: the rate is not from 8,000 to 192,000 Hz.
        """
        self._resamplers = (Resampler(rate_hz_in), Resampler(rate_hz_in))
        self._rest = b""

    def feed(self, pcm: bytes) -> bytes:
        """Return what is ready after these bytes, interleaved; they may be cut anywhere."""
        whole, self._rest = _whole_frames(self._rest + pcm, 2)
        one, two = self._resamplers
        return interleaved(one.feed(one_channel(whole, 2, 0)), two.feed(one_channel(whole, 2, 1)))

    def flush(self) -> bytes:
        """Return what the filters held back, and start anew."""
        self._rest = b""
        one, two = self._resamplers
        return interleaved(one.flush(), two.flush())


def interleaved(one: bytes, two: bytes) -> bytes:
    """Return two channels of whole 16-bit frames, of the same length, as one stream."""
    both = np.stack((np.frombuffer(one, "<i2"), np.frombuffer(two, "<i2")), axis=1)
    return both.tobytes()


def to_mono(pcm: bytes, channels: int) -> bytes:
    """Return the mean of the channels, 16-bit as before, rounded to the nearest whole number.

    Raises:
        BadAudio: the bytes are not a whole number of frames, or the channels not from 1 to 8.
    """
    _check_channels(channels)
    if len(pcm) % (FRAME_BYTES * channels):
        raise BadAudio(
            f"{len(pcm)} bytes are not a whole number of 16-bit frames of {channels} channel(s);"
            " send whole frames."
        )
    if channels == 1:
        return pcm
    samples = np.frombuffer(pcm, "<i2").reshape(-1, channels)
    mono: npt.NDArray[np.int16] = np.rint(samples.mean(axis=1)).astype("<i2")
    return mono.tobytes()


def telephone(pcm: bytes, first_frame: int, channels: int = 1) -> bytes:
    """Return the 8 kHz samples that 16 kHz sound was made of: its even frames.

    No filter is needed, since such sound has nothing above 4 kHz, and so it may be cut anywhere.
    What comes back differs from what went in by the resampler's edge at 4 kHz: 43 dB below noise
    of the whole band, less for speech.

    Args:
        pcm: whole 16-bit frames.
        first_frame: the first one's number, counted from the first that was made.
        channels: interleaved in each frame.
    """
    frames = np.frombuffer(pcm, "<i2").reshape(-1, channels)
    samples: npt.NDArray[np.int16] = frames[first_frame % 2 :: 2]
    return samples.tobytes()


def level_dbfs(pcm: bytes) -> float:
    """Return the level (root mean square) of mono samples in decibels below full scale.

    0.0 is a full-scale square wave, -3.0 a full-scale sine, about -20 loud speech;
    `float("-inf")` is digital silence or no samples at all.

    Raises:
        BadAudio: the number of bytes is odd.
    """
    samples = np.frombuffer(to_mono(pcm, 1), "<i2").astype(np.float64)
    power = float(np.mean(samples**2)) if samples.size else 0.0
    if power == 0.0:
        return float("-inf")
    return float(10 * np.log10(power / _FULL_SCALE**2))


def is_clipping(pcm: bytes) -> bool:
    """Return whether mono samples stay at full scale: sound that was too loud for its numbers.

    Raises:
        BadAudio: the number of bytes is odd.
    """
    samples = np.frombuffer(to_mono(pcm, 1), "<i2")
    at_limit = (samples >= 32_767) | (samples <= -32_767)
    runs = np.convolve(at_limit, np.ones(CLIPPED_SAMPLES, np.int8))
    return bool(samples.size and runs.max() >= CLIPPED_SAMPLES)


def one_channel(pcm: bytes, channels: int, wanted: int) -> bytes:
    """Return one channel of whole frames, counted from 0.

    Raises:
        BadAudio: the bytes are not a whole number of frames, or there is no such channel.
    """
    _check_channels(channels)
    if not 0 <= wanted < channels:
        raise BadAudio(f"There is no channel {wanted + 1} in sound of {channels}; take another.")
    if len(pcm) % (FRAME_BYTES * channels):
        raise BadAudio("The sound ends in mid-frame; send whole frames.")
    return np.frombuffer(pcm, "<i2").reshape(-1, channels)[:, wanted].tobytes()


def _check_channels(channels: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadAudio(
            f"Sound with {channels} channels cannot be used; send 1 to {MAX_CHANNELS}, best one."
        )


def _stream(rate_hz_in: int) -> soxr.ResampleStream:
    # Not int16: soxr dithers whole numbers, and its dither depends on where the input was cut.
    return soxr.ResampleStream(rate_hz_in, RATE_HZ, 1, dtype="float32", quality="HQ")


def _whole_frames(pcm: bytes, channels: int) -> tuple[bytes, bytes]:
    """Return the whole frames and what is left over."""
    at = len(pcm) - len(pcm) % (FRAME_BYTES * channels)
    return pcm[:at], pcm[at:]


def _to_pcm(samples: npt.NDArray[np.float32]) -> bytes:
    """Return the samples, in 16-bit units, as bytes; the filter's overshoot is clipped."""
    pcm: npt.NDArray[np.int16] = np.clip(np.rint(samples), -32_768, 32_767).astype("<i2")
    return pcm.tobytes()
