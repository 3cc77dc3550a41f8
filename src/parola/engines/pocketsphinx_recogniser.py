"""PocketSphinx on one stream: guesses while somebody speaks, a second look at every pause.

Runs in a worker process: PocketSphinx holds the interpreter's lock while it searches. What is
chosen here was measured: docs/why/002-gate-and-two-passes.md and docs/reference/accuracy.md.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pocketsphinx import Config, Decoder

from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk, to_frames
from parola.domain.terms import Terms
from parola.domain.transcript import Hypothesis, Settled, Word
from parola.engines.pocketsphinx_lexicon import Lexicon, learn
from parola.engines.pocketsphinx_shelf import Shelf
from parola.engines.worker_process import Opener
from parola.ports import EngineEvent, StreamRequest

MAX_UTTERANCE = to_frames(15)
"""Frames. Whoever speaks longer without a pause is cut between two words."""

CUT_WITHIN = to_frames(6)
"""Frames before the end of a long utterance in which a cut is looked for."""

UNFINISHED = to_frames(0.7)
"""Frames at the end of a long utterance in which words may be unfinished: left to the next."""

STEP = to_frames(0.2)
"""Frames between two looks at the live guess."""

SETTLE_EVERY = to_frames(1)
"""Frames of silence after which `Settled` is said again."""

DECODER_FRAME = RATE_HZ // 100
"""PocketSphinx counts time in steps of 10 ms."""

CMN_INIT = "53.18,4.07,-1.91,7.42,-6.07,-1.14,-8.62,-4.17,-1.91,-2.04,0.79,-1.5,2.51"
"""The mean cepstrum of speech at `Loudness.TARGET_RMS`, measured. From the model's own start
(40,3,-1) the live pass takes seconds to find it, at a cost of 6 to 9 points of WER."""

_NOT_A_WORD = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_VARIANT = re.compile(r"\(\d+\)$")


@dataclass(frozen=True, slots=True)
class Decoders:
    """The two passes' decoders, 105 MB each; forked workers share what they do not write to."""

    live: Decoder
    """Fast and bounded: in noise the default search takes five times as long."""

    second: Decoder
    """Careful, and it knows how sure it is of each word: only `bestpath` gives posteriors.

    Bounded too: unbounded it is no better and takes twice the time, in noise much more."""

    lexicon: Lexicon = field(default_factory=Lexicon)
    """The talk's own words that both were taught."""


def build() -> Decoders:
    """Build both decoders with the American English model that the package carries."""
    common = {"fwdflat": False, "loglevel": "FATAL", "cmninit": CMN_INIT}
    return Decoders(
        live=Decoder(Config(maxhmmpf=3000, bestpath=False, **common)),
        second=Decoder(Config(maxhmmpf=6000, bestpath=True, **common)),
    )


def taught(decoders: Decoders, terms: Terms, shelf: Shelf | None = None) -> Decoders:
    """Teach the decoders a talk's own words; in a worker they are that stream's alone."""

    def build_vocabulary(terms: Terms) -> Lexicon:
        return learn(terms, decoders.second)

    lexicon = shelf.find(terms, build_vocabulary) if shelf and terms else build_vocabulary(terms)
    if lexicon.entries:
        lexicon.teach(decoders.live)
        lexicon.teach(decoders.second)
    return replace(decoders, lexicon=lexicon)


def make() -> Opener:
    """Build the decoders for all streams: what a worker process is told to call."""
    decoders = build()
    # Gone with the process that builds the model: the workers only fill it.
    folder = TemporaryDirectory(prefix="parola-words-")

    def begin(request: StreamRequest) -> PocketSphinxRecogniser:
        shelf = Shelf(Path(folder.name))
        return PocketSphinxRecogniser(taught(decoders, request.terms, shelf), request)

    return begin


