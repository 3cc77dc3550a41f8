"""Promises of the decoder, kept on real files of every kind, good, broken and hostile."""

import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import parola
from parola.audio.decode import AudioFacts, Decoder, decode, probe
from parola.audio.pcm import level_dbfs
from parola.domain.audio import RATE_HZ
from parola.domain.errors import BadAudio, NotFound
from tests.audio_files import (
    KINDS,
    audio_file,
    garbage,
    media_file,
    playlists,
    tone,
    video_without_audio,
    wav,
    with_a_broken_packet,
    with_holes,
)

SECONDS = 2
PADDING = {"m4a": 330, "aac": 700, "mp4": 330, "amr": 330, "mkv": 180, "mpegts": 430, "avi": 260}
"""Frames that a codec without a note of the true length adds at the end."""


def pcm_of(data: bytes) -> bytes:
    return b"".join(chunk.pcm for chunk in decode(io.BytesIO(data)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_its_sound(kind: str, tmp_path: Path) -> None:
    """Whatever the container, codec and rate, the same tone comes out at 16 kHz, none missing."""
    path = tmp_path / f"talk.{kind}"
    path.write_bytes(audio_file(kind, tone(SECONDS)))
    samples = np.frombuffer(b"".join(chunk.pcm for chunk in decode(path)), "<i2")
    wanted = SECONDS * RATE_HZ
    assert wanted <= len(samples) <= wanted + PADDING.get(kind, 20)
    spectrum = np.abs(np.fft.rfft(samples[8_000 : 8_000 + RATE_HZ]))
    assert spectrum.argmax() == 440
    assert np.abs(samples[8_000:24_000]).max() == pytest.approx(8_000, rel=0.08)


@pytest.mark.parametrize("kind", KINDS)
def test_the_facts_are_the_files_own(kind: str, tmp_path: Path) -> None:
    """Duration, rate and channels are told as the file says them."""
    path = tmp_path / f"talk.{kind}"
    path.write_bytes(audio_file(kind, tone(SECONDS)))
    facts = probe(path)
    assert facts.duration_s == pytest.approx(SECONDS, abs=0.05)
    assert facts.rate_hz == KINDS[kind][2]
    assert facts.channels == (2 if kind == "vorbis.ogg" else 1)


def test_a_live_recording_without_a_length_is_read_all_the_same() -> None:
    """A browser's WebM has no duration; its sound is complete."""
    data = audio_file("webm", tone(SECONDS), live="1")
    with Decoder(io.BytesIO(data)) as decoder:
        assert decoder.duration_s is None
        assert sum(chunk.frames for chunk in decoder.chunks()) == SECONDS * RATE_HZ


@given(
    frames=st.integers(5, 9_000),
    chunk_frames=st.integers(1, 5_000),
    rate_hz=st.sampled_from([16_000, 8_000, 44_100]),
)
@settings(max_examples=40, deadline=None)
def test_chunks_follow_each_other_without_gap(frames: int, chunk_frames: int, rate_hz: int) -> None:
    """All chunks but the last have the asked length, and their positions are the frames' count."""
    data = wav(tone(frames / rate_hz, rate_hz), rate_hz)
    chunks = list(decode(io.BytesIO(data), chunk_frames))
    at = 0
    for chunk in chunks:
        assert chunk.first_frame == at
        at = chunk.end_frame
    assert {chunk.frames for chunk in chunks[:-1]} <= {chunk_frames}
    assert 0 < chunks[-1].frames <= chunk_frames
    assert abs(at - frames * RATE_HZ / rate_hz) <= 1


def test_16_khz_mono_comes_out_bit_for_bit() -> None:
    """Nothing touches samples that are as the core wants them."""
    pcm = tone(0.7)
    assert pcm_of(wav(pcm)) == pcm


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_channels_may_stay_apart(rate_hz: int) -> None:
    """Beside their mean, which alone has the chunk's length."""
    left = np.frombuffer(tone(0.5, peak=16_000), "<i2")
    stereo = np.stack([left, np.zeros_like(left)], axis=1).tobytes()
    with Decoder(io.BytesIO(wav(stereo, rate_hz, channels=2)), apart=True) as decoder:
        chunks = list(decoder.chunks())
    both = np.frombuffer(b"".join(chunk.both for chunk in chunks), "<i2").reshape(-1, 2)
    mean = np.frombuffer(b"".join(chunk.pcm for chunk in chunks), "<i2")
    assert np.abs(both[:, 0]).max() == pytest.approx(16_000, rel=0.01)
    assert np.abs(both[:, 1]).max() <= 1
    assert np.abs(mean - both.mean(axis=1)).max() <= 0.5


def test_channels_are_mixed() -> None:
    """A voice on the left channel only is heard."""
    left = np.frombuffer(tone(0.5, peak=16_000), "<i2")
    stereo = np.stack([left, np.zeros_like(left)], axis=1).tobytes()
    mixed = np.frombuffer(pcm_of(wav(stereo, channels=2)), "<i2")
    assert np.abs(mixed).max() == pytest.approx(8_000, rel=0.01)


@pytest.mark.parametrize("number", [20, 55, 120])
def test_one_corrupt_packet_costs_only_itself(number: int) -> None:
    """Sound before and after a damaged packet is there, and the damage is counted."""
    whole = audio_file("m4a", tone(4))
    with Decoder(io.BytesIO(with_a_broken_packet(whole, number))) as decoder:
        frames = sum(chunk.frames for chunk in decoder.chunks())
        # A packet of AAC is 1,024 frames at 44.1 kHz.
        lost = len(pcm_of(whole)) // 2 - frames
        assert lost == pytest.approx(1_024 * RATE_HZ / 44_100, abs=2)
        assert decoder.damaged_packets == 1


@pytest.mark.parametrize("kind", ["aac", "mpegts", "amr"])
def test_a_file_full_of_damage_still_gives_most_of_its_sound(kind: str) -> None:
    """Holes through the whole file never end the reading."""
    whole = audio_file(kind, tone(8))
    with Decoder(io.BytesIO(with_holes(whole, every=3_000, length=40))) as decoder:
        assert sum(chunk.frames for chunk in decoder.chunks()) > 0.7 * 8 * RATE_HZ
        assert decoder.damaged_packets > 0


@pytest.mark.parametrize(
    "kind", ["wav", "mp3", "aac", "opus.ogg", "webm", "flac", "aiff", "mkv", "mpegts", "avi"]
)
def test_a_file_that_breaks_off_gives_what_is_there(kind: str) -> None:
    """Half a file is about half the sound, not an error."""
    whole = audio_file(kind, tone(8))
    frames = len(pcm_of(whole[: len(whole) // 2])) // 2
    assert 0.35 * 8 * RATE_HZ < frames < 0.6 * 8 * RATE_HZ


def test_an_mp4_in_fragments_may_break_off() -> None:
    """A recording in MP4 that was cut short (Safari's kind) gives what is there."""
    whole = audio_file(
        "m4a", tone(8), movflags="frag_every_frame+empty_moov", frag_duration="500000"
    )
    frames = len(pcm_of(whole[: len(whole) // 2])) // 2
    assert 0.4 * 8 * RATE_HZ < frames < 0.6 * 8 * RATE_HZ


NOTHING = {
    "zero bytes": b"",
    "text": b"Good morning everyone\n" * 500,
    "garbage": garbage(200_000),
    "a picture": b"\x89PNG\r\n\x1a\n" + garbage(5_000),
    "a wav without samples": wav(b""),
    "an mp4 without its index": audio_file("m4a", tone(2))[:9_000],
    "a codec that nobody knows": wav(tone(0.2), tag=0x9999),
    "no channels": wav(tone(0.2), channels=0),
    "64 channels": wav(tone(0.2), channels=64),
    "65,535 channels": wav(tone(0.2), channels=65_535),
    "1 Hz": wav(tone(0.2), rate_hz=1),
    "4 GHz": wav(tone(0.2), rate_hz=2**32 - 1),
    "a wav that says mp3": wav(tone(0.2), tag=0x55),
    "video only": video_without_audio(),
}


@pytest.mark.parametrize("what", NOTHING)
def test_what_holds_no_sound_is_refused_in_a_sentence(what: str, tmp_path: Path) -> None:
    """Decoding and probing raise BadAudio, which says what to do."""
    path = tmp_path / "x.wav"
    path.write_bytes(NOTHING[what])
    for attempt in (probe, lambda path: list(decode(path))):
        with pytest.raises(BadAudio, match=r"[Pp]lease|export") as caught:
            attempt(path)
        assert caught.value.message.endswith(".")
        assert "Errno" not in caught.value.message


def test_a_video_without_sound_is_told_so() -> None:
    """The sentence names the missing track, not a broken file."""
    with pytest.raises(BadAudio, match="no audio track"):
        Decoder(io.BytesIO(video_without_audio()))


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["wav", "mp3", "m4a", "opus.ogg", "webm", "flac", "mkv", "mpegts"]),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=12)), max_size=6),
    keep=st.floats(0, 1),
)
def test_any_bytes_give_sound_or_bad_audio(
    kind: str, edits: list[tuple[float, bytes]], keep: float
) -> None:
    """However a file is mangled or cut, nothing but BadAudio comes out of the decoder."""
    data = bytearray(audio_file(kind, tone(0.5)))
    for place, new in edits:
        at = int(place * len(data))
        data[at : at + len(new)] = new
    try:
        pcm_of(bytes(data[: int(keep * len(data))]))
    except BadAudio as error:
        assert error.message  # noqa: PT017 - either outcome is allowed


def test_titles_in_an_old_encoding_do_no_harm() -> None:
    """A Latin-1 title, as old recorders write it, is no reason to refuse the sound."""
    title = b"LIST\x10\0\0\0INFOINAM\x04\0\0\0\xe8\xe9x\0"
    assert len(pcm_of(wav(tone(0.5)) + title)) == 16_000


def test_a_missing_file_is_not_found_and_a_folder_is_bad(tmp_path: Path) -> None:
    """A wrong path is told apart from a wrong file."""
    with pytest.raises(NotFound, match="check its name"):
        probe(tmp_path / "nothing.wav")
    with pytest.raises(BadAudio, match="cannot be read"):
        probe(tmp_path)


@pytest.mark.parametrize("name", sorted(playlists(Path("x"), Path("x"), "")))
def test_a_playlist_opens_nothing(name: str, tmp_path: Path) -> None:
    """A file that names other files or addresses is refused, and nobody is called."""
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav(tone(1)))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/secret.wav"
        text = playlists(tmp_path, secret, address)[name]
        for path in (tmp_path / name, tmp_path / "innocent.wav", tmp_path / "innocent.mp3"):
            path.write_bytes(text)
            with pytest.raises(BadAudio):
                list(decode(path))
        with pytest.raises(BadAudio):
            list(decode(io.BytesIO(text)))
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_pipe_is_read_as_it_comes() -> None:
    """A source that cannot seek, such as standard input, is decoded too."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader:
        os.write(write_end, wav(tone(0.5)))
        os.close(write_end)
        assert sum(chunk.frames for chunk in decode(reader)) == 8_000


def test_a_file_that_was_handed_in_stays_open(tmp_path: Path) -> None:
    """Who opened a file closes it; a path is closed by the decoder."""
    path = tmp_path / "x.wav"
    path.write_bytes(wav(tone(0.5)))
    with path.open("rb") as file:
        with Decoder(file) as decoder:
            next(decoder.chunks())
        assert not file.closed
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only counted
    for _ in range(20):
        chunks = decode(path)
        next(chunks)
        del chunks
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def test_a_rate_that_changes_midway_is_followed() -> None:
    """Two MP3s glued together, at 44.1 and 16 kHz, give the sound of both."""
    first = media_file("mp3", tone(2, 44_100), "mp3", 44_100, video=False)
    second = media_file("mp3", tone(2, 16_000), "mp3", 16_000, video=False)
    samples = np.frombuffer(pcm_of(first + second), "<i2")
    assert len(samples) == pytest.approx(4 * RATE_HZ, abs=0.2 * RATE_HZ)
    for at in (RATE_HZ // 2, 5 * RATE_HZ // 2):
        assert np.abs(np.fft.rfft(samples[at : at + RATE_HZ])).argmax() == 440


LONG_TALK = """
import io, resource, struct
from parola.audio.decode import decode

class Endless(io.RawIOBase):
    '''A WAV file of 8 kHz and 8 bits, made as it is read.'''
    rate, at = 8000, 0
    def __init__(self, seconds): self.seconds = seconds
    def readable(self): return True
    def seekable(self): return False
    def readinto(self, buffer):
        size = self.rate * self.seconds
        fmt = struct.pack('<HHIIHH', 1, 1, self.rate, self.rate, 1, 8)
        head = b'RIFF' + struct.pack('<I', 36 + size) + b'WAVEfmt ' + struct.pack('<I', 16)
        head += fmt + b'data' + struct.pack('<I', size)
        count = min(len(buffer), len(head) + size - self.at)
        buffer[:count] = head[self.at:self.at + count].ljust(count, b'\\1')
        self.at += count
        return count

sum(chunk.frames for chunk in decode(Endless(10)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
frames = sum(chunk.frames for chunk in decode(Endless(2400)))
print(frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_long_talk_never_sits_in_memory() -> None:
    """A file of 40 minutes, 77 MB of sound, takes less than 8 MB more than one of ten seconds."""
    run = subprocess.run(
        [sys.executable, "-c", LONG_TALK], capture_output=True, text=True, check=True
    )
    frames, more_kb = map(int, run.stdout.split())
    assert frames == pytest.approx(2400 * RATE_HZ, abs=2)
    assert more_kb < 8_000


def test_the_bundled_talk_is_whole_and_has_pauses() -> None:
    """The sample talk comes with the package: 41 s, a sentence a line, silence between them."""
    folder = Path(parola.__file__).parent / "samples"
    sentences = (folder / "talk.txt").read_text(encoding="utf-8").splitlines()
    pcm = b"".join(chunk.pcm for chunk in decode(folder / "talk.ogg"))
    assert 35 < len(pcm) / 2 / RATE_HZ < 45
    tenths = [level_dbfs(pcm[at : at + 3_200]) > -50 for at in range(0, len(pcm), 3_200)]
    spoken = "".join("x" if loud else "." for loud in tenths).split("." * 4)
    assert len([run for run in spoken if run.strip(".")]) == len(sentences)


@pytest.mark.audio
def test_real_recordings_are_read_in_full(recordings: Path) -> None:
    """Speech from real recorders comes out as long as the list of recordings says."""
    lines = (recordings / "manifest.tsv").read_text().splitlines()[1:]
    for line in [line for line in lines if line.startswith("speech/")][:12]:
        name, seconds = line.split("\t")[:2]
        facts = probe(recordings / name)
        assert isinstance(facts, AudioFacts)
        frames = sum(chunk.frames for chunk in decode(recordings / name))
        assert frames / RATE_HZ == pytest.approx(float(seconds), abs=0.02)
