"""Teaches PocketSphinx's decoders a talk's own words, beside the model they come with.

Each phrase becomes one word of the decoder's dictionary with a probability of its own, so that
the packaged language model keeps all it knows: why this, and not a model mixed anew, is told in
docs/why/010-the-talks-own-words.md.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pocketsphinx import Decoder, get_model_path

from parola.domain.key_phrases import unusual_words
from parola.domain.terms import Terms
from parola.engines.pronunciation import Phones, Pronouncer

PHRASE_PROBABILITY = 3e-4
"""Of each phrase that was given, and of each name in the text. Chosen: a few values were tried on
the talks of docs/reference/vocabulary.md, which shows what this one achieves there."""

PART_PROBABILITY = 1e-4
"""Of each word of a phrase, by itself."""

WORD_PROBABILITY = 1e-4
"""Of each unusual word of the text."""

COMMON = 1e-5
"""What the packaged model expects at least this often needs no help."""

MOST_ENTRIES = 300
"""The model's own words keep most of their probability, and a stream begins within seconds."""

MODEL_WORDS = 72_547
"""Of the packaged model. Source: the head of its file, en-us.lm.bin."""

_SPLIT = re.compile(r"[\s/_\u2013\u2014-]+")
_EDGES = re.compile(r"^[^\w]+|[^\w+#]+$")
_TOKEN = re.compile(r"#(\d+)(?:\(\d+\))?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One phrase as the decoder knows it."""

    words: tuple[str, ...]
    """As people write them."""

    phones: tuple[Phones, ...]
    """How each of them is said."""

    probability: float


@dataclass(frozen=True, slots=True)
class Part:
    """One word of a phrase, and its share of the phrase's time."""

    text: str
    begin: float
    """0 is where the phrase begins, 1 where it ends."""

    end: float


class Lexicon:
    """The entries that a stream's decoders were taught."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.entries = tuple(entries)

    def teach(self, decoder: Decoder) -> None:
        """Add the entries to a decoder; it must not be within an utterance."""
        model = decoder.get_lm("_default")
        for number, entry in enumerate(self.entries):
            token = f"#{number}"
            # A new word's probability is its weight over the number of the model's own words.
            model.add_word(token, entry.probability * MODEL_WORDS)
            phones = " ".join(phone for word in entry.phones for phone in word)
            decoder.add_word(token, phones, number + 1 == len(self.entries))

    def parts(self, token: str) -> tuple[Part, ...]:
        """Return the words that a decoder's word stands for."""
        match = _TOKEN.fullmatch(token)
        if not match:
            return (Part(token, 0.0, 1.0),)
        entry = self.entries[int(match[1])]
        total = sum(map(len, entry.phones))
        parts, done = [], 0
        for text, phones in zip(entry.words, entry.phones, strict=True):
            parts.append(Part(text, done / total, (done + len(phones)) / total))
            done += len(phones)
        return tuple(parts)


def learn(terms: Terms, decoder: Decoder) -> Lexicon:
    """Return a lexicon of a talk's own words, for decoders with this one's model."""
    if not terms:
        return Lexicon()
    dictionary = Path(get_model_path()) / "en-us" / "cmudict-en-us.dict"
    pronouncer = Pronouncer(dictionary.read_text(encoding="utf-8"))
    model, logs = decoder.get_lm("_default"), decoder.get_logmath()

    def probability(word: str) -> float:
        known = decoder.lookup_word(word.lower()) is not None
        return float(logs.exp(model.prob([word.lower()]))) if known else 0.0

    wanted: dict[tuple[str, ...], float] = {}
    for words in map(_words, terms.phrases):
        wanted.setdefault(words, PHRASE_PROBABILITY)
        for word in words if len(words) > 1 else ():
            wanted.setdefault((word,), PART_PROBABILITY)
    for word in unusual_words(terms.text, lambda word: probability(word) >= COMMON):
        if not any(part.lower() == word for words in wanted for part in words):
            wanted.setdefault((word,), WORD_PROBABILITY)
    rare = (
        (words, share)
        for words, share in wanted.items()
        if len(words) > 1 or (words and probability(words[0]) < min(share, COMMON))
    )
    return Lexicon(list(islice(_entries(rare, pronouncer), MOST_ENTRIES)))


def _entries(
    wanted: Iterator[tuple[tuple[str, ...], float]], pronouncer: Pronouncer
) -> Iterator[Entry]:
    for words, share in wanted:
        phones = tuple(map(pronouncer.pronounce, words))
        # What cannot be said in English sounds is not listened for.
        if all(phones):
            yield Entry(words, phones, share)


def _words(phrase: str) -> tuple[str, ...]:
    return tuple(word for part in _SPLIT.split(phrase) if (word := _EDGES.sub("", part)))
