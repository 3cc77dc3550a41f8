"""Promises clients which words of a partial result will not change, and keeps the promise.

A word becomes stable once it has stayed the same, with all words before it, through some
hypotheses in a row, or when the engine itself calls it stable. From then on it stays in its
result, in the final too, whatever the engine thinks later: that is what clients pay for low delay
with. Only a result that is withdrawn as a whole, since there was no speech under it, takes its
stable words along.
"""

from collections.abc import Sequence
from dataclasses import replace

from parola.domain.transcript import Segment, Word
from parola.wire.transcribe import Stability, spread_words

HYPOTHESES: dict[Stability, int] = {"high": 2, "medium": 3, "low": 5}
"""Through how many hypotheses in a row a word has to stay. The service's numbers are not known."""

USUAL: Stability = "high"
"""The level where a client asks for none."""


class StableWords:
    """One channel's results, one after the other."""

    def __init__(self, level: Stability | None) -> None:
        self._needed = HYPOTHESES[level or USUAL]
        self._number = 0
        self._fixed: tuple[Word, ...] = ()
        self._loose: list[tuple[str, int]] = []
        """The words after the fixed ones, each with the hypotheses in a row that had it there."""

    def add(self, segment: Segment) -> Segment:
        """Return the guess with its promises: kept, and newly made."""
        if segment.number != self._number or not segment.text:
            self._number, self._fixed, self._loose = segment.number, (), []
        words = segment.words or spread_words(segment)
        rest = self._after_fixed(words)
        text = segment.text
        if self._agrees(words):
            self._fixed = tuple(replace(w, stable=True) for w in words[: len(self._fixed)])
        else:
            text = " ".join(word.text for word in (*self._fixed, *rest))
        rest = self._fix(rest)
        return replace(segment, text=text, words=(*self._fixed, *rest))

    def _agrees(self, words: Sequence[Word]) -> bool:
        """Return whether the engine still says what was promised."""
        fixed = [word.text for word in self._fixed]
        return [word.text for word in words[: len(fixed)]] == fixed

    def _after_fixed(self, words: Sequence[Word]) -> tuple[Word, ...]:
        if self._agrees(words):
            return tuple(words[len(self._fixed) :])
        # The engine says something else there now: by their times, these words come after it.
        end = self._fixed[-1].end_frame
        return tuple(w for w in words if (w.start_frame + w.end_frame) // 2 >= end)

    def _fix(self, rest: tuple[Word, ...]) -> tuple[Word, ...]:
        """Fix what has stayed long enough, and return what has not."""
        loose: list[tuple[str, int]] = []
        same = True
        for at, word in enumerate(rest):
            before = self._loose[at] if at < len(self._loose) else ("", 0)
            same = same and before[0] == word.text
            loose.append((word.text, before[1] + 1 if same else 1))
        count = 0
        while count < len(rest) and (rest[count].stable or loose[count][1] >= self._needed):
            count += 1
        self._fixed += tuple(replace(word, stable=True) for word in rest[:count])
        self._loose = loose[count:]
        return tuple(replace(word, stable=False) for word in rest[count:])
