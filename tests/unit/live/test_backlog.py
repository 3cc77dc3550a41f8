"""The backlog gives a new engine stream exactly the audio whose text is not final."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.audio import AudioChunk
from parola.live.backlog import Backlog


@given(st.integers(0, 1000), st.lists(st.integers(0, 30), max_size=30), st.data())
def test_everything_from_the_rewind_point_on_is_there_unchanged(
    first: int, sizes: list[int], data: st.DataObject
) -> None:
    """However chunks come and frames are settled, reading gives the unsettled audio, once."""
    backlog = Backlog(first)
    whole = b""
    rewind = first
    for size in sizes:
        pcm = data.draw(st.binary(min_size=2 * size, max_size=2 * size))
        backlog.append(AudioChunk(first + len(whole) // 2, pcm))
        whole += pcm
        if data.draw(st.booleans()):
            frame = data.draw(st.integers(0, backlog.end_frame + 5))
            backlog.settle(frame)
            rewind = max(rewind, min(frame, backlog.end_frame))
    assert backlog.rewind_frame == rewind
    read, position = b"", rewind
    while chunk := backlog.after(position):
        assert chunk.first_frame == position
        read += chunk.pcm
        position = chunk.end_frame
    assert read == whole[(rewind - first) * 2 :]


def test_audio_that_leaves_a_hole_is_refused() -> None:
    """A gap would shift every later word; better an error at once."""
    backlog = Backlog(5)
    with pytest.raises(ValueError, match="expected frame 5, got 6"):
        backlog.append(AudioChunk(6, b"ab"))


def test_settled_audio_cannot_be_read_again() -> None:
    """Reading before the rewind point is a mistake that must not pass for silence."""
    backlog = Backlog()
    backlog.append(AudioChunk(0, bytes(20)))
    backlog.settle(4)
    with pytest.raises(ValueError, match="before the rewind point 4"):
        backlog.after(3)


def test_it_is_full_at_its_limit_and_not_before() -> None:
    """The source waits when two minutes wait, and goes on when some are settled."""
    backlog = Backlog(limit_frames=10)
    full = []
    backlog.append(AudioChunk(0, bytes(18)))
    full.append(backlog.is_full)
    backlog.append(AudioChunk(9, bytes(2)))
    full.append(backlog.is_full)
    backlog.settle(1)
    full.append(backlog.is_full)
    assert full == [False, True, False]
