"""Reads lines on this computer: English and Italian, by word lists and a small trained model.

Standard library only, and nothing is fetched: the Lambda function carries these files with it.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from parola.domain.intent import Intent, IntentModel
from parola.domain.sentiment import Grammar, Sentiment
from parola.domain.sentiment_words import ENGLISH, ITALIAN

HERE = Path(__file__).parent

GRAMMARS: Mapping[str, Grammar] = {"en": ENGLISH, "it": ITALIAN}
"""The languages there are word lists of, by their base tags."""


class LocalAnalyst:
    """Scores sentiment by word lists; a line costs microseconds."""

    name = "local"

    def knows(self, language: str) -> bool:
        return base(language) in GRAMMARS

    async def scores(self, language: str, texts: Sequence[str]) -> list[float | None]:
        rater = sentiment(base(language))
        return [rater.score(text) for text in texts]


def base(language: str) -> str:
    """Return the language without script and region: "it" of "it-IT"."""
    return language.split("-", 1)[0].lower()


@cache
def sentiment(language: str) -> Sentiment:
    """Return what scores the lines of "en" or "it"; its list is read when first asked for."""
    text = (HERE / "words" / f"{language}.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines())
    return Sentiment({word: float(valence) for word, valence in rows}, GRAMMARS[language])


@cache
def intents() -> IntentModel:
    """Return the model of intents; its file is read when first asked for."""
    model = json.loads((HERE / "intent.json").read_text(encoding="utf-8"))
    return IntentModel(model["weights"], model["bias"], model["threshold"])


def intent(language: str, text: str, score: float) -> Intent:
    """Return what a line is for; "other" in a language that the model has not learned."""
    return intents().intent(text, score) if base(language) in GRAMMARS else "other"


def read(language: str, text: str) -> tuple[float, Intent] | None:
    """Return a line's sentiment and intent; None in a language there are no word lists of."""
    if base(language) not in GRAMMARS:
        return None
    score = sentiment(base(language)).score(text)
    return score, intent(language, text, score)
