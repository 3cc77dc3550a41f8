"""The text file of a mixer holds what may be read now, and no word off the record."""

from pathlib import Path
from typing import Any

from parola.cli.follow import _TextFile
from parola.live.lines import OVERLAY_LINES


def said(number: int | None, text: str, **more: object) -> dict[str, Any]:
    """Return a final of long ago, which is painted at once."""
    return {
        "type": "segment",
        "segment": f"s-{number}-{text}",
        "session": "s",
        "seq": number,
        "text": text,
        "is_partial": False,
        "at": "2026-01-01T00:00:00Z",
    } | more


def state(word: str) -> dict[str, Any]:
    return {"type": "state", "state": word}


def test_words_off_the_record_are_in_no_file(tmp_path: Path) -> None:
    """Neither finals nor guesses, while the room is off the record and after it; others are."""
    file = _TextFile(tmp_path / "captions.txt", OVERLAY_LINES)
    seen: list[str] = []

    def take(*messages: dict[str, Any]) -> str:
        for message in messages:
            file.take(message)
            file.look()
            seen.extend(path.read_text() for path in tmp_path.iterdir())
        return (tmp_path / "captions.txt").read_text()

    assert take(state("listening"), said(1, "good morning")) == "good morning\n"
    guess = said(None, "a canary", is_partial=True, at=None, off_record=True)
    off = take(state("off_record"), guess, said(None, "a canary sings", off_record=True))
    assert off == "good morning\n[off the record]\n"
    late = said(None, "a canary again", off_record=True)
    assert take(state("listening"), late, said(2, "and on")) == "good morning and on\n"
    assert not any("canary" in text for text in seen)


def test_a_room_whose_screens_are_off_has_an_empty_file(tmp_path: Path) -> None:
    """At once, and what was there comes back with it."""
    file = _TextFile(tmp_path / "captions.txt", OVERLAY_LINES)
    file.take(said(1, "good morning"))
    file.take(state("hidden"))
    file.look()
    assert (tmp_path / "captions.txt").read_text() == ""
    file.take(state("listening"))
    file.look()
    assert (tmp_path / "captions.txt").read_text() == "good morning\n"
