"""Scores a line's sentiment by a list of words and VADER's rules, in whatever language has both.

Source of rules and numbers: Hutto and Gilbert, VADER, ICWSM 2014, and its program (MIT licence).
Left out is what speech has not: emoticons, capitals, exclamation marks. Changed is that several
negations are one: Italian denies twice what it denies ("non funziona niente").
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Label = Literal["positive", "negative", "neutral"]

BOOST = 0.293
"""What "very" adds to a word's valence."""

DENIED = -0.74
"""What "not" makes of a word's valence."""

FADING = (1.0, 0.95, 0.9)
"""How much a word counts that stands one, two or three places before."""

BEFORE_BUT, AFTER_BUT = 0.5, 1.5

EXPECTED = 15.0
"""Keeps the sum of valences between -1 and 1."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Grammar:
    """One language's words that change what others say."""

    denials: frozenset[str]
    boosters: Mapping[str, float]
    """Words that add to the valence of what follows, or take from it."""

    but: frozenset[str]
    """After these comes what is meant."""

    phrases: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    """Two or three words that say together what they do not say alone."""

    elides: bool = False
    """Whether an apostrophe ends a word ("l'errore") and does not belong to it ("don't")."""

    endings: str = ""
    """Last letters that a word may change without saying anything else; "" for none."""

    superlatives: tuple[str, ...] = ()
    """Endings that say "very", before one of `endings`."""


class Sentiment:
    """One language's word list and grammar."""

    def __init__(self, lexicon: Mapping[str, float], grammar: Grammar) -> None:
        """Take a lexicon: words in lower case with valences from -4 to 4."""
        self._lexicon = lexicon
        self._grammar = grammar
        self._stems = _stems(lexicon, grammar.endings)

    def score(self, text: str) -> float:
        """Return the line's sentiment, from -1 to 1; 0 where no word says any."""
        words = self._words(text)
        valences = [self._own_valence(words, place) for place in range(len(words))]
        felt = [self._felt(words, valences, place) for place in range(len(words))]
        self._shift_to_what_is_meant(words, felt)
        total = math.fsum(felt)
        return total / math.sqrt(total * total + EXPECTED)

    def _words(self, text: str) -> list[str]:
        text = text.lower().replace("\u2019", "'")
        if self._grammar.elides:
            text = text.replace("'", " ")
        return _WORD.findall(text)

    def _own_valence(self, words: Sequence[str], place: int) -> float:
        """Return what the word says by itself, or the phrase that ends with it."""
        for size in (3, 2):
            if (start := place - size + 1) >= 0:
                phrase = self._grammar.phrases.get(tuple(words[start : place + 1]))
                if phrase is not None:
                    return phrase
        word = words[place]
        if word in self._grammar.boosters or word in self._grammar.denials:
            return 0.0
        return self._looked_up(word)

    def _looked_up(self, word: str) -> float:
        if (valence := self._lexicon.get(word)) is not None:
            return valence
        endings = self._grammar.endings
        if len(word) < 4 or not endings:
            return 0.0
        if word[-1] not in endings:  # "un buon lavoro", "bell'idea": the last letter is not said
            return self._stems.get(word, 0.0)
        for superlative in self._grammar.superlatives:
            if word[:-1].endswith(superlative):
                base = self._stems.get(word[: -1 - len(superlative)], 0.0)
                return base + math.copysign(2 * BOOST, base) if base else 0.0
        return self._stems.get(word[:-1], 0.0)

    def _felt(self, words: Sequence[str], valences: Sequence[float], place: int) -> float:
        """Return the word's valence after what the three words before it do to it."""
        valence = valences[place]
        if not valence:
            return 0.0
        strength, denied = abs(valence), False
        for distance, fading in enumerate(FADING[:place], start=1):
            word = words[place - distance]
            strength += self._grammar.boosters.get(word, 0.0) * fading
            # "without doubt" denies nothing.
            is_denial = word in self._grammar.denials
            denied |= is_denial and not self._is_in_phrase(words, place - distance)
        felt = math.copysign(max(strength, 0.0), valence)
        return felt * DENIED if denied else felt

    def _is_in_phrase(self, words: Sequence[str], place: int) -> bool:
        phrases = self._grammar.phrases
        return any(
            tuple(words[start : start + size]) in phrases
            for size in (2, 3)
            for start in range(max(place - size + 1, 0), place + 1)
        )

    def _shift_to_what_is_meant(self, words: Sequence[str], felt: list[float]) -> None:
        but = next((at for at, word in enumerate(words) if word in self._grammar.but), None)
        if but is None:
            return
        for place in range(len(felt)):
            felt[place] *= BEFORE_BUT if place < but else AFTER_BUT


def label(score: float) -> Label:
    """Return "positive", "negative" or "neutral" for a sentiment between -1 and 1.

    Source: the README of vaderSentiment, "typical threshold values".
    """
    return "positive" if score >= 0.05 else "negative" if score <= -0.05 else "neutral"


def _stems(lexicon: Mapping[str, float], endings: str) -> dict[str, float]:
    """Return the mean valence of the words that differ in their last letter only."""
    found: dict[str, list[float]] = {}
    for word, valence in lexicon.items():
        if len(word) >= 5 and word[-1] in endings:
            found.setdefault(word[:-1], []).append(valence)
    return {stem: math.fsum(valences) / len(valences) for stem, valences in found.items()}
