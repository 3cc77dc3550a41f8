from pathlib import Path

import pytest

from parola.cli.outcome import MISSING, USAGE, CommandError
from parola.cli.output import format_of, whole_file


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    """Until the end the old file stays, and then the new one has its place."""
    path = tmp_path / "talk.srt"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, BrokenPipeError])
def test_nothing_is_left_of_half_a_file(tmp_path: Path, error: type[BaseException]) -> None:
    """After an error or an interruption the folder is as before, and the error is itself."""
    path = tmp_path / "talk.srt"
    with pytest.raises(error):
        break_off(path, error())
    assert not list(tmp_path.iterdir())


def break_off(path: Path, error: BaseException) -> None:
    with whole_file(path) as file:
        file.write(b"half")
        raise error


def test_a_place_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    """A missing folder, a folder in the file's place, a forbidden one: each has its remedy."""
    with pytest.raises(CommandError, match="There is no folder") as raised:
        enter(tmp_path / "nowhere" / "talk.srt")
    assert raised.value.exit_code == USAGE
    (tmp_path / "talk.srt").mkdir()
    with pytest.raises(CommandError, match="is a folder") as raised:
        enter(tmp_path / "talk.srt")
    assert raised.value.exit_code == USAGE
    with pytest.raises(CommandError, match="another place with -o") as raised:
        enter(Path("/proc/talk.srt"))
    assert raised.value.exit_code == MISSING


def enter(path: Path) -> None:
    with whole_file(path):
        pass


@pytest.mark.parametrize("name", ["a.srt", "a.b.VTT", "ä.txt", "x.json"])
def test_the_name_says_the_format(name: str) -> None:
    """The ending counts, in any case."""
    assert format_of(Path(name)) == name.rpartition(".")[2].lower()


@pytest.mark.parametrize("name", ["talk", "talk.doc", ".srt", "talk.srt.bak"])
def test_an_unknown_format_names_the_four(name: str) -> None:
    """A name without one of the four endings is refused, and the message has them all."""
    with pytest.raises(CommandError, match=r"\.srt, \.vtt, \.txt, \.json") as raised:
        format_of(Path(name))
    assert raised.value.exit_code == USAGE
