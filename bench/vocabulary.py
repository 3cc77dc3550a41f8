"""What the talk's own words are worth: `python -m bench.vocabulary`.

Each talk of vocabulary_talks.toml is recognised without and with its terms, by the embedded engine
behind Parola's gate. Then the shorter English recordings are recognised with the terms of a talk
that is about something else, to see what that costs. With `--write` the results go into
docs/reference/vocabulary.md.
"""

import argparse
import random
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jiwer
from pocketsphinx import get_model_path
from whisper_normalizer.english import EnglishTextNormalizer

from bench.accuracy_runs import Recording, parola, recordings
from parola.domain.key_phrases import with_names
from parola.domain.terms import Terms
from parola.engines.pocketsphinx_recogniser import build, taught
from parola.engines.pronunciation import Pronouncer

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT.parent / "shared" / "audio"
TALKS = Path(__file__).parent / "vocabulary_talks.toml"
PAGE = ROOT / "docs" / "reference" / "vocabulary.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

FOREIGN_S = 9.0
"""Longest recording that is recognised with a foreign talk's terms: the run ends within minutes."""

GUESSED = 1000
"""Dictionary words whose pronunciation is guessed without them."""


@dataclass(frozen=True, slots=True)
class Score:
    """Errors over some recordings."""

    words: int
    wrong: int
    own: int
    """Words of the terms that were said."""

    own_right: int
    own_invented: int
    """Words of the terms that were shown and not said."""

    @property
    def wer(self) -> float:
        """Word error rate."""
        return self.wrong / max(self.words, 1)


def heard(files: list[Recording], terms: Terms) -> list[str]:
    """Return what is shown of each recording, in a process that forgets the terms."""
    with get_context("fork").Pool(1) as pool:
        return pool.apply(_heard, (files, terms))


def _heard(files: list[Recording], terms: Terms) -> list[str]:
    # What decoders were taught stays: each set of terms has decoders of its own.
    decoders = taught(build(), with_names(terms))
    return [parola(recording, decoders)[1].text for recording in files]


def score(pairs: Iterable[tuple[Recording, str]], terms: Terms) -> Score:
    """Return the errors in what was shown."""
    normal = EnglishTextNormalizer()
    own = set(normal(" ".join(terms.phrases)).split())
    words = wrong = said = right = invented = 0
    for recording, text in pairs:
        measured = jiwer.process_words(normal(recording.reference), normal(text) or "-")
        words += sum(map(len, measured.references))
        wrong += measured.substitutions + measured.deletions + measured.insertions
        reference, shown = measured.references[0], measured.hypotheses[0]
        said += sum(word in own for word in reference)
        hits = sum(
            word in own
            for chunk in measured.alignments[0]
            if chunk.type == "equal"
            for word in reference[chunk.ref_start_idx : chunk.ref_end_idx]
        )
        right += hits
        invented += sum(word in own for word in shown) - hits
    return Score(words, wrong, said, right, invented)


def _terms(fields: dict[str, Any]) -> Terms:
    return Terms(tuple(fields["phrases"]), fields["text"].strip())


def _row(name: str, without: Score, with_: Score) -> str:
    return (
        f"| {name} | {with_.words} | {without.wer:.1%} | {with_.wer:.1%} "
        f"| {without.own_right} of {with_.own} | {with_.own_right} of {with_.own} "
        f"| {with_.own_invented} |"
    )


def _talks(talks: list[dict[str, Any]], every: dict[str, Recording]) -> list[str]:
    rows, pooled = [], ([], [])  # type: tuple[list[str], tuple[list[Score], list[Score]]]
    for talk in talks:
        files, terms = [every[file] for file in talk["files"]], _terms(talk)
        scores = [
            score(zip(files, heard(files, known), strict=True), terms) for known in (Terms(), terms)
        ]
        rows.append(_row(talk["name"], *scores))
        print(rows[-1], flush=True)
        for pool, one in zip(pooled, scores, strict=True):
            pool.append(one)
    rows.append(_row("**all**", *map(_sum, pooled)))
    print(rows[-1], flush=True)
    return rows


def _sum(scores: list[Score]) -> Score:
    return Score(
        sum(s.words for s in scores),
        sum(s.wrong for s in scores),
        sum(s.own for s in scores),
        sum(s.own_right for s in scores),
        sum(s.own_invented for s in scores),
    )


def _foreign(terms: Terms, files: list[Recording]) -> list[str]:
    scores = [
        score(zip(files, heard(files, known), strict=True), terms) for known in (Terms(), terms)
    ]
    row = _row(f"{len(files)} recordings, a foreign talk's terms", *scores)
    print(row, flush=True)
    return [row]


def _pronunciations() -> str:
    dictionary = Path(get_model_path()) / "en-us" / "cmudict-en-us.dict"
    text = dictionary.read_text(encoding="utf-8")
    pronouncer = Pronouncer(text)
    plain = sorted({line.split()[0] for line in text.splitlines()})
    words = [word for word in plain if word.isalpha() and len(word) > 3]
    chosen = random.Random(1).sample(words, GUESSED)  # noqa: S311 - a sample, no secret
    known = [" ".join(pronouncer.known(word) or ()) for word in chosen]
    guessed = [" ".join(pronouncer.pronounce(word, without=word)) for word in chosen]
    whole = sum(one == other for one, other in zip(known, guessed, strict=True))
    return (
        f"Of {GUESSED} words of the packaged dictionary, guessed without it, {whole / GUESSED:.0%} "
        f"are said exactly as there; {jiwer.wer(known, guessed):.1%} of all phones are wrong."
    )


def main() -> None:
    """Measure, print, and write if told to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/reference/vocabulary.md")
    parser.add_argument("--only", choices=["talks", "foreign", "pronunciations"])
    arguments = parser.parse_args()
    if not RECORDINGS.is_dir():
        sys.exit(f"There are no recordings in {RECORDINGS}.")
    fields = tomllib.loads(TALKS.read_text(encoding="utf-8"))
    files = recordings(RECORDINGS)
    every = {recording.file: recording for recording in files}
    rows = []
    if arguments.only in {None, "talks"}:
        rows += _talks(fields["talk"], every)
    if arguments.only in {None, "foreign"}:
        rows += _foreign(
            _terms(fields["foreign"]), [one for one in files if one.seconds <= FOREIGN_S]
        )
    said = _pronunciations() if arguments.only in {None, "pronunciations"} else ""
    print(said)
    if arguments.write and arguments.only is None:
        _write(rows, said)


def _write(rows: list[str], said: str) -> None:
    head = (
        "| Talk | words | WER without | WER with | its words right without | with | invented |\n"
        "|---|---|---|---|---|---|---|"
    )
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    body = "\n".join([BEGIN, "", head, *rows, "", said, "", END])
    PAGE.write_text(before + body + after, encoding="utf-8")


if __name__ == "__main__":
    main()
