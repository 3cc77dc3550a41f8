"""Says what somebody wants with a line, by a linear model over its words and their kinds.

The model is a table of weights that `python -m bench.mood.train` makes of `bench/mood/intent.tsv`.
Nothing here writes text: a line is sorted into one of a few drawers, or into none.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from parola.domain.intent_words import KIND_OF
from parola.domain.sentiment import label

Intent = Literal["question", "request", "complaint", "thanks", "announcement", "greeting", "other"]
"""What a line is for; "other" is most of a talk, and all that the model is not sure of."""

INTENTS: tuple[Intent, ...] = get_args(Intent)

LEAST_LINES = 2
"""A conversation is about something if this many of its lines are: one may be a mistake."""

LEAST_SHARE = 0.15
"""And this share of them. Most lines of a talk are "other", so no majority can be asked for."""

_TOKEN = re.compile(r"[^\W_]+(?:['\u2019](?=t\b)t)?|\?")
_LONGEST = 4
"""Classes of length: up to three words, six, nine, twelve, more."""


def features(text: str, score: float) -> frozenset[str]:
    """Return what the model looks at: words and their kinds, alone and in pairs, and the sentiment.

    A question mark is a word; other signs are left out, since not every engine writes any.

    Args:
        text: the line.
        score: its sentiment, from -1 to 1 (`parola.domain.sentiment`).
    """
    words = [word.replace("\u2019", "'") for word in _TOKEN.findall(text.lower())]
    kinds = [KIND_OF.get(word, "-") for word in words]
    found = {*words, *(f"@{kind}" for kind in kinds if kind != "-")}
    found.update(f"{first} {second}" for first, second in pairwise(["^", *words, "$"]))
    found.update(f"@{a} {b}" for a, b in pairwise(kinds) if (a, b) != ("-", "-"))
    found.update(("^^" + " ".join(words[:2]), "^^^" + " ".join(words[:3])))
    found.update(("@^" + " ".join(kinds[:1]), "@^" + " ".join(kinds[:2])))
    found.add("#" + label(score))
    found.add(f"#{min(len(words) // 3, _LONGEST)}")
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class IntentModel:
    """A trained model: one weight for each feature and intent."""

    weights: Mapping[str, Sequence[float]]
    """In the order of `INTENTS`."""

    bias: Sequence[float]
    threshold: float
    """What scores less than this is "other"."""

    def scores(self, text: str, score: float) -> list[float]:
        """Return how well each of `INTENTS` fits, in that order: about 1 where it fits."""
        rows = [row for name in features(text, score) if (row := self.weights.get(name))]
        if not rows:
            return list(self.bias)
        scale = 1 / math.sqrt(len(rows))
        columns = zip(*rows, strict=True)
        return [math.fsum(c) * scale + b for c, b in zip(columns, self.bias, strict=True)]

    def intent(self, text: str, score: float) -> Intent:
        """Return what the line is for."""
        return chosen(self.scores(text, score), self.threshold)


def chosen(scores: Sequence[float], threshold: float) -> Intent:
    """Return the intent that fits best, or "other" where even that one fits worse than this.

    Of equals the first one counts.
    """
    best = max(range(len(INTENTS)), key=lambda place: scores[place])
    return INTENTS[best] if scores[best] >= threshold else "other"


def of_conversation(intents: Iterable[Intent]) -> Intent:
    """Return what a conversation is about: the intent of most of its lines that have one.

    "other" where too few have any. Of equals the first in `INTENTS` counts.
    """
    lines = list(intents)
    counts = {intent: lines.count(intent) for intent in INTENTS if intent != "other"}
    best = max(counts, key=lambda intent: counts[intent])
    if counts[best] < LEAST_LINES or counts[best] < LEAST_SHARE * len(lines):
        return "other"
    return best
