import asyncio
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.audio.decode import decode
from parola.transcribe_api.sound import PIPE_BYTES, Pipe, open_sound
from parola.wire.transcribe import BadRequest, StreamParameters

SAMPLE = Path(__file__).parents[3] / "src" / "parola" / "samples" / "talk.ogg"


class Ear:
    """Keeps what it is fed."""

    def __init__(self) -> None:
        self.pcm = b""

    async def feed(self, pcm: bytes) -> None:
        self.pcm += pcm


async def take(
    asked: StreamParameters, pieces: list[bytes], ears: int = 1
) -> tuple[list[bytes], float]:
    listening = [Ear() for _ in range(ears)]
    seconds = 0.0
    async with open_sound(asked, [ear.feed for ear in listening]) as sound:
        for piece in pieces:
            seconds = await sound.take(piece)
        assert await sound.end() >= seconds
    return [ear.pcm for ear in listening], seconds


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(edge % (len(data) + 1) for edge in at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.binary(max_size=4000), st.lists(st.integers(0, 4000), max_size=8), st.integers(1, 2))
def test_raw_audio_may_be_cut_anywhere(data: bytes, at: list[int], channels: int) -> None:
    """Every whole frame arrives on its channel, however the stream was cut."""
    asked = StreamParameters(
        "en-US",
        enable_channel_identification=channels == 2,
        number_of_channels=2 if channels == 2 else None,
    )
    heard, _ = asyncio.run(take(asked, cut(data, at), channels))
    frames = np.frombuffer(data[: len(data) // (2 * channels) * 2 * channels], "<i2")
    assert heard == [frames[channel::channels].tobytes() for channel in range(channels)]


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
async def test_any_rate_becomes_sixteen_thousand(rate_hz: int) -> None:
    """A second stays a second, and a tone the same tone."""
    tone = (10_000 * np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz)).astype("<i2").tobytes()
    asked = StreamParameters("en-US", sample_rate_hz=rate_hz)
    (pcm,), seconds = await take(asked, [tone[at : at + 999] for at in range(0, len(tone), 999)])
    assert seconds == 1.0
    samples = np.frombuffer(pcm, "<i2")
    assert abs(len(samples) - 16_000) <= 1
    assert abs(np.argmax(np.abs(np.fft.rfft(samples))) - 440) <= 1


async def test_telephone_samples_are_expanded() -> None:
    """Each byte is a sample; a second of them is a second."""
    asked = StreamParameters("en-US", media_encoding="g711-ulaw", sample_rate_hz=8_000)
    # As full scale as it goes, and silence.
    pieces = [b"\x80" * 4_000, b"\xff" * 4_001]
    (pcm,), seconds = await take(asked, pieces)
    assert seconds == pytest.approx(1.0, abs=0.001)
    samples = np.frombuffer(pcm, "<i2")
    assert samples[2_000:6_000].mean() == pytest.approx(32_124, rel=0.001)
    assert np.abs(samples[9_000:15_000]).max() <= 1


async def test_ogg_is_decoded_as_it_comes() -> None:
    """The talk, cut into small pieces, becomes the samples that its file has."""
    data = SAMPLE.read_bytes()
    asked = StreamParameters("en-US", media_encoding="ogg-opus", sample_rate_hz=48_000)
    (pcm,), _ = await take(asked, [data[at : at + 777] for at in range(0, len(data), 777)])
    assert pcm == b"".join(chunk.pcm for chunk in decode(SAMPLE))


async def test_sound_that_is_none_is_refused() -> None:
    """What cannot be decoded, also nothing at all, is BadRequest."""
    asked = StreamParameters("en-US", media_encoding="flac")
    for data in (b"", b"nothing like it" * 1000):
        with pytest.raises(BadRequest, match="could not be decoded"):
            await take(asked, [data])


async def test_a_client_that_stops_midway_leaves_no_thread() -> None:
    """Leaving the context ends the decoder, whatever it waits for."""
    asked = StreamParameters("en-US", media_encoding="ogg-opus")
    async with open_sound(asked, [Ear().feed]) as sound:
        await sound.take(SAMPLE.read_bytes()[:20_000])


async def test_a_full_pipe_makes_the_client_wait() -> None:
    """Compressed audio does not heap up before a decoder that is behind."""
    pipe = Pipe()
    await pipe.write(bytes(PIPE_BYTES))
    writing = asyncio.create_task(pipe.write(b"more"))
    await asyncio.sleep(0)
    assert not writing.done()
    assert len(await asyncio.to_thread(pipe.read, PIPE_BYTES)) == PIPE_BYTES
    await writing
    pipe.close()
    assert pipe.read(100) == b"more"
    assert pipe.read(100) == b""
    await pipe.write(b"too late")
    assert pipe.read(100) == b""
