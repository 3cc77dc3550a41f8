"""Makes small sound and video files of every kind, good and bad, for tests."""

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

KINDS = {
    "wav": ("wav", "pcm_s16le", 44_100),
    "u8.wav": ("wav", "pcm_u8", 22_050),
    "mulaw.wav": ("wav", "pcm_mulaw", 8_000),
    "mp3": ("mp3", "mp3", 44_100),
    "m4a": ("ipod", "aac", 44_100),
    "aac": ("adts", "aac", 44_100),
    "vorbis.ogg": ("ogg", "vorbis", 44_100),
    "opus.ogg": ("ogg", "libopus", 48_000),
    "opus": ("ogg", "libopus", 48_000),
    "webm": ("webm", "libopus", 48_000),
    "flac": ("flac", "flac", 44_100),
    "aiff": ("aiff", "pcm_s16be", 44_100),
    "caf": ("caf", "alac", 48_000),
    "amr": ("amr", "libopencore_amrnb", 8_000),
    "mp4": ("mp4", "aac", 44_100),
    "mkv": ("matroska", "ac3", 48_000),
    "mpegts": ("mpegts", "aac", 48_000),
    "avi": ("avi", "mp2", 48_000),
}
"""By the ending of a file's name: FFmpeg's format, its codec, the sample rate in Hz."""

WITH_VIDEO = {"mp4", "mkv"}
"""Which of them have a picture too."""

STEREO_ONLY = {"vorbis"}
"""FFmpeg's own Vorbis encoder knows two channels only."""


def tone(seconds: float, rate_hz: int = 16_000, hz: float = 440.0, peak: int = 8_000) -> bytes:
    """Return a sine as 16-bit mono samples."""
    at = np.arange(round(seconds * rate_hz)) * (2 * np.pi * hz / rate_hz)
    samples = np.rint(np.sin(at) * peak).astype("<i2")
    return bytes(samples.tobytes())


def wav(
    pcm: bytes, rate_hz: int = 16_000, channels: int = 1, bits: int = 16, tag: int = 1
) -> bytes:
    """Return a WAV file with these samples; the header says what it is told, be it absurd."""
    frame_bytes = channels * bits // 8
    header = struct.pack(
        "<HHIIHH",
        tag,
        channels,
        rate_hz,
        rate_hz * frame_bytes & 0xFFFFFFFF,
        frame_bytes & 0xFFFF,
        bits,
    )
    return (
        b"RIFF"
        + struct.pack("<I", 20 + len(header) + len(pcm))
        + b"WAVEfmt "
        + struct.pack("<I", len(header))
        + header
        + b"data"
        + struct.pack("<I", len(pcm))
        + pcm
    )


def audio_file(kind: str, pcm: bytes, rate_hz: int = 16_000, **options: str) -> bytes:
    """Return a file of one of the `KINDS` with these 16-bit mono samples in it.

    `options` go to FFmpeg's muxer, such as `movflags="faststart"`.
    """
    format_name, codec, codec_rate_hz = KINDS[kind]
    return media_file(
        format_name,
        _resampled(pcm, rate_hz, codec_rate_hz),
        codec,
        codec_rate_hz,
        video=kind in WITH_VIDEO,
        **options,
    )


def video_without_audio() -> bytes:
    """Return half a second of grey MP4 without a sound track."""
    return media_file("mp4", b"", None, 0, video=True)


def media_file(
    format_name: str, pcm: bytes, codec: str | None, rate_hz: int, *, video: bool, **options: str
) -> bytes:
    """Return a file in a format and codec that FFmpeg names; without a codec it has no sound."""
    file = io.BytesIO()
    with av.open(file, "w", format=format_name, options=options) as container:
        picture = _picture(container.add_stream("mpeg4", rate=10)) if video else None
        sound = None
        if codec:
            layout = "stereo" if codec in STEREO_ONLY else "mono"
            sound = container.add_stream(
                codec, rate=rate_hz, layout=layout, options={"strict": "experimental"}
            )
        if picture:
            for index in range(5):
                container.mux(picture.encode(_grey(index)))
            container.mux(picture.encode(None))
        if isinstance(sound, AudioStream):
            for frame in _frames(pcm, rate_hz, sound.channels):
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return file.getvalue()


