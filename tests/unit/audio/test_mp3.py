"""Kept sound, read by FFmpeg: every place in it is a time."""

import io

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.audio.mp3 import (
    BYTES_PER_S,
    PACKET_BYTES,
    PACKET_FRAMES,
    Mp3Encoder,
    silent_packet,
)
from parola.domain.audio import RATE_HZ
from tests.clicks import clicks_in, sound_with_clicks

CUTS = st.lists(st.integers(0, 3000), max_size=12)


@settings(deadline=None, max_examples=30)
@given(CUTS, st.integers(1, 20_000))
def test_how_sound_is_cut_changes_nothing(cuts: list[int], frames: int) -> None:
    """Whatever the pieces are, the file is the same, and as long as its sound."""
    pcm = sound_with_clicks(frames, [frames // 2])
    whole = Mp3Encoder()
    wanted = whole.encode(pcm) + whole.end()
    assert len(wanted) == -(-frames // PACKET_FRAMES) * PACKET_BYTES
    encoder, made, at = Mp3Encoder(), b"", 0
    for cut in cuts:
        made += encoder.encode(pcm[2 * at : 2 * (at + cut)])
        at += cut
    assert made + encoder.encode(pcm[2 * at :]) + encoder.end() == wanted


def test_a_file_can_be_torn_off_and_continued_anywhere() -> None:
    """A piece from the middle, silence, and another run: each click is where its bytes say."""
    encoder = Mp3Encoder()
    run = encoder.encode(sound_with_clicks(20 * RATE_HZ, [5 * RATE_HZ, 15 * RATE_HZ]))
    run += encoder.end()
    torn = run[: 10 * BYTES_PER_S // PACKET_BYTES * PACKET_BYTES]
    silence = silent_packet() * 100
    joined = torn + silence + run[len(torn) :]
    seconds = clicks_in(joined)
    assert seconds == pytest.approx([5, 15 + 100 * PACKET_FRAMES / RATE_HZ], abs=0.01)
    with av.open(io.BytesIO(joined), "r", format="mp3") as file:
        heard = [frame.samples for frame in file.decode(audio=0)]
    assert sum(heard) == len(joined) // PACKET_BYTES * PACKET_FRAMES
