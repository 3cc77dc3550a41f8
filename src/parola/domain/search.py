"""Reads what people type into a search box; any text is a question, none is an error."""

import re
import unicodedata
from dataclasses import dataclass

from parola.domain.errors import TooLarge

MAX_QUERY = 200
"""Characters."""

_PART = re.compile(r'"([^"]*)"?|(\S+)')
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand one after the other."""

    words: tuple[str, ...]
    is_open: bool = False
    """Whether the last word may go on: its writer may still be typing."""

    def fits(self, words: list[str]) -> bool:
        """Return whether a text with these words, as `words_of` gives them, holds the phrase."""
        *sure, last = self.words
        for at in range(len(words) - len(sure)):
            goes_on = words[at + len(sure)]
            is_last = goes_on.startswith(last) if self.is_open else goes_on == last
            if words[at : at + len(sure)] == sure and is_last:
                return True
        return False


def phrases_of(query: str) -> list[Phrase]:
    """Return all that a text must hold to be found; nothing where nothing is asked for.

    Words between quotation marks belong together. Case, accents and punctuation do not count.

    Raises:
        TooLarge: the query is longer than 200 characters.
    """
    if len(query) > MAX_QUERY:
        raise TooLarge(f"The question has {len(query)} characters; use at most {MAX_QUERY}.")
    found = []
    for match in _PART.finditer(query):
        if words := words_of(match[1] if match[2] is None else match[2]):
            is_last = match.end() == len(query) and match[2] is not None
            found.append(Phrase(tuple(words), is_last))
    return found


def words_of(text: str) -> list[str]:
    """Return a text's words, in lower case and without accents."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _WORD.findall(bare.lower())
