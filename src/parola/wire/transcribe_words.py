"""Amazon's results as our hypotheses on a session's clock, and ours as Amazon's."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from parola.domain.audio import to_frames, to_seconds
from parola.domain.transcript import Hypothesis, Segment, Word
from parola.wire.transcribe_results import Alternative, Item, LanguageScore, Result

MARKS = frozenset(".,?!;:…。、，．？！；：،؟؛।॥")
"""Punctuation that ends words; as many as follow a word are items of their own."""

_OPENING = frozenset("¿¡([{«“‘„「『（")

_FARTHEST_S = 1e9
"""No stream is as long; what claims to be is cut, so that frames stay small whole numbers."""


def to_hypothesis(result: Result, offset_frames: int = 0) -> Hypothesis:
    """Return the first alternative of a result on the session's clock.

    Every pronunciation becomes a word; punctuation is attached to the word before it, so that
    the words joined by spaces are the text where the language writes spaces. A result without
    words has an empty text: it only withdraws a partial.

    Args:
        result: times in seconds on the stream's clock.
        offset_frames: the session's frame that the stream's audio started with.
    """
    best = result.alternatives[0] if result.alternatives else Alternative("")
    first = offset_frames + _frames(result.start_s)
    words = tuple(_words(best.items, offset_frames, first))
    last = max((word.end_frame for word in words), default=first)
    return Hypothesis(
        text=best.transcript.strip(),
        first_frame=first,
        end_frame=max(offset_frames + _frames(result.end_s), first, last),
        is_final=not result.is_partial,
        words=words,
        speaker=_speaker(best.items),
        language=result.language_code,
    )


def from_hypothesis(
    guess: Hypothesis | Segment,
    result_id: str,
    *,
    offset_frames: int = 0,
    stabilised: bool = False,
    speaker_labels: bool = False,
    identified: bool = False,
    scores: Sequence[LanguageScore] = (),
    channel_id: str | None = None,
) -> Result:
    """Return a guess as the service would say it.

    Args:
        guess: on the session's clock; words without times are spread evenly over it.
        result_id: the same for all guesses of an utterance.
        offset_frames: the session's frame that the stream's audio started with.
        stabilised: whether items say if they are stable; those of finals all are.
        speaker_labels: whether the items of finals name the speaker.
        identified: whether to name the language.
        scores: how likely languages are, where they were identified.
        channel_id: with channel identification.
    """
    words = guess.words or spread_words(guess)
    items = tuple(item for word in words for item in _items(word, offset_frames))
    if guess.is_final and speaker_labels and guess.speaker is not None:
        items = tuple(replace(item, speaker=guess.speaker) for item in items)
    if stabilised:
        items = tuple(replace(item, stable=bool(item.stable or guess.is_final)) for item in items)
    else:
        items = tuple(replace(item, stable=None) for item in items)
    if not guess.is_final:
        items = tuple(replace(item, confidence=None) for item in items)
    return Result(
        result_id=result_id,
        start_s=_seconds(guess.first_frame, offset_frames),
        end_s=_seconds(guess.end_frame, offset_frames),
        is_partial=not guess.is_final,
        alternatives=(Alternative(guess.text, items),),
        channel_id=channel_id,
        language_code=guess.language if identified else None,
        language_identification=tuple(scores) if identified else (),
    )


def _words(items: Sequence[Item], offset_frames: int, first_frame: int) -> Iterator[Word]:
    """Yield the words, each with the punctuation that belongs to it, none before a frame."""
    # A word is made when all of its text is known: this runs for every partial of every stream.
    spoken: Item | None = None
    text = opening = ""
    for item in items:
        content = item.content.strip()
        if item.kind == "punctuation":
            if spoken is None or content in _OPENING:
                opening += content
            else:
                text += content
        elif content:
            if spoken is not None:
                yield _word(spoken, text, offset_frames, first_frame)
            spoken, text, opening = item, opening + content, ""
    if spoken is not None:
        yield _word(spoken, text + opening, offset_frames, first_frame)


def _word(item: Item, text: str, offset_frames: int, first_frame: int) -> Word:
    # An item without times, or with wrong ones, is not before the result that it belongs to.
    start = max(offset_frames + _frames(item.start_s), first_frame)
    confidence = item.confidence
    return Word(
        text=text,
        start_frame=start,
        end_frame=max(offset_frames + _frames(item.end_s), start),
        confidence=None if confidence is None else min(max(confidence, 0.0), 1.0),
        stable=bool(item.stable),
    )


def _speaker(items: Sequence[Item]) -> str | None:
    """Return who says most of the words; the first of them where it is a draw."""
    said = Counter(item.speaker for item in items if item.speaker is not None)
    return said.most_common(1)[0][0] if said else None


def _items(word: Word, offset_frames: int) -> Iterator[Item]:
    """Yield a word, then the marks at its end."""
    start = _seconds(word.start_frame, offset_frames)
    end = _seconds(word.end_frame, offset_frames)
    core = word.text.rstrip("".join(MARKS))
    if core:
        yield Item(core, start, end, confidence=word.confidence, stable=word.stable)
    for mark in word.text[len(core) :]:
        yield Item(mark, end, end, kind="punctuation", stable=word.stable)


def spread_words(guess: Hypothesis | Segment) -> tuple[Word, ...]:
    """Return the words of a text without any, with times in proportion to their letters."""
    texts = guess.text.split()
    letters = sum(map(len, texts))
    frames = max(guess.end_frame - guess.first_frame, 0)
    words = []
    done = 0
    for text in texts:
        start = guess.first_frame + frames * done // letters
        done += len(text)
        words.append(Word(text, start, guess.first_frame + frames * done // letters))
    return tuple(words)


def _frames(seconds: float) -> int:
    return to_frames(min(max(seconds, 0.0), _FARTHEST_S)) if math.isfinite(seconds) else 0


def _seconds(frame: int, offset_frames: int) -> float:
    return to_seconds(max(frame - offset_frames, 0))
