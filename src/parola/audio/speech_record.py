"""Remembers how probable speech was in each window, and weighs the evidence under a span.

Evidence is a sum of log-odds, in nats: each window of 32 ms speaks for speech or against it. The
sum over the best run of windows is Page's cumulative sum test: what matters is a run of sure
speech, not how long the span is, so scattered doubtful windows never add up.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from parola.audio.silero import WINDOW_FRAMES
from parola.domain.audio import to_frames

LIMIT = 7.0
"""Nats: no window counts for more than a probability of 0.999, either way."""

TOLL = 1.5
"""Nats taken from every window: a run of windows at p = 0.82 gathers no evidence at all."""


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring windows that are evidence together."""

    strength: float
    """Nats, above 0."""

    windows: int
    """How many windows of more likely speech than not it has."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What was heard under a span."""

    runs: tuple[Run, ...] = ()
    """In order of time; where the sum falls to nothing, another run begins."""

    windows: int = 0
    """How many windows of more likely speech than not the whole span has."""

    @property
    def best(self) -> Run:
        """The strongest run; of no strength where there is none.

        A clear short word has 30 to 80 nats, a sentence hundreds, a sneeze 0 to 40.
        """
        return max(self.runs, key=lambda run: run.strength, default=Run(0.0, 0))

    def windows_in_runs(self, strength: float) -> int:
        """Return how many likely windows lie in runs of at least some strength."""
        return sum(run.windows for run in self.runs if run.strength >= strength)


class SpeechRecord:
    """One session's windows in order; those older than its memory are forgotten."""

    def __init__(self, memory_s: float) -> None:
        self._memory = to_frames(memory_s)
        self._middles: list[int] = []
        self._odds: list[float] = []

    def add(self, first_frame: int, probability: float) -> None:
        """Take the next window's probability of speech, 0 to 1."""
        self._middles.append(first_frame + WINDOW_FRAMES // 2)
        self._odds.append(_log_odds(probability))
        # Forgotten in bulk: a list drops its head at the cost of moving all the rest.
        oldest = first_frame - self._memory
        if self._middles[0] < oldest - self._memory:
            gone = bisect_left(self._middles, oldest)
            del self._middles[:gone], self._odds[:gone]

    def under(self, first_frame: int, end_frame: int) -> Speech:
        """Return the evidence in the windows whose middle lies in a span of frames."""
        odds = np.array(self._odds[slice(*self._span(first_frame, end_frame))])
        likely = odds > 0
        sums = np.concatenate([[0.0], np.cumsum(odds - TOLL)])
        # A run begins wherever the sum is as low as it ever was, and goes on from there.
        lows = np.flatnonzero(sums == np.minimum.accumulate(sums)).tolist()
        runs = []
        for begin, low in pairwise([*lows, len(sums)]):
            if low - begin > 1:
                end = begin + int(np.argmax(sums[begin:low]))
                strength = float(sums[end] - sums[begin])
                runs.append(Run(strength, int(likely[begin:end].sum())))
        return Speech(tuple(runs), int(likely.sum()))

    def has_speech(self, first_frame: int, end_frame: int) -> bool:
        """Return whether any window in the span is more likely speech than not."""
        return any(odds > 0 for odds in self._odds[slice(*self._span(first_frame, end_frame))])

    def _span(self, first_frame: int, end_frame: int) -> tuple[int, int]:
        return bisect_left(self._middles, first_frame), bisect_left(self._middles, end_frame)


def _log_odds(probability: float) -> float:
    if probability <= 0:
        return -LIMIT
    if probability >= 1:
        return LIMIT
    return min(max(math.log(probability / (1 - probability)), -LIMIT), LIMIT)
