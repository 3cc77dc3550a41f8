"""Finds the sound under a corrected text: what stays keeps its own, the rest is shared."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate, pairwise

from parola.domain.transcript import Segment, Word


def retimed(segment: Segment, text: str) -> tuple[Word, ...]:
    """Return the text's words with times out of the segment's; none where it has none.

    A person's words have no confidence. Words that were put in where none were lie in the pause
    there, which may be empty.
    """
    if not segment.words:
        return ()
    old, new = [word.text for word in segment.words], text.split()
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    found: list[Word] = []
    for kind, first, end, new_first, new_end in steps:
        if kind == "equal":
            found += segment.words[first:end]
        else:
            found += _shared(new[new_first:new_end], *_sound(segment, first, end))
    return tuple(found)


def _sound(segment: Segment, first: int, end: int) -> tuple[int, int]:
    """Return from which frame to which the words from `first` to `end` are, or the pause there."""
    words = segment.words
    if first < end:
        return words[first].start_frame, max(words[end - 1].end_frame, words[first].start_frame)
    before = words[first - 1].end_frame if first else segment.first_frame
    after = words[first].start_frame if first < len(words) else segment.end_frame
    return before, max(before, after)


def _shared(texts: Sequence[str], start_frame: int, end_frame: int) -> Iterator[Word]:
    """Yield the texts over the frames, in proportion to their letters."""
    ends = list(accumulate(map(len, texts), initial=0))
    frames = end_frame - start_frame
    for text, (begin, end) in zip(texts, pairwise(ends), strict=True):
        yield Word(
            text,
            start_frame + frames * begin // ends[-1],
            start_frame + frames * end // ends[-1],
        )
