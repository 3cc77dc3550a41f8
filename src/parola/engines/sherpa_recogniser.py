"""One stream through sherpa-onnx: sound in, tokens out, words and utterances made of them.

The worker decodes many streams at once; this knows one. While the gate hears nobody and the last
utterance has ended, nothing is computed.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from parola.domain.audio import RATE_HZ, AudioChunk, to_frames
from parola.domain.transcript import Hypothesis, Settled, Word
from parola.engines.sherpa_model import Model
from parola.ports import EngineEvent, StreamRequest

SETTLE_EVERY = to_frames(1)
"""Frames of silence after which `Settled` is said again."""

TOKEN_S = 0.2
"""How long a word's last token is taken to sound, unless the next begins sooner: a syllable."""

LEAD_S = 0.3
"""How long before its first token an utterance is taken to begin: tokens come out late."""

TAIL_S = 0.66
"""Silence after the last sound, so that the last word comes out. Source: upstream's examples."""

WORD_START = "▁"
_SYNTAX = str.maketrans("/:#@\n", "     ")
"""What sherpa-onnx reads as its own in a list of hotwords."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What sherpa-onnx has for the utterance so far."""

    tokens: tuple[str, ...]
    starts_s: tuple[float, ...]
    """On the stream's own clock."""

    log_probabilities: tuple[float, ...]
    """As many as tokens, or none where the kind of model has none."""


class SherpaRecogniser:
    """One stream. Call `feed`, then decode while `ready`, then `look`; or `finish` at the end."""

    def __init__(self, model: Model, recogniser: Any, request: StreamRequest, beam: bool) -> None:  # noqa: ANN401 - sherpa-onnx has no types
        self._model = model
        self._recogniser = recogniser
        self._request = request
        self._beam = beam
        self._hotwords = hotwords(model, request.terms.phrases) if beam else ""
        self.stream: Any = None
        """sherpa-onnx's own; None while there is nothing to listen to."""
        self._zero = request.first_frame
        """The frame at which sherpa-onnx's clock for `stream` stands at 0."""
        self._heard = request.first_frame
        self._voiced = False
        self._settled = request.first_frame
        self._first: int | None = None
        self._shown = ""

    @property
    def ready(self) -> bool:
        """Whether there is enough sound for a look."""
        return self.stream is not None and self._recogniser.is_ready(self.stream)

    def feed(self, chunk: AudioChunk) -> Iterator[EngineEvent]:
        """Take a chunk; yields only where it does not follow on the last one."""
        if self.stream is not None and chunk.first_frame != self._heard:
            yield from self._close()
        self._heard, self._voiced = chunk.end_frame, chunk.voiced
        if self.stream is None:
            if not chunk.voiced:
                return
            self._open(chunk.first_frame)
        samples = np.frombuffer(chunk.pcm, "<i2").astype(np.float32) / 32768
        self.stream.accept_waveform(RATE_HZ, samples)

    def look(self) -> Iterator[EngineEvent]:
        """Yield what is new now that everything ready was decoded."""
        if self.stream is None:
            if self._heard - self._settled >= SETTLE_EVERY:
                yield self._settle(self._heard)
            return
        if not self._recogniser.is_endpoint(self.stream):
            yield from self._partial()
            return
        yield from self._final()
        self._recogniser.reset(self.stream)
        reached = self._frame(self._recogniser.start_time(self.stream))
        if not self._voiced:
            # The endpoint's rules have let enough silence through: nothing is left inside.
            self.stream, reached = None, self._heard
        yield self._settle(min(max(reached, self._settled), self._heard))

    def finish(self) -> Iterator[EngineEvent]:
        """Yield the last final."""
        yield from self._close()
        if self._heard > self._settled:
            yield self._settle(self._heard)

    def _open(self, first_frame: int) -> None:
        self.stream = self._recogniser.create_stream(self._hotwords or None)
        self._zero = first_frame
        if prompt := language_prompt(self._model, self._request.language):
            self.stream.set_option("language", prompt)

    def _close(self) -> Iterator[EngineEvent]:
        """End the utterance there is, with silence after it."""
        if self.stream is None:
            return
        silence = np.zeros(to_frames(TAIL_S + self._model.window_s), np.float32)
        self.stream.accept_waveform(RATE_HZ, silence)
        self.stream.input_finished()
        while self.ready:
            self._recogniser.decode_streams([self.stream])
        yield from self._final()
        self.stream = None
        yield self._settle(self._heard)

    def _partial(self) -> Iterator[Hypothesis]:
        words = self._words(stable=not self._beam)
        text = " ".join(word.text for word in words)
        if text != self._shown:
            self._shown = text
            yield self._hypothesis(words, is_final=False)

    def _final(self) -> Iterator[Hypothesis]:
        words = self._words(stable=True)
        if words or self._shown:
            yield self._hypothesis(words, is_final=True)
        self._shown, self._first = "", None

    def _hypothesis(self, words: tuple[Word, ...], *, is_final: bool) -> Hypothesis:
        if self._first is None:
            begins = words[0].start_frame if words else self._heard
            self._first = max(begins - to_frames(LEAD_S), self._settled, self._zero)
        text = " ".join(word.text for word in words)
        first = self._first
        kept = tuple(replace(w, start_frame=max(w.start_frame, first)) for w in words)
        if not is_final and kept:
            # The newest word may still grow by a piece.
            kept = (*kept[:-1], replace(kept[-1], stable=False))
        return Hypothesis(text, first, max(self._heard, first), is_final=is_final, words=kept)

    def _settle(self, frame: int) -> Settled:
        self._settled = frame
        return Settled(frame)

    def _frame(self, seconds: float) -> int:
        return self._zero + to_frames(seconds)

    def _words(self, *, stable: bool) -> tuple[Word, ...]:
        result = self._recogniser.get_result_all(self.stream)
        begun_s = result.start_time
        guess = Guess(
            tuple(result.tokens),
            tuple(begun_s + at for at in result.timestamps),
            tuple(result.ys_probs),
        )
        return tuple(
            Word(
                word.text.lower() if self._model.shouts else word.text,
                min(max(self._frame(word.start_s), self._settled), self._heard),
                min(max(self._frame(word.end_s), self._settled), self._heard),
                word.confidence,
                stable,
            )
            for word in words_of(guess)
        )


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word on the stream's own clock."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None


