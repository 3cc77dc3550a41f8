"""The times of a corrected line: what was heard keeps its own."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from parola.domain.retiming import retimed
from parola.domain.transcript import Segment, Word

HEARD = ["the", "room", "can", "read", "along", "word", "for", "now"]

changes = st.lists(
    st.tuples(
        st.sampled_from(["keep", "keep", "drop", "replace"]),
        st.lists(st.sampled_from(["Nuoro", "è", "Deledda"]), max_size=2),
    ),
    min_size=len(HEARD),
    max_size=len(HEARD),
)


@given(changes, st.integers(1, 8), st.lists(st.integers(0, 16_000), min_size=17, max_size=17))
def test_words_that_stay_keep_their_time(
    steps: list[tuple[str, list[str]]], count: int, lengths: list[int]
) -> None:
    """Kept words have the frames they were heard in; new ones lie between their neighbours'."""
    at = 0
    said: list[Word] = []
    for text, pause, length in zip(HEARD[:count], lengths[::2], lengths[1::2], strict=False):
        said.append(Word(text, at + pause, at + pause + length, 0.9))
        at += pause + length
    segment = Segment("talk", 1, " ".join(HEARD[:count]), 0, at, True, "en", tuple(said))
    wanted: list[Word | str] = []
    for word, (what, added) in zip(said, steps, strict=False):
        if what == "keep":
            wanted.append(word)
        elif what == "replace":
            wanted.append(word.text.upper())
        wanted += added
    text = " ".join(one if isinstance(one, str) else one.text for one in wanted)
    found = retimed(segment, text)
    assert [word.text for word in found] == text.split()
    for word, want in zip(found, wanted, strict=True):
        if isinstance(want, Word):
            assert word == want
        else:
            assert word.confidence is None
        assert 0 <= word.start_frame <= word.end_frame <= at
    assert all(one.end_frame <= next_.start_frame for one, next_ in pairwise(found))


def test_without_times_none_are_made_up() -> None:
    """A line whose engine told no words gets none by being corrected."""
    segment = Segment("talk", 1, "hello", 0, 16_000, True, "en")
    assert retimed(segment, "hello there") == ()
    assert retimed(replace(segment, words=(Word("hello", 0, 9),)), "") == ()
