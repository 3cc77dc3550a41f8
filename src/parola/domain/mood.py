"""What is told of how a talk sounds: its lines, a curve, and where it stands now."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from parola.domain.audio import to_seconds
from parola.domain.intent import INTENTS, Intent, of_conversation
from parola.domain.sentiment import Label, label

NOW_S = 120.0
"""How much of a talk's end is "now"."""

PAUSE_S = 300.0
"""A room that was silent for longer has begun another conversation."""

POINTS = 60
"""Of a curve, at most: what a small picture can show."""

LEAST_BUCKET_S = 30.0


@dataclass(frozen=True, slots=True)
class LineMood:
    """How one final sounds, and what it is for."""

    room: str
    number: int
    """The final's number in the room's log."""

    session: str
    at_ms: int
    """When it was said, wall-clock time in milliseconds since 1970."""

    first_frame: int
    """On the session's clock."""

    score: float
    """Sentiment, from -1 to 1."""

    intent: Intent
    read_by: str = ""
    """Which analyst scored it."""

    @property
    def start_s(self) -> float:
        """Seconds on the session's clock."""
        return to_seconds(self.first_frame)


@dataclass(frozen=True, slots=True)
class Point:
    """A stretch of a curve."""

    start_s: float
    length_s: float
    score: float
    """The mean of its lines'."""

    lines: int


@dataclass(frozen=True, slots=True)
class TalkMood:
    """How a talk or a conversation sounds."""

    score: float
    """The mean over its last two minutes; 0 without lines."""

    label: Label
    intent: Intent
    counts: dict[Intent, int]
    curve: tuple[Point, ...]


def talk_mood(moods: Sequence[LineMood]) -> TalkMood:
    """Return how a talk sounds by its lines' moods, which are in the order of time."""
    times_s = _times_s(moods)
    since_s = times_s[-1] - NOW_S if moods else 0.0
    timed = zip(times_s, moods, strict=True)
    score = _mean([mood.score for time_s, mood in timed if time_s >= since_s])
    intents = [mood.intent for mood in moods]
    counts = {intent: intents.count(intent) for intent in INTENTS}
    return TalkMood(score, label(score), of_conversation(intents), counts, curve(moods))


def curve(moods: Sequence[LineMood]) -> tuple[Point, ...]:
    """Return the mean sentiment of equal stretches of time; those without lines are left out."""
    if not moods:
        return ()
    times_s = _times_s(moods)
    longest_s = max(times_s)
    bucket_s = max(LEAST_BUCKET_S, math.ceil((longest_s + 1) / POINTS))
    buckets: dict[int, list[float]] = {}
    for time_s, mood in zip(times_s, moods, strict=True):
        buckets.setdefault(int(time_s // bucket_s), []).append(mood.score)
    return tuple(
        Point(place * bucket_s, bucket_s, _mean(scores), len(scores))
        for place, scores in sorted(buckets.items())
    )


def newest_conversation(moods: Sequence[LineMood]) -> Sequence[LineMood]:
    """Return a room's last lines, as far back as nobody was silent for long.

    A talk is one, and so is a call in which several people speak and stop, each a session.
    """
    first = len(moods)
    while first > 0 and (
        first == len(moods) or moods[first].at_ms - moods[first - 1].at_ms <= PAUSE_S * 1000
    ):
        first -= 1
    return moods[first:]


def _times_s(moods: Sequence[LineMood]) -> list[float]:
    """Return when each line was said: on the session's clock, where it is one session's.

    Else since the first of them, by the wall clock: sessions have no common one.
    """
    if len({mood.session for mood in moods}) <= 1:
        return [mood.start_s for mood in moods]
    return [max(mood.at_ms - moods[0].at_ms, 0) / 1000 for mood in moods]


def _mean(scores: Sequence[float]) -> float:
    return math.fsum(scores) / len(scores) if scores else 0.0
