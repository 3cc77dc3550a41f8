"""Decodes sound and video files of any usual kind, a little at a time.

A file is a stranger's: it may be broken, may claim absurd things, or may be a playlist that names
other files and addresses. So it is read through one open file and nothing else, by demuxers that
take everything from that file, and is never held in memory as a whole.

The clock of the chunks counts decoded frames from 0: a start time in the file is ignored, and
what was lost with a damaged packet leaves no gap.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import av
import av.error
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard

from parola.audio.pcm import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, Apart, Resampler, to_mono
from parola.domain.audio import FRAME_BYTES, AudioChunk
from parola.domain.errors import BadAudio, NotFound

DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,eac3,flac,flv,loas,matroska,mov,mp3,mpeg,mpegts,"
    "nistsphere,ogg,tta,voc,w64,wav,wv"
)
"""FFmpeg's names of the formats that are read ("mov" is MP4 and M4A too, "matroska" WebM).

Each takes all it needs from the one file. Playlists (hls, dash, concat, sdp) are left out: they
open what they name, and concat did so even from a file object (PyAV 18.1).
"""

ADDRESS_WAITS_S = (10.0, 5.0)
"""How long an address may take to be opened, and to give the next piece."""

_MAX_READ_FAILURES = 16
"""Failed reads in a row after which the rest of a file is given up."""

_FORMATS = "WAV, MP3, M4A, OGG, Opus, WebM, FLAC, AIFF, MP4 or MKV"


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What a file says about its sound."""

    duration_s: float | None
    """Seconds; an estimate in raw MP3 and AAC, None where the file does not say."""

    codec: str
    """FFmpeg's name of the decoder: "pcm_s16le", "mp3float", "aac", "opus" …"""

    rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class Address:
    """What FFmpeg opens by itself: never to be taken from a stranger."""

    url: str
    format: str | None = None
    """FFmpeg's name of the kind of device, for one."""


