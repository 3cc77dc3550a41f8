"""Guesses how an English word that no dictionary has is said, from words that are spelt alike.

Pronunciation by analogy: each letter is said as it mostly is in the dictionary's words that have
the same letters around it. What that is worth: docs/reference/vocabulary.md. It knows no
language but English, in which foreign names come out as an American reads them.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

Phones = tuple[str, ...]

WINDOWS = ((4, 4), (3, 3), (2, 3), (3, 2), (2, 2), (1, 2), (2, 1), (1, 1), (0, 1), (1, 0), (0, 0))
"""Letters to the left and to the right that have to be the same, the closest first."""

NARROW = tuple(window for window in WINDOWS if sum(window) < 4)

ENOUGH = 3
"""Examples after which a wider window is not asked for more."""

MOST = 40
"""Examples that are looked at."""

LONGEST = 40
"""Letters. What is longer is no word."""

_VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())  # noqa: SIM905 - legible
_SAID_AS = {
    "a": "AE AH EY AA AO EH",
    "b": "B",
    "c": "K S CH SH",
    "d": "D JH T",
    "e": "EH IY AH IH EY",
    "f": "F V",
    "g": "G JH ZH F",
    "h": "HH",
    "i": "IH AY IY AH Y",
    "j": "JH Y HH",
    "k": "K",
    "l": "L",
    "m": "M",
    "n": "N NG",
    "o": "AA OW AH AO UW W AW",
    "p": "P F",
    "q": "K",
    "r": "R ER",
    "s": "S Z SH ZH",
    "t": "T CH SH TH DH D",
    "u": "AH UW UH Y W ER",
    "v": "V F",
    "w": "W V",
    "x": "K Z",
    "y": "Y IY AY IH",
    "z": "Z S T",
}
_SAID_AS_TWO = {"x": ("K S", "G Z"), "u": ("Y UW", "Y AH", "Y ER"), "l": ("AH L",), "m": ("AH M",)}
_LETTERS = (
    "EY|B IY|S IY|D IY|IY|EH F|JH IY|EY CH|AY|JH EY|K EY|EH L|EH M|EH N|OW|P IY|K Y UW|AA R|EH S|"
    "T IY|Y UW|V IY|D AH B AH L Y UW|EH K S|W AY|Z IY"
)
_NAMES = dict(zip("abcdefghijklmnopqrstuvwxyz", _LETTERS.split("|"), strict=True))
_DIGITS = (  # noqa: SIM905 - legible
    "Z IH R OW|W AH N|T UW|TH R IY|F AO R|F AY V|S IH K S|S EH V AH N|EY T|N AY N"
).split("|")


class Pronouncer:
    """Says words as the words of one dictionary are said; the same word always the same way."""

    def __init__(self, dictionary: str) -> None:
        """Take a dictionary in CMU's form: a line each, the word and its phones."""
        plain = re.findall(r"^([a-z]+) (.+)$", dictionary, re.MULTILINE)
        self._phones = {word: tuple(phones.split()) for word, phones in plain}
        self._spellings = "".join(f"#{word}" for word, _ in plain) + "#"
        self._chunks = cache(self._aligned)
        self._guessed = cache(self._by_analogy)

    def known(self, word: str) -> Phones | None:
        """Return how the dictionary says the word, None where it does not have it."""
        return self._phones.get(word)

    def pronounce(self, word: str, *, without: str = "") -> Phones:
        """Return a word's phones, empty where it has no Latin letter and no digit.

        Capitals without a vowel ("HTTP"), and up to three capitals, are spelt out; so are digits.

        Args:
            word: as people write it.
            without: a dictionary word to leave out of account, to see what the guess is worth.
        """
        return tuple(
            phone
            for part in re.findall(r"[A-Za-z]+|\d", _latin(word)[:LONGEST])
            for phone in self._part(part, without)
        )

    def _part(self, part: str, without: str) -> Phones:
        if part.isdigit():
            return tuple(_DIGITS[int(part)].split())
        low = part.lower()
        known = self._phones.get(low)
        if known and low != without:
            return known
        if len(low) == 1 or (part.isupper() and (len(low) <= 3 or not set(low) & set("aeiouy"))):
            return tuple(phone for letter in low for phone in _NAMES[letter].split())
        return self._guessed(low, without)

    def _by_analogy(self, word: str, without: str) -> Phones:
        framed = f"#{word}#"
        phones: list[str] = []
        for at in range(1, len(framed) - 1):
            phones += self._letter(framed, at, without)
        # A letter doubled is said once.
        return tuple(p for n, p in enumerate(phones) if n == 0 or p != phones[n - 1])

    def _letter(self, framed: str, at: int, without: str) -> Phones:
        votes: Counter[Phones] = Counter()
        # What is not found with two letters around it is not found with more.
        known = framed[max(at - 2, 0) : at + 3] in self._spellings
        for left, right in WINDOWS if known else NARROW:
            window = framed[max(at - left, 0) : at + right + 1]
            votes.update(islice(self._votes(window, min(left, at), without), MOST))
            if votes.total() >= ENOUGH:
                break
        # The least of the likeliest, so that a draw always ends the same way.
        return min(votes, key=lambda phones: (-votes[phones], phones), default=())

    def _votes(self, window: str, offset: int, without: str) -> Iterator[Phones]:
        """Yield how the letter at an offset in the window is said wherever the window occurs."""
        found = self._spellings.find(window)
        while found >= 0:
            at = found + offset
            start = self._spellings.rfind("#", 0, at) + 1
            word = self._spellings[start : self._spellings.find("#", at)]
            if word != without:
                yield self._chunks(word)[at - start]
            found = self._spellings.find(window, found + 1)

    def _aligned(self, word: str) -> list[Phones]:
        return align(word, self._phones[word])


def align(word: str, phones: Sequence[str]) -> list[Phones]:
    """Return for each letter the phones it stands for (none, one or two), as likely as can be."""
    # best[n]: what the first n phones cost with the letters so far, and how they are shared out.
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for letter in word:
        further: dict[int, tuple[float, tuple[int, ...]]] = {}
        for done, (cost, shares) in best.items():
            for share in range(min(2, len(phones) - done) + 1):
                total = cost + _cost(letter, phones[done : done + share])
                there = further.get(done + share)
                if there is None or total < there[0]:
                    further[done + share] = (total, (*shares, share))
        best = further
    shares = best.get(len(phones), (0.0, (0,) * len(word)))[1]
    ends = [sum(shares[: n + 1]) for n in range(len(shares))]
    return [tuple(phones[end - share : end]) for end, share in zip(ends, shares, strict=True)]


def _cost(letter: str, phones: Sequence[str]) -> float:
    """Return how unlikely it is that a letter stands for the phones: a hand-made table."""
    if not phones:
        return 1.0
    if len(phones) == 2:
        return 1.2 if " ".join(phones) in _SAID_AS_TWO.get(letter, ()) else 6.0
    if phones[0] in _SAID_AS[letter].split():
        return 0.0
    return 0.7 if letter in "aeiouy" and phones[0] in _VOWELS else 4.0


def _latin(word: str) -> str:
    """Return the word without accents."""
    apart = unicodedata.normalize("NFKD", word)
    return "".join(char for char in apart if not unicodedata.combining(char))
