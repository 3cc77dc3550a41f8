"""Audio travels in even pieces, near real time, and loses nothing on the way."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk
from parola.engines.amazon_pace import LEAD_S, Cutter, Pacer


@given(
    sizes=st.lists(st.integers(0, 5000), max_size=20),
    voiced=st.lists(st.booleans(), min_size=20, max_size=20),
    piece=st.integers(1, 3200),
    first=st.integers(0, 10**9),
)
def test_cutting_loses_moves_and_silences_nothing(
    sizes: list[int], voiced: list[bool], piece: int, first: int
) -> None:
    """Whatever sizes come in: the same frames at the same places, in pieces of one size."""
    starts = [first, *accumulate(sizes, initial=first)][1:]
    audio = [
        AudioChunk(start, bytes([n % 256, 1]) * size, spoken)
        for n, (start, size, spoken) in enumerate(zip(starts, sizes, voiced, strict=False))
    ]
    cutter = Cutter(piece)
    pieces = [out for chunk in audio for out in cutter.add(chunk)]
    assert all(out.frames == piece for out in pieces)
    pieces += cutter.flush()
    assert b"".join(out.pcm for out in pieces) == b"".join(chunk.pcm for chunk in audio)
    at = first
    for out in pieces:
        assert out.first_frame == at
        at = out.end_frame
        inside = [c.voiced for c in audio if c.frames and _overlap(c, out)]
        assert out.voiced == any(inside)
    assert not list(cutter.flush())


def _overlap(one: AudioChunk, other: AudioChunk) -> bool:
    return one.first_frame < other.end_frame and other.first_frame < one.end_frame


@given(
    steps=st.lists(
        st.tuples(st.just(0.0) | st.floats(0, 5), st.sampled_from([1, 1600, 16_000])),
        min_size=1,
        max_size=60,
    ),
    speed=st.floats(1, 4),
)
def test_no_second_carries_more_than_the_pace_and_the_lead(
    steps: list[tuple[float, int]], speed: float
) -> None:
    """However late the audio is, it never comes as a flood; and it is not held back for nothing."""
    pacer = Pacer(speed)
    now = 0.0
    sent: list[tuple[float, int]] = []
    for pause_s, frames in steps:
        now += pause_s
        now += pacer.wait_s(frames, now)
        sent.append((now, frames))
    for begin in range(len(sent)):
        total = 0.0
        for at, frames in sent[begin:]:
            span_s = at - sent[begin][0]
            # The last chunk may begin within the allowance and end beyond it.
            assert total / RATE_HZ / speed <= span_s + LEAD_S + 1e-6
            total += frames
    assert pacer.wait_s(1, now + sum(f for _, f in sent)) == 0


def test_live_audio_never_waits() -> None:
    """What comes in real time goes out at once."""
    pacer = Pacer(1.5)
    assert all(pacer.wait_s(1600, n / 10) == 0 for n in range(1000))


def test_a_piece_is_bytes_of_whole_frames() -> None:
    """So that the service never hears a shifted byte."""
    cutter = Cutter(800)
    assert [len(p.pcm) for p in cutter.add(AudioChunk(0, bytes(4000)))] == [800 * FRAME_BYTES] * 2
