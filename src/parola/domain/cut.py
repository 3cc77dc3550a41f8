"""Where a talk is cut that goes on elsewhere: before the word that the cut goes through."""

from dataclasses import replace

from parola.domain.audio import RATE_HZ
from parola.domain.transcript import Hypothesis

NEAR_FRAMES = 3 * RATE_HZ // 10
"""A last word that ends so near a cut may be half a word: engines guess where words end."""


def up_to_the_cut(hypothesis: Hypothesis, cut_frame: int) -> Hypothesis:
    """Return a final without its last word, where that is near the frame at which the sound ends.

    It ends where that word begins, so that whoever goes on hears the word from its beginning.
    Without word times nothing can be told, and it stays as it is.
    """
    if not hypothesis.words:
        return hypothesis
    *kept, last = hypothesis.words
    if last.end_frame < cut_frame - NEAR_FRAMES:
        return hypothesis
    end = max([last.start_frame, hypothesis.first_frame, *(word.end_frame for word in kept)])
    text = " ".join(word.text for word in kept)
    return replace(hypothesis, text=text, words=tuple(kept), end_frame=end)
