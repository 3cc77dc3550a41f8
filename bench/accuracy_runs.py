"""Runs recordings through PocketSphinx as it comes and through Parola's own gate and two passes."""

import csv
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pocketsphinx import Decoder

from parola.audio.gate import Gate, GateSettings
from parola.audio.silero import SileroDetector
from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk, to_frames
from parola.domain.transcript import Hypothesis, Word
from parola.domain.vocabulary import Language
from parola.engines.pocketsphinx_recogniser import Decoders, PocketSphinxRecogniser
from parola.live.calibration import threshold_for
from parola.live.evidence import Evidence
from parola.ports import EngineEvent, StreamRequest

CHUNK = to_frames(0.1)
"""Frames: audio comes in chunks of 100 ms, as from a microphone."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of the manifest."""

    file: str
    group: str
    reference: str
    pcm: bytes

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pcm) / FRAME_BYTES / RATE_HZ


@dataclass(slots=True)
class Run:
    """What one setting made of one recording."""

    text: str
    cpu_s: float
    partial_latencies_s: list[float] = field(default_factory=list)
    """For each final word that was shown before: from its end to its first showing."""

    final_latencies_s: list[float] = field(default_factory=list)
    """For each final: from the end of its last word to its coming."""

    gate_cpu_s: float = 0.0
    """What the voice detection took, in the server's process; not in `cpu_s`."""


def recordings(folder: Path, language: str = "en") -> list[Recording]:
    """Return the manifest's speech in a language."""
    with (folder / "manifest.tsv").open(encoding="utf-8") as lines:
        rows = [r for r in csv.DictReader(lines, delimiter="\t") if r["lang"] == language]
    return [Recording(r["file"], r["group"], r["ref"], _pcm(folder / r["file"])) for r in rows]


def _pcm(file: Path) -> bytes:
    with wave.open(str(file)) as sound:
        if (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) != (RATE_HZ, 1, 2):
            raise ValueError(f"{file} is not 16 kHz, mono, 16 bit")
        frames: bytes = sound.readframes(sound.getnframes())
        return frames


def _chunks(pcm: bytes) -> Iterator[AudioChunk]:
    for at in range(0, len(pcm), CHUNK * FRAME_BYTES):
        yield AudioChunk(at // FRAME_BYTES, pcm[at : at + CHUNK * FRAME_BYTES])


def stock(recording: Recording) -> Run:
    """Run PocketSphinx as its documentation shows it: defaults, the whole file as one utterance."""
    decoder = Decoder(loglevel="FATAL")
    begun = time.process_time()
    decoder.start_utt()
    for chunk in _chunks(recording.pcm):
        decoder.process_raw(chunk.pcm)
    decoder.end_utt()
    text = decoder.hyp().hypstr if decoder.hyp() else ""
    return Run(text, time.process_time() - begun)


def parola(
    recording: Recording, decoders: Decoders, settings: GateSettings | None = None
) -> tuple[Run, Run]:
    """Return the live pass's run, and the run of both passes: what Parola ships."""
    session = _Session(Gate(SileroDetector(), settings), decoders)
    for chunk in _chunks(recording.pcm):
        session.hear(chunk)
    return session.end()


class _Session:
    """Gate and recogniser on a simulated clock.

    Audio comes at its own pace, one core works on it, and nothing is waited for: the CPU time
    that a step took is the time it takes. So a backlog shows in the latencies.
    """

    def __init__(self, gate: Gate, decoders: Decoders) -> None:
        self._gate = gate
        self._evidence = Evidence(gate.speech, threshold_for("pocketsphinx"))
        request = StreamRequest(Language("en-US"), "bench")
        self._recogniser = PocketSphinxRecogniser(decoders, request)
        self._now_s = 0.0
        self._live = Run("", 0.0)
        self._both = Run("", 0.0)
        self._guesses: list[tuple[float, tuple[Word, ...]]] = []
        """When each guess of this utterance was shown, and its words."""

    def hear(self, chunk: AudioChunk) -> None:
        """Let a chunk arrive when it would."""
        self._now_s = max(self._now_s, chunk.end_frame / RATE_HZ)
        begun = time.process_time()
        passed = self._gate.add(chunk)
        self._both.gate_cpu_s += time.process_time() - begun
        for gated in passed:
            self._work(iter(self._recogniser.accept(gated)))

    def end(self) -> tuple[Run, Run]:
        """Let what is left come out; return both runs."""
        for gated in self._gate.flush():
            self._work(iter(self._recogniser.accept(gated)))
        self._work(iter(self._recogniser.finish()))
        return self._live, self._both

    def _work(self, events: Iterator[EngineEvent]) -> None:
        """Take events as they come, each with the CPU time it took."""
        while True:
            begun = time.process_time()
            event = next(events, None)
            took = time.process_time() - begun
            self._now_s += took
            self._both.cpu_s += took
            final = isinstance(event, Hypothesis) and event.is_final
            # The second pass is all of a final's work.
            self._live.cpu_s += 0 if final else took
            if event is None:
                return
            if isinstance(event, Hypothesis):
                self._take(event)

    def _take(self, guess: Hypothesis) -> None:
        if not guess.is_final:
            self._guesses.append((self._now_s, guess.words))
            return
        last = self._guesses[-1][1] if self._guesses else ()
        live = [w for w in last if w.start_frame + w.end_frame < 2 * guess.end_frame]
        self._live.text += " ".join(["", *(w.text for w in live)])
        shown = self._evidence.weigh(guess).shown
        if shown.text:
            self._both.text += " " + shown.text
            self._time(shown)
        self._guesses.clear()

    def _time(self, final: Hypothesis) -> None:
        if final.words:
            spoken = final.words[-1].end_frame / RATE_HZ
            self._both.final_latencies_s.append(self._now_s - spoken)
        for word in final.words:
            shown = (at for at, words in self._guesses if any(_same(word, w) for w in words))
            if (first := next(shown, None)) is not None:
                self._both.partial_latencies_s.append(first - word.end_frame / RATE_HZ)


def _same(one: Word, other: Word) -> bool:
    """Return whether two passes heard the same word at the same time."""
    overlap = min(one.end_frame, other.end_frame) - max(one.start_frame, other.start_frame)
    return one.text == other.text and overlap > 0
