"""Sound is counted in whole frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.audio import RATE_HZ, AudioChunk, to_frames, to_seconds


@given(st.binary(max_size=400).filter(lambda b: len(b) % 2 == 0), st.integers(0, 10**9), st.data())
def test_cutting_a_chunk_loses_and_moves_nothing(
    pcm: bytes, first: int, data: st.DataObject
) -> None:
    """Both parts together are the chunk, wherever it is cut, inside or outside."""
    chunk = AudioChunk(first, pcm, voiced=False)
    at = data.draw(st.integers(first - 10, chunk.end_frame + 10))
    before, after = chunk.cut(at)
    assert before.pcm + after.pcm == pcm
    assert before.first_frame == first
    assert before.end_frame == after.first_frame
    assert after.end_frame == chunk.end_frame
    assert (before.voiced, after.voiced) == (False, False)
    if first <= at <= chunk.end_frame:
        assert after.first_frame == at


@given(st.integers(0, 10 * 3600 * RATE_HZ))
def test_seconds_come_back_as_frames_within_a_millisecond(frames: int) -> None:
    """What is shown in seconds is true to the millisecond, also after ten hours."""
    assert abs(to_frames(to_seconds(frames)) - frames) <= RATE_HZ // 2000


def test_half_a_frame_is_refused() -> None:
    """An odd number of bytes is a mistake that must not shift all later samples."""
    with pytest.raises(ValueError, match="3 bytes"):
        AudioChunk(0, b"abc")


def test_time_does_not_start_before_the_session() -> None:
    """A negative position is refused."""
    with pytest.raises(ValueError, match="-1"):
        AudioChunk(-1, b"")
