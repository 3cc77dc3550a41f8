"""The kept sound of talks: right in time through gaps, crashes and full disks."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.audio.mp3 import PACKET_BYTES, PACKET_FRAMES, silent_packet
from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk
from parola.domain.errors import StoreFailed, TooLarge
from parola.stores.recordings import LONGEST_S, RecordingFolder, recording_path
from tests.clicks import clicks_in, sound_with_clicks

CLICK_EVERY = RATE_HZ // 2


def said(first: int, end: int) -> AudioChunk:
    """Return sound that clicks on every half second of the talk's clock."""
    clicks = [at - first for at in range(first, end) if at % CLICK_EVERY == 0]
    return AudioChunk(first, sound_with_clicks(end - first, clicks))


spans = st.lists(
    st.tuples(st.integers(0, 2 * RATE_HZ), st.integers(1, 2 * RATE_HZ), st.booleans()),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=25)
@given(spans)
def test_gaps_and_crashes_move_no_sound(parts: list[tuple[int, int, bool]]) -> None:
    """Off the record, killed, going on from before: what was kept last is where it was said."""

    async def run(folder: Path) -> None:
        recordings = RecordingFolder(folder)
        recording = recordings.open("main", "talk")
        at, heard = 0, set[int]()
        for gap, length, is_killed in parts:
            if is_killed:
                # Nothing is closed well; the next process goes on from where the log was.
                recording._drop()
                recording = recordings.open("main", "talk")
                at = max(at - gap, 0)
                heard = {click for click in heard if click < at}
            else:
                at += gap
            await recording.write([said(at, at + length)])
            heard |= {click for click in range(at, at + length) if click % CLICK_EVERY == 0}
            at += length
        await recording.close()
        file = recording_path(folder, "main", "talk").read_bytes()
        assert len(file) == -(-at // PACKET_FRAMES) * PACKET_BYTES
        found = clicks_in(file + 8 * silent_packet())  # FFmpeg takes no single packet for MP3
        # At a seam a packet may go or blur, and a crash takes what the encoder still held.
        seams = {click for click in heard if _is_near_a_seam(click, parts)}
        for second in found:
            off, click = min((abs(second * RATE_HZ - click), click) for click in heard)
            assert off < (PACKET_FRAMES if click in seams else RATE_HZ // 100)
        assert len(found) >= len(heard) - len(seams)

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


def _is_near_a_seam(click: int, parts: list[tuple[int, int, bool]]) -> bool:
    at = 0
    for gap, length, is_killed in parts:
        before, at = at, max(at - gap, 0) if is_killed else at + gap
        for seam in (before, at, at + length):
            if abs(click - seam) < 6 * PACKET_FRAMES:
                return True
        at += length
    return False


async def test_a_talk_is_found_and_deleted_by_its_name(tmp_path: Path) -> None:
    """Room and session find the sound, whatever is in their names; deleting takes only that."""
    recordings = RecordingFolder(tmp_path / "recordings")
    talks = [("Sala à/" * 20, "one"), ("main", "../../one"), ("main", "two")]
    assert await recordings.kept(talks) == set()
    for room, session in talks[:2]:
        recording = recordings.open(room, session)
        await recording.write([said(0, RATE_HZ)])
        await recording.close()
    assert await recordings.kept(talks) == set(talks[:2])
    assert await recordings.find(*talks[2]) is None
    assert await recordings.delete(*talks[1])
    assert not await recordings.delete(*talks[1])
    assert await recordings.kept(talks) == {talks[0]}
    (left,) = (tmp_path / "recordings").iterdir()
    assert left == await recordings.find(*talks[0])


async def test_no_source_can_fill_the_disk_with_silence(tmp_path: Path) -> None:
    """Sound from the thirteenth hour on is refused, whatever number a source begins with."""
    recording = RecordingFolder(tmp_path).open("main", "talk")
    with pytest.raises(TooLarge, match="12 hours"):
        await recording.write([AudioChunk(LONGEST_S * RATE_HZ, bytes(FRAME_BYTES))])
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    """Where the folder cannot be had it is one sentence, and what comes after it went is kept."""
    blocked = tmp_path / "recordings"
    blocked.write_text("a file is in the way")
    recording = RecordingFolder(blocked).open("main", "talk")
    with pytest.raises(StoreFailed, match="cannot be kept"):
        await recording.write([said(0, RATE_HZ)])
    blocked.unlink()
    await recording.write([said(RATE_HZ, 3 * RATE_HZ)])
    await recording.close()
    file = recording_path(blocked, "main", "talk").read_bytes()
    assert clicks_in(file) == pytest.approx([1, 1.5, 2, 2.5], abs=0.05)
