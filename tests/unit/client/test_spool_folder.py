import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.client.spool import BLOCK_FRAMES
from parola.client.spool_folder import AlreadySending, FileBlock, Kept, SpoolFolder
from parola.domain.audio import FRAME_BYTES
from parola.domain.vocabulary import Language, RoomName

ENGLISH = Language("en-US")
ROOM = RoomName("Sala à 1")


def folder(root: Path, room: RoomName = ROOM, server: str = "ws://host:8000") -> SpoolFolder:
    return SpoolFolder(root, server, room, 20 * BLOCK_FRAMES)


def everything(kept: Kept) -> bytes:
    pcm = b""
    frame = kept.spool.first_frame
    while chunk := kept.spool.read(frame):
        frame = chunk.end_frame
        pcm += chunk.pcm
    return pcm


def test_the_next_process_finds_what_was_left(tmp_path: Path) -> None:
    """Without a word of goodbye everything is there: the talk, its sound, and what is safe."""
    with folder(tmp_path).locked():
        kept = folder(tmp_path).new_talk(ENGLISH, "microphone")
    pcm = os.urandom(5 * BLOCK_FRAMES)  # two blocks and a half
    kept.spool.append(pcm)
    kept.note_safe(BLOCK_FRAMES + 7)
    (found,) = folder(tmp_path).left_behind()
    assert found.talk == kept.talk
    assert found.was_there
    assert found.spool.first_frame == BLOCK_FRAMES + 7
    assert everything(found) == pcm[(BLOCK_FRAMES + 7) * FRAME_BYTES :]
    found.spool.append(b"\1\0\2\0")
    assert everything(found)[-4:] == b"\1\0\2\0"
    found.done()
    assert folder(tmp_path).left_behind() == []


@settings(max_examples=50)
@given(
    cuts=st.lists(st.integers(0, 2 * BLOCK_FRAMES), min_size=1, max_size=4),
    safe=st.integers(0, 3 * BLOCK_FRAMES),
    torn=st.integers(0, 5_000),
)
def test_a_kill_costs_the_write_it_cuts_and_no_more(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], safe: int, torn: int
) -> None:
    """Process after process goes on where the last one was, whatever its last write left."""
    root = tmp_path_factory.mktemp("spool")
    with folder(root).locked():
        folder(root).new_talk(ENGLISH, "microphone")
    whole = bytearray()
    for frames in cuts:
        (kept,) = folder(root).left_behind()
        assert kept.spool.end_frame * FRAME_BYTES == len(whole)
        pcm = os.urandom(frames * FRAME_BYTES)
        kept.spool.append(pcm)
        whole += pcm
        kept.note_safe(min(safe, kept.spool.end_frame))
        newest = max(kept.folder.glob("*.pcm"), default=None) if kept.folder else None
        if newest and frames:
            # The kill came while these bytes were being written; half a frame may be left.
            torn_bytes = os.urandom(torn)
            with newest.open("ab") as file:
                file.write(torn_bytes)
            whole += torn_bytes[: torn - torn % FRAME_BYTES]
    (kept,) = folder(root).left_behind()
    assert everything(kept) == whole[kept.spool.first_frame * FRAME_BYTES :]
    assert kept.spool.end_frame * FRAME_BYTES == len(whole)


def test_rooms_and_servers_are_kept_apart(tmp_path: Path) -> None:
    """What was for one room of one server is never sent elsewhere."""
    with folder(tmp_path).locked():
        folder(tmp_path).new_talk(ENGLISH, "microphone")
    others = [folder(tmp_path, RoomName("b")), folder(tmp_path, server="ws://host:8001")]
    for other in others:
        with other.locked():
            assert other.left_behind() == []
    assert len(folder(tmp_path, server="wss://me:token@host:8000/").left_behind()) == 1


def test_no_password_is_written(tmp_path: Path) -> None:
    """The address that sound goes to may hold a token; the disk does not."""
    secret = folder(tmp_path, server="ws://user:token123@host")
    with secret.locked():
        secret.new_talk(ENGLISH, "microphone")
    for path in tmp_path.rglob("*"):
        assert "token123" not in str(path)
        assert not path.is_file() or b"token123" not in path.read_bytes()


def test_two_processes_do_not_mix(tmp_path: Path) -> None:
    """The second one is told to wait for the first."""
    with (
        folder(tmp_path).locked(),
        pytest.raises(AlreadySending, match="stop it first"),
        folder(tmp_path).locked(),
    ):
        pass
    with folder(tmp_path).locked():
        pass


def test_nobody_else_can_listen_in(tmp_path: Path) -> None:
    """What was said in a room is readable for its owner only."""
    with folder(tmp_path).locked():
        kept = folder(tmp_path).new_talk(ENGLISH, "microphone")
    assert kept.folder
    assert kept.folder.stat().st_mode & 0o077 == 0


def test_what_is_broken_is_passed_over(tmp_path: Path) -> None:
    """A talk's file that is cut off, or of something else, harms no other talk."""
    with folder(tmp_path).locked():
        kept = folder(tmp_path).new_talk(ENGLISH, "microphone")
    assert kept.folder
    for index, text in enumerate(["", "{", "[]", '{"session":"x"}', '{"session":7}']):
        broken = kept.folder.parent / f"broken{index}"
        broken.mkdir()
        (broken / "talk.json").write_text(text)
    (kept.folder / "safe").write_text("nonsense")
    assert [found.talk for found in folder(tmp_path).left_behind()] == [kept.talk]


def test_a_part_of_a_write_is_taken_back(tmp_path: Path) -> None:
    """A write that fails leaves the block as it was."""
    block = FileBlock(tmp_path, 0)
    block.append(b"\1\0\2\0")
    path = tmp_path / f"{0:015}.pcm"
    path.write_bytes(path.read_bytes() + b"torn")
    block._cut()
    assert path.read_bytes() == b"\1\0\2\0"
    assert block.read(0, 100) == b"\1\0\2\0"


@settings(max_examples=30)
@given(
    before=st.integers(0, 2 * BLOCK_FRAMES),
    late=st.integers(0, 2 * BLOCK_FRAMES),
    after=st.integers(0, BLOCK_FRAMES),
)
def test_sound_off_the_record_is_in_no_file(
    tmp_path_factory: pytest.TempPathFactory, before: int, late: int, after: int
) -> None:
    """Not even what was written before the word came; the spool has it all, in order.

    What comes after the span is on the disk again.
    """
    root = tmp_path_factory.mktemp("spool")
    with folder(root).locked():
        kept = folder(root).new_talk(ENGLISH, "microphone")
    spool, on, off = kept.spool, b"\1\1", b"\2\2"
    spool.append(on * before + off * late)
    spool.go_off_record(before)
    spool.append(off * BLOCK_FRAMES)
    end = before + late + BLOCK_FRAMES + 1000
    spool.go_on_record(end)
    spool.append(off * 1000 + on * after)
    files = b"".join(p.read_bytes() for p in sorted(root.rglob("*.pcm")))
    assert files == on * (before + after)
    assert everything(kept) == on * before + off * (late + BLOCK_FRAMES + 1000) + on * after
    assert spool.end_frame == end + after
