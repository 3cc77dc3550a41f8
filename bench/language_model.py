"""What a language model of the talk would be worth: `python -m bench.language_model`.

The talks of vocabulary_talks.toml are recognised with their phrases, as shipped. For each
utterance, the second pass's best guesses are then ranked anew by a mix of the packaged language
model and one that the package's own `pocketsphinx_lm` makes of the talk's text. What came of it:
docs/why/010-the-talks-own-words.md.
"""

import math
import re
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jiwer
from pocketsphinx import Config, LogMath, NGramModel, get_model_path
from pocketsphinx.lm import ArpaBoLM
from whisper_normalizer.english import EnglishTextNormalizer

from bench.accuracy_runs import Recording, parola, recordings
from bench.vocabulary import RECORDINGS, TALKS
from parola.domain.key_phrases import with_names
from parola.domain.terms import Terms
from parola.domain.transcript import Word
from parola.engines import pocketsphinx_recogniser as recogniser
from parola.engines.pocketsphinx_lexicon import Lexicon

GUESSES = 200
SHARES = (0.02, 0.1, 0.3, 0.5)
"""Of the talk's model in the mix."""

WEIGHT = 6.5
"""Of the language model against the sound. Source: the decoder's own default."""

_LOGS = LogMath()
_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_NORMAL = EnglishTextNormalizer()

Guess = tuple[tuple[str, ...], float]
"""Words, and the decoder's own score in nats."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the second pass made of one utterance."""

    shown: str
    guesses: list[Guess]


class Listening(recogniser.Utterance):
    """Keeps the guesses of every second pass."""

    heard: list[Utterance] = []  # noqa: RUF012 - one process, one talk

    def _second_pass(self) -> tuple[Word, ...]:
        words = super()._second_pass()
        nats = math.log(_LOGS.exp(1))
        best = islice(self._second.nbest(), GUESSES)
        guesses = [(_words(g.hypstr, self._lexicon), g.score * nats) for g in best if g.hypstr]
        self.heard.append(Utterance(" ".join(word.text for word in words), guesses))
        return words


def _words(text: str, lexicon: Lexicon) -> tuple[str, ...]:
    plain = (re.sub(r"\(\d+\)$", "", token) for token in text.split())
    kept = (token for token in plain if not _FILLER.fullmatch(token))
    return tuple(part.text.lower() for token in kept for part in lexicon.parts(token))


def hear(talk: dict[str, Any], files: list[Recording]) -> list[list[Utterance]]:
    """Return the utterances of each recording, heard with the talk's phrases."""
    recogniser.Utterance = Listening  # type: ignore[misc]
    terms = with_names(Terms(tuple(talk["phrases"]), talk["text"]))
    decoders = recogniser.taught(recogniser.build(), terms)
    every = []
    for file in files:
        Listening.heard = []
        parola(file, decoders)
        every.append(Listening.heard)
    return every


class Mix:
    """The packaged model and the talk's, mixed word by word."""

    def __init__(self, talk: dict[str, Any]) -> None:
        text = "\n".join([*re.split(r"[.!?]\s+", talk["text"]), *talk["phrases"]])
        lines = [" ".join(re.findall(r"[a-z']+", line)) for line in text.lower().split("\n")]
        made = ArpaBoLM(text="\n".join(filter(None, lines)), add_start=True)
        made.compute()
        self._known = set(made.grams_1)
        packaged = Path(get_model_path()) / "en-us" / "en-us.lm.bin"
        self._packaged = NGramModel(Config(), _LOGS, str(packaged))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "talk.lm"
            made.write_file(str(file))
            self._talk = NGramModel(Config(), _LOGS, str(file))

    def nats(self, words: Iterable[str], share: float) -> float:
        """Return the log probability of a sentence."""
        history, total = ["<s>"], 0.0
        for word in (*words, "</s>"):
            gram = [word, *reversed(history[-2:])]
            probability = (1 - share) * float(_LOGS.exp(self._packaged.prob(gram)))
            if word in self._known:
                probability += share * float(_LOGS.exp(self._talk.prob(gram)))
            total += math.log(max(probability, 1e-12))
            history.append(word)
        return total

    def best(self, guesses: list[Guess], share: float) -> str:
        """Return the guess that is likeliest by the mix."""

        def total(guess: Guess) -> float:
            words, nats = guess
            return nats + WEIGHT * (self.nats(words, share) - self.nats(words, 0.0))

        return " ".join(max(guesses, key=total)[0])


def wrong(reference: str, shown: str) -> int:
    """Return how many words are wrong."""
    found = jiwer.process_words(_NORMAL(reference), _NORMAL(shown) or "-")
    return found.substitutions + found.deletions + found.insertions


def nearest(reference: str, heard: list[Utterance]) -> str:
    """Return the best choice of guesses there is, one utterance after the other."""
    chosen = [" ".join(one.guesses[0][0]) if one.guesses else one.shown for one in heard]
    for at, one in enumerate(heard):
        options = [" ".join(words) for words, _ in one.guesses] or [one.shown]

        def errors(option: str, at: int = at) -> int:
            return wrong(reference, " ".join([*chosen[:at], option, *chosen[at + 1 :]]))

        chosen[at] = min(options, key=errors)
    return " ".join(chosen)


def choices(mix: Mix, reference: str, heard: list[Utterance]) -> dict[str, str]:
    """Return a recording's text by every way to choose among the guesses."""

    def ranked(share: float) -> str:
        return " ".join(mix.best(one.guesses, share) if one.guesses else one.shown for one in heard)

    return {
        "shown": " ".join(one.shown for one in heard),
        "the decoder's own first": ranked(0.0),
        **{f"{share:.0%} of the talk's model": ranked(share) for share in SHARES},
        "nearest to the reference": nearest(reference, heard),
    }


def main() -> None:
    """Measure and print."""
    every = {recording.file: recording for recording in recordings(RECORDINGS)}
    words, errors = 0, Counter[str]()
    for talk in tomllib.loads(TALKS.read_text(encoding="utf-8"))["talk"]:
        files, mix = [every[file] for file in talk["files"]], Mix(talk)
        # What decoders were taught stays: each talk has a process of its own.
        with get_context("fork").Pool(1) as pool:
            heard = pool.apply(hear, (talk, files))
        for file, utterances in zip(files, heard, strict=True):
            words += len(_NORMAL(file.reference).split())
            for name, text in choices(mix, file.reference, utterances).items():
                errors[name] += wrong(file.reference, text)
        print(talk["name"], words, dict(errors), flush=True)
    print("| what is taken | WER |\n|---|---|")
    for name, count in errors.items():
        print(f"| {name} | {count / words:.1%} |")


if __name__ == "__main__":
    main()
