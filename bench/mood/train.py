"""Makes the model of intents out of `intent.tsv`: `python -m bench.mood.train`.

Ridge regression on one-of-seven targets, solved exactly: no chance and no steps, so that the same
sentences make the same file on the same numpy.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from parola.analysts.local import sentiment
from parola.domain.intent import INTENTS, Intent, IntentModel, chosen, features

DATA = Path(__file__).parent / "intent.tsv"
TEST = Path(__file__).parent / "intent-test.tsv"
MODEL = Path(__file__).parents[2] / "src" / "parola" / "analysts" / "intent.json"

RIDGE = 3.0
"""How much a large weight is worth less; chosen by cross-validation among 0.3, 1 and 3."""

LEAST_WEIGHT = 0.05
"""A feature that weighs less for every intent is left out: a third of them, and no difference."""

OTHER_SHARE = 0.6
"""How much of a talk is "other", as far as the threshold is concerned. In `intent.tsv` it is less,
so that the rest has enough sentences to learn from."""

FOLDS = 10
THRESHOLDS = tuple(x / 100 for x in range(0, 61, 5))

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One labelled sentence."""

    intent: Intent
    language: str
    text: str
    fold: int
    """A sentence and its translation share one: else a fold would know the other by its names."""

    @property
    def spellings(self) -> tuple[str, str]:
        """With signs and without: not every engine writes any."""
        return self.text, self.text.translate(str.maketrans("", "", "?.,!"))


def sentences(file: Path = DATA) -> list[Sentence]:
    """Return the labelled sentences of a file."""
    found: list[Sentence] = []
    seen: Counter[tuple[str, str]] = Counter()
    for line in file.read_text().splitlines():
        if line.startswith("#"):
            continue
        intent, language, text = line.split("\t")
        fold = seen[intent, language] % FOLDS
        seen[intent, language] += 1
        found.append(Sentence(INTENTS[INTENTS.index(intent)], language, text, fold))
    return found


def score(sentence: Sentence, text: str) -> float:
    """Return the sentiment that the model is given beside the words."""
    return sentiment(sentence.language).score(text)


def train(found: Sequence[Sentence], threshold: float = 0.0) -> IntentModel:
    """Return the model of the sentences, each in both spellings."""
    examples = [(s.intent, features(text, score(s, text))) for s in found for text in s.spellings]
    counts = Counter(name for _, names in examples for name in names)
    # Two spellings of each sentence: what only one spelling has is of its signs, but for "?".
    vocabulary = sorted(name for name, count in counts.items() if count >= 2)
    place = {name: number for number, name in enumerate(vocabulary)}
    x: Floats = np.zeros((len(examples), len(vocabulary)))
    y: Floats = np.full((len(examples), len(INTENTS)), -1 / (len(INTENTS) - 1))
    for row, (intent, names) in enumerate(examples):
        known = [place[name] for name in names if name in place]
        x[row, known] = 1 / np.sqrt(len(known))
        y[row, INTENTS.index(intent)] = 1
    bias = y.mean(axis=0)
    # Fewer sentences than features: solved in the sentences.
    weights = x.T @ np.linalg.solve(x @ x.T + RIDGE * np.eye(len(x)), y - bias)
    rows = {name: [round(float(w), 2) for w in weights[place[name]]] for name in vocabulary}
    kept = {name: row for name, row in rows.items() if max(map(abs, row)) >= LEAST_WEIGHT}
    return IntentModel(kept, [round(float(b), 3) for b in bias], threshold)


Judged = tuple[Sentence, list[float]]


def judged(model: IntentModel, found: Sequence[Sentence], *, signs: bool) -> list[Judged]:
    """Return the sentences with a model's scores, with their signs or without."""
    texts = [(s, s.spellings[0 if signs else 1]) for s in found]
    return [(s, model.scores(text, score(s, text))) for s, text in texts]


def cross_validated(found: Sequence[Sentence], *, signs: bool) -> list[Judged]:
    """Return each sentence with the scores of a model that has not seen it or its translation."""
    result: list[Judged] = []
    for fold in range(FOLDS):
        model = train([s for s in found if s.fold != fold])
        result += judged(model, [s for s in found if s.fold == fold], signs=signs)
    return result


def accuracy(results: Sequence[Judged], threshold: float) -> float:
    """Return the share of sentences that a threshold leaves right."""
    return sum(chosen(scores, threshold) == s.intent for s, scores in results) / len(results)


def calibrated(results: Sequence[Judged]) -> float:
    """Return the threshold under which most lines of a talk are right (`OTHER_SHARE`)."""
    other = [r for r in results if r[0].intent == "other"]
    rest = [r for r in results if r[0].intent != "other"]

    def right(threshold: float) -> float:
        share = OTHER_SHARE * accuracy(other, threshold)
        return share + (1 - OTHER_SHARE) * accuracy(rest, threshold)

    return max(THRESHOLDS, key=right)


def main() -> None:
    """Write the model file."""
    found = sentences()
    threshold = calibrated(cross_validated(found, signs=False))
    model = train(found, threshold)
    written = {
        "made_of": f"bench/mood/intent.tsv sha256 {hashlib.sha256(DATA.read_bytes()).hexdigest()}",
        "intents": INTENTS,
        "threshold": model.threshold,
        "bias": model.bias,
        "weights": model.weights,
    }
    text = json.dumps(written, ensure_ascii=False, separators=(",", ":"))
    MODEL.write_text(text.replace('],"', '],\n"') + "\n")
    print(f"{MODEL.name}: {len(model.weights)} features, threshold {threshold}")


if __name__ == "__main__":
    main()
