"""Writes a talk's own words as an Amazon Transcribe custom vocabulary, checked against its rules.

Amazon takes a vocabulary by name: the file has to be made one in the account first.
Source: Amazon Transcribe Developer Guide, "Creating a custom vocabulary using a table" and
"Character sets for custom vocabularies" (docs.aws.amazon.com/transcribe/latest/dg/), 2026-11.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from parola.domain.errors import BadMessage, TooLarge
from parola.domain.vocabulary import Language, base_language

MAX_BYTES = 50_000
"""Of one file: "50 Kb", taken as the smaller of its two meanings."""

MAX_PHRASE = 256
"""Characters of an entry."""

HEAD = "Phrase\tSoundsLike\tIPA\tDisplayAs"

_ENGLISH = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'-.")
"""Source: the English character set of the same guide."""

_ACRONYM = re.compile(r"((?:(?<=[A-Za-z])|^)[A-Z]{2,}|^[A-Z]$)(s?)(?![a-z])")
_DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A file for Amazon, and what could not go into it."""

    table: str
    left_out: tuple[str, ...]
    """A sentence for each phrase that Amazon would refuse."""


def amazon_vocabulary(phrases: Sequence[str], language: Language) -> Vocabulary:
    """Return the table for the phrases; Amazon refuses a whole file for one bad character.

    Raises:
        TooLarge: the table is larger than Amazon takes.
        BadMessage: no phrase is left.
    """
    rows, left_out = dict[str, str](), []
    for given in phrases:
        # A tab or a line's end inside a phrase would be one of the table's own.
        phrase = " ".join(given.split())
        spoken = as_spoken(phrase, language)
        if why := _refused(spoken, phrase, language):
            left_out.append(f"{phrase!r} is left out: {why}.")
        else:
            rows.setdefault(spoken, f"{spoken}\t\t\t{phrase}")
    if not rows:
        raise BadMessage("There is no phrase that a vocabulary could hold; add names or terms.")
    table = "\n".join([HEAD, *rows.values(), ""])
    if len(table.encode()) > MAX_BYTES:
        raise TooLarge(
            f"The vocabulary has {len(table.encode())} bytes; Amazon takes {MAX_BYTES}. "
            "Leave out what it would recognise anyway."
        )
    return Vocabulary(table, tuple(left_out))


def as_spoken(phrase: str, language: Language) -> str:
    """Return a phrase as the table's first column has it.

    Words are joined by hyphens, letters of an acronym each get a period, digits are English words
    (in English only), and in English accents are left off.
    """
    text = unicodedata.normalize("NFC", phrase).replace("\u2019", "'")
    if base_language(language) == "en":
        apart = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in apart if not unicodedata.combining(char))
        text = re.sub(r"\d", lambda digit: f"-{_DIGITS[int(digit[0])]}-", text)
    parts = (part for part in re.split(r"[\s/_\u2013\u2014-]+", text) if part)
    joined = "-".join(_ACRONYM.sub(_spelt, part) for part in parts)
    return re.sub(r"-{2,}", "-", joined).strip("-")


def _spelt(acronym: re.Match[str]) -> str:
    """Return "D.B." for "DB" and "A.B.C.-s" for "ABCs", set apart from what is before it."""
    apart = "-" if acronym.start() else ""
    return apart + "".join(f"{letter}." for letter in acronym[1]) + ("-s" if acronym[2] else "")


def _refused(spoken: str, phrase: str, language: Language) -> str:
    """Return why Amazon would refuse an entry, empty where it would not."""
    if not spoken.strip("-."):
        return "nothing of it can be spoken"
    if len(spoken) > MAX_PHRASE or len(phrase) > MAX_PHRASE:
        return f"it is longer than {MAX_PHRASE} characters"
    bad = sorted({char for char in spoken if not _allowed(char, language)})
    if bad:
        return f"{language} entries cannot hold {' '.join(bad)}"
    return ""


def _allowed(char: str, language: Language) -> bool:
    """Return whether an entry may hold the character.

    English is checked against its list. For the others: letters and marks, in lower and upper
    case; the guide's list for the language has the last word.
    """
    if base_language(language) == "en":
        return char in _ENGLISH
    return char in "'-." or unicodedata.category(char)[0] in "LM"
