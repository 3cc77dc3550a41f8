"""How often a line's sentiment is right, beside VADER, and what a line costs.

    python -m bench.sentiment [--truth vaderSentiment-3.3.2.tar.gz]

Accuracy is the share of sentences whose label (positive, negative, neutral) is the one that their
writer gave. The sentences in `bench/mood` are our own, MIT; docs/reference/mood.md says what they
are and are not. `--truth` takes VADER's own release as `pip download --no-deps --no-binary :all:
vaderSentiment==3.3.2` brings it: in it are the tweets and snippets of reviews and editorials that
VADER was judged by (Hutto and Gilbert 2014, MIT), rated by twenty people each.
"""

import argparse
import io
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from bench.mood.train import TEST, sentences
from parola.analysts.local import read, sentiment
from parola.domain.sentiment import Label, label

HERE = Path(__file__).parent / "mood"
NAMES: dict[str, Label] = {"pos": "positive", "neg": "negative", "neu": "neutral"}
OWN = (
    ("Italian, ours, written after the lists", "it", "it-test.tsv"),
    ("Italian, ours, used to mend the lists", "it", "it-dev.tsv"),
    ("English, ours", "en", "en-test.tsv"),
)
TRUTH = {
    "tweets": "tweets, 4,200",
    "movieReviewSnippets": "film reviews",
    "amazonReviewSnippets": "product reviews",
    "nytEditorialSnippets": "newspaper editorials",
}
TIMED = 20_000

Judge = Callable[[str], float]
Labelled = list[tuple[Label, str]]


def own(name: str) -> Labelled:
    """Return the labels and texts of one of our files."""
    lines = (HERE / name).read_text().splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return [(NAMES[kind], text) for kind, text in rows]


def truth(release: Path) -> Iterator[tuple[str, Labelled]]:
    """Yield VADER's four sets; a text's label is that of its mean rating, from -4 to 4, over 4."""
    with tarfile.open(release) as outer:
        name = next(m for m in outer.getmembers() if m.name.endswith("hutto_ICWSM_2014.tar.gz"))
        part = outer.extractfile(name)
        assert part
        packed = part.read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as inner:
        for kind, told in TRUTH.items():
            member = next(m for m in inner.getmembers() if f"{kind}_GroundTruth" in m.name)
            part = inner.extractfile(member)
            assert part
            rows = [
                line.split("\t") for line in part.read().decode("utf-8", "replace").splitlines()
            ]
            yield told, [(label(float(row[1]) / 4), row[2]) for row in rows if len(row) == 3]


def accuracy(judge: Judge, labelled: Labelled) -> float:
    """Return the share of texts with the right label."""
    return sum(label(judge(text)) == kind for kind, text in labelled) / len(labelled)


def recalls(judge: Judge, labelled: Labelled) -> str:
    """Return how much of each label was found."""
    counts = Counter(kind for kind, _ in labelled)
    right = Counter(kind for kind, text in labelled if label(judge(text)) == kind)
    return " / ".join(f"{right[kind] / counts[kind]:.2f}" for kind in NAMES.values())


def microseconds(work: Callable[[str], object], texts: list[str]) -> float:
    """Return what one text costs."""
    work(texts[0])
    begin = time.perf_counter()
    for number in range(TIMED):
        work(texts[number % len(texts)])
    return (time.perf_counter() - begin) / TIMED * 1e6


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--truth", type=Path)
    release: Path | None = parser.parse_args().truth
    vader = SentimentIntensityAnalyzer()

    def vaders(text: str) -> float:
        return float(vader.polarity_scores(text)["compound"])

    print("| sentences | | Parola | VADER | Parola: positive / negative / neutral found |")
    print("|---|---:|---:|---:|---|")
    for told, language, name in OWN:
        row(told, own(name), sentiment(language).score, vaders)
    for told, labelled in truth(release) if release else ():
        row(f"English, {told}", labelled, sentiment("en").score, vaders)
    for language in ("en", "it"):
        texts = [s.text for s in sentences(TEST) if s.language == language]
        alone = microseconds(sentiment(language).score, texts)
        both = microseconds(partial(read, language), texts)
        print(
            f"{language}: sentiment {alone:.0f} us a line, "
            f"with intent {both:.0f} us; VADER {microseconds(vaders, texts):.0f} us"
        )


def row(told: str, labelled: Labelled, ours: Judge, vaders: Judge) -> None:
    """Print one line of the table."""
    print(
        f"| {told} | {len(labelled)} | {accuracy(ours, labelled):.3f} | "
        f"{accuracy(vaders, labelled):.3f} | {recalls(ours, labelled)} |"
    )


if __name__ == "__main__":
    main()