def words_of(guess: Guess) -> Iterator[TimedWord]:
    """Yield the words that the tokens spell.

    A word begins at a token that starts with "▁" or a space. Its confidence is the geometric mean
    of its tokens' probabilities: nobody has calibrated it.
    """
    count = len(guess.tokens)
    begins = [
        at
        for at, token in enumerate(guess.tokens)
        if at == 0 or token.startswith((WORD_START, " "))
    ]
    for start, end in pairwise([*begins, count]):
        text = "".join(guess.tokens[start:end]).replace(WORD_START, " ").strip()
        if not text:
            continue
        last_s = guess.starts_s[end - 1] + TOKEN_S
        yield TimedWord(
            text,
            guess.starts_s[start],
            min(last_s, guess.starts_s[end]) if end < count else last_s,
            _confidence(guess.log_probabilities[start:end], count, len(guess.log_probabilities)),
        )


def _confidence(of_word: tuple[float, ...], tokens: int, known: int) -> float | None:
    if known != tokens or not of_word:
        return None
    return round(min(math.exp(sum(of_word) / len(of_word)), 1.0), 3)


def hotwords(model: Model, phrases: tuple[str, ...]) -> str:
    """Return the phrases as sherpa-onnx takes them, without those the model cannot spell.

    A phrase with a letter that is in no token costs all the others.
    """
    letters = set("".join(model.tokens)) | {" "}
    written = []
    for phrase in phrases:
        text = " ".join(phrase.translate(_SYNTAX).split())
        text = text.upper() if model.shouts else text
        if text and set(text) <= letters:
            written.append(text)
    return "/".join(dict.fromkeys(written))


def language_prompt(model: Model, language: str) -> str | None:
    """Return the model's own word for a language, for models that want to be told which.

    Source: the encoder's `prompt_dictionary`, a JSON object from language to number.
    """
    try:
        known = json.loads(model.metadata.get("prompt_dictionary", "{}"))
    except ValueError:
        return None
    base = language.split("-", 1)[0]
    fits = [key for key in known if key in {language, base} or key.startswith(f"{base}-")]
    return min(fits, key=lambda key: (key != language, key != base, key), default=None)