def with_holes(data: bytes, every: int, length: int, start: int = 2_000) -> bytes:
    """Return the file with stretches of `length` bytes overwritten, one in `every` bytes."""
    broken = bytearray(data)
    for at in range(start, len(broken) - length, every):
        broken[at : at + length] = b"\xa5" * length
    return bytes(broken)


def with_a_broken_packet(data: bytes, number: int) -> bytes:
    """Return the file with the bytes of one audio packet, counted from 0, overwritten."""
    broken = bytearray(data)
    with av.open(io.BytesIO(data), "r") as container:
        packet = list(container.demux(audio=0))[number]
        if packet.pos is None:
            raise ValueError("this format does not tell where its packets are")
        broken[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    return bytes(broken)


def garbage(count: int, seed: int = 0) -> bytes:
    """Return bytes that mean nothing."""
    return np.random.default_rng(seed).bytes(count)


def playlists(folder: Path, target: Path, address: str) -> dict[str, bytes]:
    """Return files that ask their reader to open another file, or an address.

    `folder` holds `target`, a WAV file; `address` is an http:// URL.
    """
    media = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    mpd = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
        ' mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="audio/wav">'
        '<Representation id="1" bandwidth="1"><BaseURL>{}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    )
    texts = {
        "absolute.ffconcat": f"ffconcat version 1.0\nfile '{folder / target.name}'\n",
        "relative.ffconcat": f"ffconcat version 1.0\nfile {target.name}\n",
        "address.ffconcat": f"ffconcat version 1.0\nfile '{address}'\n",
        "file.m3u8": media.format(folder / target.name),
        "url.m3u8": media.format(f"file://{folder / target.name}"),
        "address.m3u8": media.format(address),
        "file.mpd": mpd.format(folder / target.name),
        "address.mpd": mpd.format(address),
        "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=audio 5004 RTP/AVP 0\n",
    }
    return {name: text.encode() for name, text in texts.items()}


def _picture(stream: object) -> VideoStream:
    if not isinstance(stream, VideoStream):
        raise TypeError("mpeg4 is a video codec")
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    return stream


def _grey(index: int) -> av.VideoFrame:
    frame = av.VideoFrame(64, 64, "yuv420p")
    frame.pts = index
    frame.time_base = Fraction(1, 10)
    for plane in frame.planes:
        plane.update(b"\x80" * plane.buffer_size)
    return frame


def _frames(pcm: bytes, rate_hz: int, channels: int) -> Iterator[av.AudioFrame]:
    samples = np.repeat(np.frombuffer(pcm, "<i2"), channels)
    for first in range(0, len(pcm) // 2, 1024):
        part = samples[first * channels : (first + 1024) * channels]
        layout = "stereo" if channels == 2 else "mono"
        frame = av.AudioFrame.from_ndarray(part[np.newaxis], format="s16", layout=layout)
        frame.sample_rate = rate_hz
        frame.pts = first
        frame.time_base = Fraction(1, rate_hz)
        yield frame


def _resampled(pcm: bytes, rate_hz: int, wanted_hz: int) -> bytes:
    if rate_hz == wanted_hz:
        return pcm
    frame = next(_frames_whole(pcm, rate_hz))
    resampler = av.AudioResampler(format="s16", layout="mono", rate=wanted_hz)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return b"".join(bytes(part.planes[0])[: part.samples * 2] for part in parts)


def _frames_whole(pcm: bytes, rate_hz: int) -> Iterator[av.AudioFrame]:
    frame = av.AudioFrame.from_ndarray(
        np.frombuffer(pcm, "<i2")[np.newaxis], format="s16", layout="mono"
    )
    frame.sample_rate = rate_hz
    yield frame
