"""Masks, removes or tags the words of a vocabulary filter, as the service does."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from parola.domain.errors import BadMessage, NotFound
from parola.wire.transcribe import Alternative, FilterMethod, Item, Result

MASK = "***"
"""Source: Transcribe developer guide, "Using custom vocabulary filters"."""

Words = frozenset[str]
"""Of one filter, in small letters."""


def read_words(path: Path) -> Words:
    """Return the words in a file with one on each line; empty lines do not count.

    Raises:
        NotFound: there is no such file.
        BadMessage: it is not text, or holds no word.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}; check its name.") from error
    except UnicodeDecodeError as error:
        raise BadMessage(f"{path} is not text in UTF-8; save it as such.") from error
    words = frozenset(word for line in lines if (word := line.strip().casefold()))
    if not words:
        raise BadMessage(f"{path} holds no words; write one on each line.")
    return words


def named_words(text: str) -> tuple[str, Words]:
    """Return a filter from "NAME=FILE".

    Raises:
        BadMessage: it is not written so, or the file holds no words.
        NotFound: there is no such file.
    """
    name, equals, path = text.partition("=")
    if not equals or not re.fullmatch("[0-9a-zA-Z._-]{1,200}", name):
        raise BadMessage(f"A vocabulary filter is written NAME=FILE, not {text!r}.")
    return name, read_words(Path(path))


class WordFilter:
    """What one stream asked for."""

    def __init__(self, words: Iterable[str], method: FilterMethod) -> None:
        """Take the words in small letters."""
        self._words = frozenset(words)
        self._method = method

    def apply(self, result: Result) -> Result:
        """Return the result as the client may see it."""
        return replace(result, alternatives=tuple(map(self._alternative, result.alternatives)))

    def _alternative(self, said: Alternative) -> Alternative:
        matches = {item.content for item in said.items if self._matches(item)}
        if not matches:
            return said
        items = [
            replace(item, vocabulary_filter_match=True) if item.content in matches else item
            for item in said.items
        ]
        if self._method == "tag":
            return replace(said, items=tuple(items))
        if self._method == "remove":
            kept = tuple(item for item in items if not item.vocabulary_filter_match)
            return replace(said, transcript=_without(said.transcript, matches), items=kept)
        masked = tuple(
            replace(item, content=MASK) if item.vocabulary_filter_match else item for item in items
        )
        text = _pattern(matches).sub(MASK, said.transcript)
        return replace(said, transcript=text, items=masked)

    def _matches(self, item: Item) -> bool:
        return item.kind == "pronunciation" and item.content.casefold() in self._words


def _pattern(words: set[str], before: str = "") -> re.Pattern[str]:
    longest_first = sorted(map(re.escape, words), key=len, reverse=True)
    return re.compile(rf"{before}(?<!\w)(?:{'|'.join(longest_first)})(?!\w)")


def _without(text: str, words: set[str]) -> str:
    return " ".join(_pattern(words, before=r"\s*").sub("", text).split())
