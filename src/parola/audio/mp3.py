"""Writes sound as MP3 in which every place of the file is a time on the clock.

16 kHz, one channel, 32 kbit/s, without the bit reservoir: every packet is 144 bytes for 576 frames
and needs no other one, so a file can be torn off and continued at any of them. Source: ISO/IEC
13818-3, section 2.4.2.3 (length of a frame), LAME's tech FAQ (encoder and decoder delay).
"""

from functools import cache

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.codec.codec import UnknownCodecError

from parola.domain.audio import FRAME_BYTES, RATE_HZ
from parola.domain.errors import StoreFailed

PACKET_FRAMES = 576
PACKET_BYTES = 144

BYTES_PER_S = PACKET_BYTES * RATE_HZ // PACKET_FRAMES

_BIT_RATE = 32_000

_DELAY_PACKETS = 2
"""LAME and a decoder together are 1105 frames late; two packets less make that 47 early: 3 ms."""

MEDIA_TYPE = "audio/mpeg"


class Mp3Encoder:
    """Encodes one run of neighbouring frames, from a packet's first frame on."""

    def __init__(self) -> None:
        """Begin.

        Raises:
            StoreFailed: FFmpeg was built without LAME.
        """
        try:
            context = av.CodecContext.create("libmp3lame", "w")
        except UnknownCodecError as error:
            raise StoreFailed("Sound cannot be kept: this FFmpeg has no libmp3lame.") from error
        assert isinstance(context, AudioCodecContext)  # noqa: S101 - what the name stands for
        context.sample_rate, context.bit_rate = RATE_HZ, _BIT_RATE
        context.layout, context.format = "mono", "s16p"
        context.options = {"reservoir": "0"}
        self._context = context
        self._rest = b""
        self._frames = 0
        self._made = self._given = 0

    def encode(self, pcm: bytes) -> bytes:
        """Take s16le sound of whole frames; return the packets that are ready."""
        self._frames += len(pcm) // FRAME_BYTES
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % (PACKET_FRAMES * FRAME_BYTES)
        self._rest = pcm[whole:]
        return b"".join(
            self._packets(_frame(pcm[at : at + PACKET_FRAMES * FRAME_BYTES]))
            for at in range(0, whole, PACKET_FRAMES * FRAME_BYTES)
        )

    def end(self) -> bytes:
        """Return the last packets: as many in all as hold every frame, filled with silence."""
        wanted = -(-self._frames // PACKET_FRAMES)
        missing = (wanted + _DELAY_PACKETS) * PACKET_FRAMES - self._frames
        last = self.encode(bytes(missing * FRAME_BYTES)) + self._packets(None)
        spare = (self._given - wanted) * PACKET_BYTES
        return last[: len(last) - spare] if spare > 0 else last

    def _packets(self, frame: AudioFrame | None) -> bytes:
        found = [bytes(packet) for packet in self._context.encode(frame)]
        late = max(_DELAY_PACKETS - self._made, 0)
        self._made += len(found)
        self._given += len(found[late:])
        return b"".join(found[late:])


@cache
def silent_packet() -> bytes:
    """Return a packet of silence, which may stand anywhere."""
    return Mp3Encoder().encode(bytes(20 * PACKET_FRAMES * FRAME_BYTES))[-PACKET_BYTES:]


def _frame(pcm: bytes) -> AudioFrame:
    samples = np.frombuffer(pcm, "<i2").reshape(1, -1)
    frame = AudioFrame.from_ndarray(samples, format="s16p", layout="mono")
    frame.sample_rate = RATE_HZ
    return frame
