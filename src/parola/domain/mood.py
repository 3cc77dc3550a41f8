"""What is told of how a talk sounds: its lines, a curve, and where it stands now."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from parola.domain.audio import to_seconds
from parola.domain.intent import INTENTS, Intent, of_conversation
from parola.domain.sentiment import Label, label

NOW_S = 120.0
"""How much of a talk's end is "now"."""

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
    """How a talk sounds."""

    score: float
    """The mean over its last two minutes; 0 without lines."""

    label: Label
    intent: Intent
    counts: dict[Intent, int]
    curve: tuple[Point, ...]


def talk_mood(moods: Sequence[LineMood]) -> TalkMood:
    """Return how a talk sounds by its lines' moods, which are in the order of time."""
    since_s = moods[-1].start_s - NOW_S if moods else 0.0
    score = _mean([mood.score for mood in moods if mood.start_s >= since_s])
    intents = [mood.intent for mood in moods]
    counts = {intent: intents.count(intent) for intent in INTENTS}
    return TalkMood(score, label(score), of_conversation(intents), counts, curve(moods))


def curve(moods: Sequence[LineMood]) -> tuple[Point, ...]:
    """Return the mean sentiment of equal stretches of time; those without lines are left out."""
    if not moods:
        return ()
    longest_s = max(mood.start_s for mood in moods)
    bucket_s = max(LEAST_BUCKET_S, math.ceil((longest_s + 1) / POINTS))
    buckets: dict[int, list[float]] = {}
    for mood in moods:
        buckets.setdefault(int(mood.start_s // bucket_s), []).append(mood.score)
    return tuple(
        Point(place * bucket_s, bucket_s, _mean(scores), len(scores))
        for place, scores in sorted(buckets.items())
    )


def _mean(scores: Sequence[float]) -> float:
    return math.fsum(scores) / len(scores) if scores else 0.0
