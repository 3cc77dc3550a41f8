"""Refuses what an engine cannot have heard: times outside the audio it was sent."""

from dataclasses import replace
from itertools import pairwise

from parola.domain.audio import RATE_HZ, to_seconds
from parola.domain.errors import EngineFailed
from parola.domain.transcript import Hypothesis, Word

SLACK_FRAMES = RATE_HZ
"""How far times may be off: engines round, pad and count in windows. More is garbage."""


def believable(hypothesis: Hypothesis, first_frame: int, sent_frame: int) -> Hypothesis:
    """Return the hypothesis with its times inside the audio that the stream was sent.

    Text is never changed. Garbage is refused as a whole, so that a new stream hears that audio
    again: a guess that claims audio still to come would swallow the words of it.

    Raises:
        EngineFailed: its times, or a word's, lie outside the audio or run backwards.
    """
    low, high = first_frame - SLACK_FRAMES, sent_frame + SLACK_FRAMES
    spans = [(hypothesis.first_frame, hypothesis.end_frame)]
    spans += [(word.start_frame, word.end_frame) for word in hypothesis.words]
    if not all(low <= start <= end <= high for start, end in spans):
        raise EngineFailed(
            f"The engine spoke of sound at {to_seconds(spans[0][0])} s to"
            f" {to_seconds(max(end for _, end in spans))} s; it was sent that from"
            f" {to_seconds(first_frame)} s to {to_seconds(sent_frame)} s."
        )
    starts = [word.start_frame for word in hypothesis.words]
    if any(later < earlier - SLACK_FRAMES for earlier, later in pairwise(starts)):
        raise EngineFailed("The engine's words run backwards.")
    if all(first_frame <= start and end <= sent_frame for start, end in spans):
        return hypothesis

    def inside(frame: int) -> int:
        return min(max(frame, first_frame), sent_frame)

    return replace(
        hypothesis,
        first_frame=inside(hypothesis.first_frame),
        end_frame=inside(hypothesis.end_frame),
        words=tuple(
            _moved(w, inside(w.start_frame), inside(w.end_frame)) for w in hypothesis.words
        ),
    )


def _moved(word: Word, start_frame: int, end_frame: int) -> Word:
    return replace(word, start_frame=start_frame, end_frame=end_frame)