class Decoder:
    """One open file, read from front to end once. Leaving its context closes what it opened.

    Of several audio tracks the one that the file marks as default is read. A damaged packet costs
    only the sound in it; a file that breaks off gives what is there.
    """

    def __init__(self, source: Path | BinaryIO | Address, *, apart: bool = False) -> None:
        """Open a file by its path, or read from a binary file object, which stays open.

        With `apart`, its chunks have the two channels of stereo sound in `AudioChunk.both`, too.

        Raises:
            NotFound: there is no such file, or nothing at the address.
            BadAudio: it is not a sound or video file that can be read, holds no audio track, or
                claims a sample rate or a number of channels that no recording has.
        """
        self.damaged_packets = 0
        """Packets, so far, that could not be read or decoded."""
        self._channels = 2 if apart else 1
        with ExitStack() as opened:
            if isinstance(source, Address):
                container = _container_at(source)
            else:
                file = opened.enter_context(_open(source)) if isinstance(source, Path) else source
                container = _container(file)
            self._container = opened.enter_context(container)
            self._stream = _audio_stream(self._container)
            context = self._stream.codec_context
            if context.sample_rate and context.channels:  # else not known before decoding
                _check_claims(context.sample_rate, context.channels)
            self._closing = opened.pop_all()

    @property
    def duration_s(self) -> float | None:
        """Seconds, as the file says; None where it does not."""
        duration = self._container.duration
        return duration / av.time_base if duration and duration > 0 else None

    @property
    def facts(self) -> AudioFacts:
        """What the file says about its sound."""
        context = self._stream.codec_context
        return AudioFacts(self.duration_s, context.name, context.sample_rate, context.channels)

    def chunks(self, chunk_frames: int = 1600) -> Iterator[AudioChunk]:
        """Yield the sound, `chunk_frames` (at least 1) at a time; only the last may be shorter.

        Raises:
            BadAudio: there is no sound in the file that can be decoded, or its sample rate or
                channels become absurd on the way.
        """
        size = chunk_frames * FRAME_BYTES * self._channels
        first_frame = 0
        waiting = bytearray()
        for pcm in self._pcm():
            waiting += pcm
            whole = len(waiting) - len(waiting) % size
            for at in range(0, whole, size):
                yield self._chunk(first_frame, bytes(waiting[at : at + size]))
                first_frame += chunk_frames
            del waiting[:whole]
        if waiting:
            yield self._chunk(first_frame, bytes(waiting))
        elif first_frame == 0:
            raise BadAudio(
                "The file holds no sound that can be decoded: it is empty or damaged."
                " Please record or export it again."
            )

    def _chunk(self, first_frame: int, pcm: bytes) -> AudioChunk:
        if self._channels == 1:
            return AudioChunk(first_frame, pcm)
        return AudioChunk(first_frame, to_mono(pcm, 2), both=pcm)

    def close(self) -> None:
        """Close the file, unless it was handed in open."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pcm(self) -> Iterator[bytes]:
        """Yield 16 kHz samples, as many at a time as a packet holds."""
        converter = _Converter(self._channels)
        for packet in self._packets():
            for frame in self._decoded(packet):
                _check_claims(frame.sample_rate, frame.layout.nb_channels)
                try:
                    yield converter.convert(frame)
                except av.error.FFmpegError:
                    self.damaged_packets += 1
        yield converter.flush()

    def _packets(self) -> Iterator["Packet[AudioStream] | None"]:
        """Yield the track's packets, at the end a None that gets the last frames out."""
        failures = 0
        while failures < _MAX_READ_FAILURES:
            try:
                for packet in self._container.demux(self._stream):
                    failures = 0
                    if packet.size:
                        yield packet
            except av.error.ExitError:
                break  # an address that gives nothing any more
            except av.error.FFmpegError:
                # Reading goes on behind the damage, if there is anything.
                self.damaged_packets += 1
                failures += 1
            else:
                break
        yield None

    def _decoded(self, packet: "Packet[AudioStream] | None") -> list[AudioFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except av.error.FFmpegError:
            self.damaged_packets += 1
            return []


def decode(source: Path | BinaryIO, chunk_frames: int = 1600) -> Iterator[AudioChunk]:
    """Yield a file's sound as 16 kHz mono, `chunk_frames` at a time; only the last may be shorter.

    Raises (at the first chunk):
        NotFound: there is no such file.
        BadAudio: it holds no sound that can be decoded; see `Decoder`.
    """
    with Decoder(source) as decoder:
        yield from decoder.chunks(chunk_frames)


def probe(path: Path) -> AudioFacts:
    """Return what a file says about its sound, after decoding the first bit of it.

    Raises:
        NotFound: there is no such file.
        BadAudio: it holds no sound that can be decoded; see `Decoder`.
    """
    with Decoder(path) as decoder:
        next(decoder.chunks())
        return decoder.facts


class _Converter:
    """Turns decoded frames into 16 kHz, one channel or two, though a file may change its rate."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._kind: tuple[str, str, int] | None = None
        self._mixer = AudioResampler()
        self._resampler: Resampler | Apart | None = None

    def convert(self, frame: AudioFrame) -> bytes:
        """Return what is ready after this frame.

        Raises:
            av.error.FFmpegError: its channels cannot be mixed.
        """
        before = b""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or kind != self._kind:
            before = self.flush()
            self._kind = kind
            # FFmpeg knows how loud each of 5.1 channels is to be; the rate is our own filter's.
            layout = "mono" if self._channels == 1 else "stereo"
            self._mixer = AudioResampler(format="s16", layout=layout, rate=frame.sample_rate)
            kind_of = Resampler if self._channels == 1 else Apart
            self._resampler = kind_of(frame.sample_rate)
        return before + self._resampler.feed(self._samples(self._mixer.resample(frame)))

    def flush(self) -> bytes:
        """Return what the filters held back."""
        if self._resampler is None:
            return b""
        rest = self._samples(self._mixer.resample(None))
        return self._resampler.feed(rest) + self._resampler.flush()

    def _samples(self, frames: list[AudioFrame]) -> bytes:
        # A plane is padded behind its samples. Flushing what needed no mixing gives a None
        # (PyAV 18.1).
        size = FRAME_BYTES * self._channels
        return b"".join(bytes(frame.planes[0])[: frame.samples * size] for frame in frames if frame)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}; check its name.") from error
    except (IsADirectoryError, PermissionError) as error:
        raise BadAudio(
            f"{path} cannot be read ({error.strerror}); name a file that you may read."
        ) from error


def _container(file: BinaryIO) -> InputContainer:
    try:
        return av.open(
            file,
            "r",
            container_options={"format_whitelist": DEMUXERS, "protocol_whitelist": ""},
            # Titles in old encodings must not keep a recording from being heard.
            metadata_errors="replace",
        )
    except av.error.FFmpegError as error:
        raise BadAudio(
            "This is not a sound or video file that can be read: it is empty, broken, a playlist"
            f" or of another kind. Please send {_FORMATS}."
        ) from error


def _container_at(address: Address) -> InputContainer:
    try:
        return av.open(address.url, "r", format=address.format, timeout=ADDRESS_WAITS_S)
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NotFound(f"{_shown(address.url)} cannot be opened ({reason}).") from error


def _shown(url: str) -> str:
    """Return an address without the password that it may hold."""
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if slashes else url


def _audio_stream(container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        raise BadAudio("The file has no audio track; please send one that was recorded with sound.")
    # A track whose codec FFmpeg does not know has no decoder here, whatever the types say.
    readable = [stream for stream in container.streams.audio if stream.codec_context]
    if not readable:
        raise BadAudio(f"The file's sound is coded in a way nobody knows; please send {_FORMATS}.")
    best = container.streams.best("audio")
    chosen = next((stream for stream in readable if stream is best), readable[0])
    for stream in container.streams:
        if stream is not chosen:
            stream.discard = Discard.all
    return chosen


def _check_claims(rate_hz: int, channels: int) -> None:
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise BadAudio(
            f"The file claims {rate_hz} samples a second; from {MIN_RATE_HZ} to {MAX_RATE_HZ}"
            " can be read. Please export it at 16000, 44100 or 48000 Hz."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadAudio(
            f"The file has {channels} channels; up to {MAX_CHANNELS} can be read."
            " Please mix it down to mono or stereo."
        )
