"""A talk's curve and where it stands now."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.mood import POINTS, LineMood, curve, newest_conversation, talk_mood

RATE_HZ = 16_000


def line(start_s: float, score: float) -> LineMood:
    """Return a line's mood."""
    return LineMood("sala", 1, "talk", 0, int(start_s * RATE_HZ), score, "other")


def test_now_is_the_last_two_minutes() -> None:
    """What was said before counts in the curve only."""
    moods = [line(0, -1), line(100, -1), line(400, 0.5), line(450, 1.0)]
    talk = talk_mood(moods)
    assert (talk.score, talk.label) == (0.75, "positive")
    assert [(p.start_s, p.score) for p in talk.curve] == [(0, -1), (90, -1), (390, 0.5), (450, 1)]


def test_a_call_goes_on_while_somebody_speaks() -> None:
    """Sessions that follow or cross each other are one conversation; a long silence ends it."""
    said = [(0, "a"), (20, "b"), (30, "a"), (331, "c"), (340, "d"), (640, "c")]
    moods = [
        LineMood("call", n, session, at_s * 1000, 0, 1.0 if n < 4 else -1.0, "other")
        for n, (at_s, session) in enumerate(said)
    ]
    newest = newest_conversation(moods)
    assert [mood.number for mood in newest] == [3, 4, 5]
    assert newest_conversation([]) == []
    talk = talk_mood(newest)
    assert [(p.start_s, p.lines) for p in talk.curve] == [(0, 2), (300, 1)]
    assert talk.score == -1.0


def test_a_talk_without_lines_sounds_like_nothing() -> None:
    """Neutral, no intent, no curve."""
    talk = talk_mood([])
    assert (talk.label, talk.intent, talk.curve) == ("neutral", "other", ())


@given(
    st.lists(
        st.tuples(st.floats(0, 100_000), st.floats(-1, 1, allow_subnormal=False)), max_size=200
    )
)
def test_every_line_is_in_one_point_of_a_short_curve(said: list[tuple[float, float]]) -> None:
    """However long a talk: at most so many points, in order, and no line lost or counted twice."""
    moods = [line(start_s, score) for start_s, score in sorted(said)]
    points = curve(moods)
    assert len(points) <= POINTS
    assert sum(point.lines for point in points) == len(moods)
    assert [p.start_s for p in points] == sorted({p.start_s for p in points})
    total = sum(point.score * point.lines for point in points)
    assert total == pytest.approx(sum(mood.score for mood in moods), abs=1e-9)
    for first, second in pairwise(points):
        assert first.start_s + first.length_s <= second.start_s
        inside = [m.score for m in moods if first.start_s <= m.start_s < second.start_s]
        assert first.lines == len(inside)
