"""What an engine cannot have heard is refused, and rounding is forgiven."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.audio import RATE_HZ
from parola.domain.errors import EngineFailed
from parola.domain.transcript import Hypothesis, Word
from parola.live.belief import SLACK_FRAMES, believable

FIRST, SENT = 5 * RATE_HZ, 15 * RATE_HZ
FRAME = st.sampled_from([FIRST, SENT]).flatmap(lambda n: st.integers(n - RATE_HZ, n + RATE_HZ + 9))


@given(st.lists(st.tuples(FRAME, FRAME), max_size=4), FRAME, FRAME)
def test_times_are_inside_the_audio_or_refused(
    spans: list[tuple[int, int]], first: int, end: int
) -> None:
    """Whatever an engine says: no time outside what it was sent comes through, text unchanged."""
    words = tuple(Word(f"w{n}", start, stop) for n, (start, stop) in enumerate(spans))
    said = Hypothesis("any text", first, end, True, words)
    try:
        believed = believable(said, FIRST, SENT)
    except EngineFailed:
        return
    frames = [believed.first_frame, believed.end_frame]
    frames += [frame for word in believed.words for frame in (word.start_frame, word.end_frame)]
    assert all(FIRST <= frame <= SENT for frame in frames)
    assert believed.text == said.text
    assert [word.text for word in believed.words] == [word.text for word in said.words]


def test_a_second_of_rounding_is_forgiven() -> None:
    """Engines pad and count in windows; nobody loses a word over it."""
    said = Hypothesis("ciao", FIRST - SLACK_FRAMES, SENT + SLACK_FRAMES, True)
    believed = believable(said, FIRST, SENT)
    assert (believed.first_frame, believed.end_frame) == (FIRST, SENT)


@pytest.mark.parametrize(
    "said",
    [
        Hypothesis("later", FIRST, SENT + SLACK_FRAMES + 1, True),
        Hypothesis("earlier", FIRST - SLACK_FRAMES - 1, SENT, True),
        Hypothesis("turned round", SENT, FIRST),
        Hypothesis("a b", FIRST, SENT, True, (Word("a", SENT, SENT), Word("b", FIRST, SENT))),
    ],
)
def test_garbage_is_refused(said: Hypothesis) -> None:
    """Claims on audio still to come would swallow its words."""
    with pytest.raises(EngineFailed):
        believable(said, FIRST, SENT)
