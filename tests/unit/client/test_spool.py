import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.client.spool import BLOCK_FRAMES, MEMORY_FRAMES, READ_FRAMES, MemoryBlock, Span, Spool
from parola.domain.audio import FRAME_BYTES, RATE_HZ

sizes = st.integers(0, 3 * BLOCK_FRAMES) | st.sampled_from([0, 1, READ_FRAMES, BLOCK_FRAMES])


def sound(first_frame: int, frames: int) -> bytes:
    """Return samples of which each tells where it is, within four seconds."""
    return b"".join(
        (frame % 65_521).to_bytes(2, "little") for frame in range(first_frame, first_frame + frames)
    )


WHOLE = sound(0, 12 * BLOCK_FRAMES)


def part(first_frame: int, end_frame: int) -> bytes:
    return WHOLE[first_frame * FRAME_BYTES : end_frame * FRAME_BYTES]


def read_all(spool: Spool, frame: int) -> tuple[int, bytes]:
    """Return where the spool's sound from a frame on begins, and that sound."""
    first = max(frame, spool.first_frame)
    pcm = b""
    while chunk := spool.read(frame):
        assert chunk.first_frame == max(frame, spool.first_frame)
        assert 0 < chunk.frames <= READ_FRAMES
        frame = chunk.end_frame
        pcm += chunk.pcm
    return first, pcm


class Brittle(MemoryBlock):
    """A block on a disk that takes so much in all and no more."""

    is_on_disk = True
    space = 0

    def append(self, pcm: bytes) -> None:
        if len(pcm) > Brittle.space:
            raise OSError(28, "No space left on device")
        Brittle.space -= len(pcm)
        super().append(pcm)


@given(st.lists(sizes, max_size=4), st.data())
def test_however_sound_is_cut_it_is_read_as_it_was(cuts: list[int], data: st.DataObject) -> None:
    """What goes in comes out from any frame on, whatever the pieces were."""
    spool = Spool(20 * BLOCK_FRAMES)
    end = 0
    for frames in cuts:
        assert spool.append(part(end, end + frames)) is None
        end += frames
    frame = data.draw(st.integers(0, end))
    assert read_all(spool, frame) == (frame, part(frame, end))
    assert (spool.first_frame, spool.end_frame) == (0, end)


@given(st.lists(st.tuples(sizes, st.integers(-1, 13 * BLOCK_FRAMES)), max_size=4))
def test_what_is_safe_goes_and_nothing_else(steps: list[tuple[int, int]]) -> None:
    """After each acknowledgement exactly what follows it is kept, to be sent again."""
    spool = Spool(20 * BLOCK_FRAMES)
    end = safe = 0
    for frames, acknowledged in steps:
        spool.append(part(end, end + frames))
        end += frames
        spool.trim(acknowledged)
        safe = min(max(safe, acknowledged), end)
        assert read_all(spool, 0) == (safe, part(safe, end))


@given(st.lists(sizes, max_size=4), st.integers(2, 5))
def test_the_budget_is_kept_and_what_it_costs_is_told(cuts: list[int], blocks: int) -> None:
    """Never more than the budget is kept, always the newest, and each lost span is told once."""
    spool = Spool(blocks * BLOCK_FRAMES)
    lost: list[Span] = []
    end = 0
    for frames in cuts:
        given_up = spool.append(part(end, end + frames))
        end += frames
        if given_up:
            lost.append(given_up)
        assert spool.end_frame - spool.first_frame <= blocks * BLOCK_FRAMES
        assert end - spool.first_frame >= min(end, (blocks - 1) * BLOCK_FRAMES)
    at = 0
    for span in lost:
        assert span.first_frame == at
        at = span.end_frame
    assert at == spool.first_frame
    assert read_all(spool, 0) == (at, part(at, end))


@given(st.lists(sizes, max_size=4), st.integers(0, 4 * BLOCK_FRAMES))
def test_a_full_disk_costs_no_sound(cuts: list[int], space: int) -> None:
    """Where the disk takes no more, the newest sound is kept in memory, whole and in order."""
    Brittle.space = space
    spool = Spool(20 * BLOCK_FRAMES, Brittle)
    end = 0
    for frames in cuts:
        spool.append(part(end, end + frames))
        end += frames
    assert read_all(spool, 0) == (0, part(0, end))
    assert spool.is_on_disk == (spool.trouble is None)


def test_memory_has_a_limit_of_its_own() -> None:
    """Without a disk a quarter of an hour is kept, however large the budget is."""
    Brittle.space = 0
    spool = Spool(1_000 * MEMORY_FRAMES, Brittle)
    minute = bytes(60 * RATE_HZ * FRAME_BYTES)
    for _ in range(17):
        spool.append(minute)
    assert MEMORY_FRAMES - BLOCK_FRAMES < spool.end_frame - spool.first_frame <= MEMORY_FRAMES


def test_a_spool_goes_on_where_the_server_is() -> None:
    """A new spool may begin at any frame."""
    spool = Spool(BLOCK_FRAMES, first_frame=777)
    spool.append(part(777, 1000))
    assert read_all(spool, 0) == (777, part(777, 1000))


def test_an_acknowledgement_from_the_future_is_no_harm() -> None:
    """What is not there yet cannot be safe."""
    spool = Spool(BLOCK_FRAMES)
    spool.trim(10**9)
    spool.append(part(0, 10))
    assert read_all(spool, 0) == (0, part(0, 10))


@pytest.mark.parametrize("frame", [0, 5, 10])
def test_the_end_is_the_end(frame: int) -> None:
    """At its end a spool gives nothing."""
    spool = Spool(BLOCK_FRAMES)
    spool.append(part(0, 5))
    assert (spool.read(frame) is None) == (frame >= 5)