class Loudness:
    """Brings a source's speech to the loudness that `CMN_INIT` was measured at."""

    TARGET_RMS = 3000.0
    """Root mean square (of 32,767) of the louder fifth of speech."""

    BLOCK = DECODER_FRAME * 2
    MEMORY_BLOCKS = 500
    """Ten seconds of speech: a source is followed, a word is not."""

    def __init__(self) -> None:
        self._rms = np.zeros(0)

    def level(self, pcm: bytes) -> bytes:
        """Return the speech, of any length, at the loudness of speech, clipped where it must be."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        blocks = samples[: len(samples) // self.BLOCK * self.BLOCK].reshape(-1, self.BLOCK)
        self._rms = np.append(self._rms, np.sqrt(np.mean(blocks**2, axis=1)))[-self.MEMORY_BLOCKS :]
        louder = float(np.percentile(self._rms, 80)) if len(self._rms) else 0.0
        gain = self.TARGET_RMS / max(louder, 30.0)
        levelled: bytes = np.clip(samples * gain, -32768, 32767).astype("<i2").tobytes()
        return levelled


class PocketSphinxRecogniser:
    """One stream: utterances from the gate's border to its next, or cut at `MAX_UTTERANCE`."""

    def __init__(self, decoders: Decoders, request: StreamRequest) -> None:
        self._decoders = decoders
        self._loudness = Loudness()
        self._utterance: Utterance | None = None
        self._settled = request.first_frame
        self._heard = request.first_frame

    def accept(self, chunk: AudioChunk) -> Iterator[EngineEvent]:
        """Yield what a chunk brings: guesses while voiced, a final at the end of the voice."""
        self._heard = chunk.end_frame
        if not chunk.voiced:
            yield from self._close()
            if chunk.end_frame - self._settled >= SETTLE_EVERY:
                yield self._settle(chunk.end_frame)
            return
        while chunk.frames:
            step, chunk = chunk.cut(chunk.first_frame + STEP)
            yield from self._hear(step.first_frame, self._loudness.level(step.pcm))

    def finish(self) -> Iterator[EngineEvent]:
        """Yield the last final."""
        yield from self._close()
        if self._heard > self._settled:
            yield self._settle(self._heard)

    def _hear(self, first_frame: int, pcm: bytes) -> Iterator[EngineEvent]:
        if self._utterance is None:
            self._utterance = Utterance(self._decoders, first_frame)
        yield from self._utterance.add(pcm)
        if self._utterance.frames >= MAX_UTTERANCE:
            final, rest = self._utterance.cut()
            yield from final
            self._utterance = None
            yield self._settle(self._heard - len(rest) // FRAME_BYTES)
            yield from self._hear(self._settled, rest)

    def _close(self) -> Iterator[EngineEvent]:
        """End the utterance there is."""
        if self._utterance:
            yield from self._utterance.finish()
            yield self._settle(self._utterance.end_frame)
            self._utterance = None

    def _settle(self, frame: int) -> Settled:
        self._settled = frame
        return Settled(frame)


class Utterance:
    """One stretch of speech: the live pass as it comes, the second pass at its end."""

    def __init__(self, decoders: Decoders, first_frame: int) -> None:
        self.first_frame = first_frame
        self._live = decoders.live
        self._second = decoders.second
        self._lexicon = decoders.lexicon
        self._pcm = bytearray()
        self._looked = 0
        self._shown = ""
        self._live.start_utt()

    @property
    def frames(self) -> int:
        """How long it is by now."""
        return len(self._pcm) // FRAME_BYTES

    @property
    def end_frame(self) -> int:
        """The first frame after what was heard of it."""
        return self.first_frame + self.frames

    def add(self, pcm: bytes) -> Iterator[Hypothesis]:
        """Search on; yield the guess when it has changed."""
        self._pcm += pcm
        self._live.process_raw(pcm)
        if self.frames - self._looked < STEP:
            return
        self._looked = self.frames
        words = tuple(replace(word, confidence=None) for word in self._words(self._live))
        text = " ".join(word.text for word in words)
        if text != self._shown:
            self._shown = text
            yield Hypothesis(text, self.first_frame, self.end_frame, words=words)

    def finish(self) -> Iterator[Hypothesis]:
        """Yield the final, unless there is nothing to say and nothing was said."""
        yield from self._final(self._second_pass(), self.end_frame)

    def cut(self) -> tuple[list[Hypothesis], bytes]:
        """End it before its end, between two words; return the final and the audio left over."""
        words = self._second_pass()
        frame = cutting_place(words, self.end_frame)
        before = tuple(
            replace(word, end_frame=min(word.end_frame, frame))
            for word in words
            if word.start_frame < frame
        )
        rest = bytes(self._pcm[(frame - self.first_frame) * FRAME_BYTES :])
        return list(self._final(before, frame)), rest

    def _final(self, words: tuple[Word, ...], end_frame: int) -> Iterator[Hypothesis]:
        text = " ".join(word.text for word in words)
        if text or self._shown:
            yield Hypothesis(text, self.first_frame, end_frame, is_final=True, words=words)

    def _second_pass(self) -> tuple[Word, ...]:
        """Search the whole utterance anew, normalised by its own mean.

        The live pass goes on from that mean: who speaks next is mostly who spoke last.
        """
        self._live.end_utt()
        live = self._words(self._live)
        self._second.start_utt()
        self._second.process_raw(bytes(self._pcm), full_utt=True)
        self._second.end_utt()
        words = self._words(self._second)
        if words:
            self._live.set_cmn(self._second.get_cmn())
        return tuple(
            replace(word, confidence=confidence(word.confidence or 0.0, agreed=_in(live, word)))
            for word in words
        )

    def _words(self, decoder: Decoder) -> tuple[Word, ...]:
        """Return a decoder's words and posteriors on the session's clock, without fillers."""
        words: list[Word] = []
        for part in decoder.seg() or ():
            if _NOT_A_WORD.fullmatch(part.word):
                continue
            start = self.first_frame + part.start_frame * DECODER_FRAME
            frames = (part.end_frame + 1 - part.start_frame) * DECODER_FRAME
            words += [
                Word(
                    text=own.text,
                    start_frame=min(start + round(frames * own.begin), self.end_frame),
                    end_frame=min(start + round(frames * own.end), self.end_frame),
                    confidence=part.prob,
                )
                for own in self._lexicon.parts(_VARIANT.sub("", part.word))
            ]
        return tuple(words)


def confidence(posterior: float, *, agreed: bool) -> float:
    """Return how probable it is that a final word is right, 0 to 1.

    The second pass's own posterior is too modest when low and too bold when high; whether the
    live pass heard the same word at the same time says about as much. A logistic fit of the two
    on 486 words, checked on 354 others: area under the curve .85 (posterior alone .81), Brier
    score .15 (.19).
    """
    bounded = min(max(posterior, 0.005), 0.995)
    evidence = -0.5 + 0.24 * math.log(bounded / (1 - bounded)) + 1.47 * agreed
    return round(1 / (1 + math.exp(-evidence)), 3)


def _in(heard: tuple[Word, ...], word: Word) -> bool:
    """Return whether the other pass heard the same word while this one was spoken."""
    return any(
        other.text == word.text
        and other.start_frame < word.end_frame
        and word.start_frame < other.end_frame
        for other in heard
    )


def cutting_place(words: tuple[Word, ...], end_frame: int) -> int:
    """Return the frame at which to cut an utterance that will not end.

    The middle of the longest gap between words near the end, or else the start of the first word
    that may be unfinished; never more than `CUT_WITHIN` before the end, so that what is left over
    is shorter than what was cut.
    """
    finished = end_frame - UNFINISHED
    gaps = [
        (after.start_frame - before.end_frame, (before.end_frame + after.start_frame) // 2)
        for before, after in pairwise(words)
        if end_frame - CUT_WITHIN <= before.end_frame and after.start_frame <= finished
    ]
    longest, place = max(gaps, default=(0, 0))
    if longest:
        return place
    first = min([finished, *(word.start_frame for word in words if word.end_frame > finished)])
    return max(first, end_frame - CUT_WITHIN)
