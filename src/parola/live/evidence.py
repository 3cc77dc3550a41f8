"""Decides which hypotheses may be shown: no word without speech under it.

What an engine says of itself is not enough: one that is always sure of itself would pass. What
the gate heard decides, and the engine's own confidence can only take away (docs/why/007):

- a hypothesis needs a run of sure speech under it, and no more letters than a mouth can say in it;
- where that run is short, fewer; where it is weak as well, an engine that is confident, if its
  confidence means anything, and else more strength;
- every word needs speech under its own span;
- what is left may still be doubtful, and is marked so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from parola.audio.silero import WINDOW_FRAMES
from parola.audio.speech_record import Speech
from parola.domain.audio import RATE_HZ, to_frames
from parola.domain.log import Reason
from parola.domain.transcript import Hypothesis, Word
from parola.live.calibration import Threshold

MARGIN = to_frames(0.16)
"""How far from a word's span the speech under it may lie: engines' word times are not exact."""

SPARE_S = 0.2
"""Added to the speech that letters are counted against: soft beginnings and ends of words."""


class SpeechEvidence(Protocol):
    """What the gate remembers of where it heard speech."""

    def under(self, first_frame: int, end_frame: int) -> Speech:
        """Return the evidence in a span."""

    def has_speech(self, first_frame: int, end_frame: int) -> bool:
        """Return whether any of a span is more likely speech than not."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What of a hypothesis may be shown, and what not."""

    shown: Hypothesis
    withheld: str = ""
    """The words that are not shown."""

    reason: Reason = "no speech"
    strength: float = 0.0
    """Nats of speech under the whole hypothesis."""


class Evidence:
    """Stands between an engine and the transcript and counts what it withholds."""

    def __init__(self, speech: SpeechEvidence, threshold: Threshold) -> None:
        self._speech = speech
        self.threshold = threshold
        """The row of the engine that is listening."""
        self.withheld_words = 0
        """Words of final hypotheses that were not shown."""

    def weigh(self, hypothesis: Hypothesis) -> Weighed:
        """Return what may be shown: the hypothesis, some of its words, or none."""
        if not hypothesis.text:
            return Weighed(hypothesis)
        speech = self._speech.under(hypothesis.first_frame - MARGIN, hypothesis.end_frame + MARGIN)
        weighed = self._weigh(hypothesis, speech)
        if hypothesis.is_final:
            self.withheld_words += len(weighed.withheld.split())
        return weighed

    def _weigh(self, hypothesis: Hypothesis, speech: Speech) -> Weighed:
        if reason := self._doubt(hypothesis, speech):
            nothing = replace(hypothesis, text="", words=())
            return Weighed(nothing, hypothesis.text, reason, speech.best.strength)
        spoken = tuple(word for word in hypothesis.words if self._has_speech(word))
        if len(spoken) == len(hypothesis.words):
            return Weighed(self._marked(hypothesis), strength=speech.best.strength)
        unspoken = [word.text for word in hypothesis.words if word not in spoken]
        text = " ".join(word.text for word in spoken)
        shown = self._marked(replace(hypothesis, text=text, words=spoken))
        return Weighed(shown, " ".join(unspoken), "no speech", speech.best.strength)

    def _doubt(self, hypothesis: Hypothesis, speech: Speech) -> Reason | None:
        """Return why nothing of the hypothesis may be shown, or None."""
        limits, best = self.threshold, speech.best
        is_short = best.windows < limits.long_run_windows
        if best.strength < (limits.short_strength if is_short else limits.strength):
            return "no speech"
        # A burst speaks for itself only: what is left of a cough's echo holds no letters.
        windows = speech.windows_in_runs(limits.strength) if is_short else speech.windows
        speech_s = windows * WINDOW_FRAMES / RATE_HZ + SPARE_S
        fastest = limits.short_letters_per_s if is_short else limits.letters_per_s
        if _letters(hypothesis.text) > speech_s * fastest:
            return "too fast"
        is_slight = is_short and best.strength < limits.sure_strength
        if is_slight and _confidence(hypothesis.words) < limits.slight_confidence:
            return "not confident"
        return None

    def _has_speech(self, word: Word) -> bool:
        return self._speech.has_speech(word.start_frame - MARGIN, word.end_frame + MARGIN)

    def _marked(self, hypothesis: Hypothesis) -> Hypothesis:
        """Return a final with its doubtful words marked; guesses are doubtful as such."""
        if not hypothesis.is_final:
            return hypothesis
        below = self.threshold.doubtful_below
        words = tuple(
            replace(word, doubtful=True)
            if word.confidence is not None and word.confidence < below
            else word
            for word in hypothesis.words
        )
        return hypothesis if words == hypothesis.words else replace(hypothesis, words=words)


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


def _confidence(words: Sequence[Word]) -> float:
    """Return the mean confidence; 0 where the engine tells none, as of guesses."""
    told = [word.confidence for word in words if word.confidence is not None]
    return sum(told) / len(told) if told else 0.0
