"""Decides which hypotheses may be shown: no word without speech under it."""

from dataclasses import replace
from typing import Protocol

from parola.domain.transcript import Hypothesis

SURE_WINDOWS = 8
"""How many 32 ms windows of sure speech (p ≥ 0.9) a hypothesis needs under it.

Source: measured over 2,000 clips of room sounds, of which 6 pass while single words like "no"
are kept (docs/why/002-gate-and-two-passes.md).
"""


class SpeechRecord(Protocol):
    """What the gate remembers of where it heard speech."""

    def sure_windows(self, first_frame: int, end_frame: int) -> int:
        """Return how many windows of sure speech lie in the span."""


class Evidence:
    """Stands between an engine and the transcript and counts what it withholds."""

    def __init__(self, record: SpeechRecord) -> None:
        self._record = record
        self.withheld_words = 0
        """Words of final hypotheses that were not shown, since there was no speech under them."""

    def weigh(self, hypothesis: Hypothesis) -> Hypothesis:
        """Return the hypothesis, or the same one without words where the evidence is missing."""
        if not hypothesis.text:
            return hypothesis
        sure = self._record.sure_windows(hypothesis.first_frame, hypothesis.end_frame)
        if sure >= SURE_WINDOWS:
            return hypothesis
        if hypothesis.is_final:
            self.withheld_words += len(hypothesis.text.split())
        return replace(hypothesis, text="", words=())
