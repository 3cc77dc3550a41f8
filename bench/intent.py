"""How often the model of intents is right, by cross-validation and on sentences written afterwards.

    python -m bench.intent

Each sentence is judged by a model that has seen neither it nor its translation, without signs (as
the embedded engine writes) and with them. Rows are what was meant, columns what was said.
"""

from collections import Counter
from collections.abc import Sequence

from bench.mood.train import TEST, Judged, accuracy, calibrated, cross_validated, judged, sentences
from parola.analysts.local import intents
from parola.domain.intent import INTENTS, chosen


def table(results: Sequence[Judged], threshold: float) -> None:
    """Print the confusion table, with precision and recall."""
    counts = Counter((s.intent, chosen(scores, threshold)) for s, scores in results)
    print("| meant \\ said | " + " | ".join(INTENTS) + " | recall |")
    print("|---|" + "---:|" * (len(INTENTS) + 1))
    for row in INTENTS:
        cells = [counts[row, column] for column in INTENTS]
        print(f"| {row} | {' | '.join(map(str, cells))} | {counts[row, row] / sum(cells):.2f} |")
    said = {column: sum(counts[row, column] for row in INTENTS) for column in INTENTS}
    precision = [f"{counts[c, c] / said[c]:.2f}" if said[c] else "–" for c in INTENTS]
    print(f"| precision | {' | '.join(precision)} | |")


def main() -> None:
    """Print all of it."""
    found = sentences()
    plain, signed = (cross_validated(found, signs=signs) for signs in (False, True))
    threshold = calibrated(plain)
    model = intents()
    assert model.threshold == threshold, "run python -m bench.mood.train"
    print(f"{len(found)} sentences, ten folds, threshold {threshold}")
    for name, results in (("without signs", plain), ("with signs", signed)):
        parts = {lang: [r for r in results if r[0].language == lang] for lang in ("en", "it")}
        by = ", ".join(f"{lang} {accuracy(part, threshold):.3f}" for lang, part in parts.items())
        print(f"{name}: accuracy {accuracy(results, threshold):.3f} ({by})")
    table(plain, threshold)
    fresh = judged(model, sentences(TEST), signs=False)
    print(f"\n{len(fresh)} sentences written afterwards: {accuracy(fresh, threshold):.3f}")
    table(fresh, threshold)


if __name__ == "__main__":
    main()
