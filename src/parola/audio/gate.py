"""Decides which audio has speech in it; what it withholds becomes digital silence of equal length.

A recogniser that hears noise writes words: ungated, PocketSphinx wrote 39 words per minute on
real recordings without speech. The gate is what keeps the promise, not the kind of recogniser
(docs/why/002-gate-and-two-passes.md).

The gate looks at windows of 32 ms:

- closed, it holds back the newest windows, so that an opening can still let them through;
- after a run of likely speech it opens and lets the held windows out as they came in (pre-roll);
- open, it holds nothing back, and closes after a run of unlikely windows (hang-over).

Every frame that goes in comes out once, in order, either as it was or as silence.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from parola.audio.silero import WINDOW_FRAMES
from parola.audio.speech_record import SpeechRecord
from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk

WINDOW_BYTES = WINDOW_FRAMES * FRAME_BYTES

WINDOW_MS = WINDOW_FRAMES * 1000 // RATE_HZ


class VoiceDetector(Protocol):
    """Hears speech in one window after another; may remember the windows before."""

    def __call__(self, window: bytes) -> float:
        """Return how probable speech is, 0 to 1, in exactly 512 frames (1,024 bytes)."""


@dataclass(frozen=True, slots=True)
class LevelDetector:
    """Takes what is loud for speech: for machines on which the model cannot run.

    It tells speech from silence, not from noise: with it, applause becomes words.
    """

    quiet_dbfs: float = -50.0
    """At this level and below, the probability is 0."""

    loud_dbfs: float = -36.0
    """At this level and above it is 1; straight in between."""

    def __call__(self, window: bytes) -> float:
        """Return where the level lies between quiet and loud."""
        samples = np.frombuffer(window, "<i2").astype(np.float64)
        power = float(np.mean(samples**2))
        if not power:
            return 0.0
        dbfs = 10 * math.log10(power / 32768**2)
        share = (dbfs - self.quiet_dbfs) / (self.loud_dbfs - self.quiet_dbfs)
        return min(max(share, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class GateSettings:
    """When the gate opens and closes; times are rounded up to windows of 32 ms.

    Measured on real speech and noise: docs/why/002-gate-and-two-passes.md.
    """

    open_probability: float = 0.5
    open_ms: int = 96
    """It opens after so much neighbouring audio of `open_probability` or more."""

    pre_roll_ms: int = 320
    """How much of the audio before those windows is let through as well."""

    close_probability: float = 0.35
    hang_over_ms: int = 352
    """It closes after so much neighbouring audio below `close_probability`."""

    sends_silence: bool = True
    """Whether the engine is sent what is withheld, as silence. If not, it hears silence until it
    is done with what was said, and then nothing until somebody speaks (live/session.py)."""

    memory_s: float = 120.0
    """How long evidence is remembered, in seconds of audio."""

    def __post_init__(self) -> None:
        """Refuse settings that could never open or close.

        Raises:
            ValueError: a probability outside 0 to 1, closing above opening, or no time at all.
        """
        if not 0 < self.close_probability <= self.open_probability <= 1:
            raise ValueError("0 < close_probability <= open_probability <= 1 must hold")
        if self.open_ms <= 0 or self.hang_over_ms <= 0 or self.pre_roll_ms < 0:
            raise ValueError("open_ms and hang_over_ms must be above 0, pre_roll_ms not below")
        if self.memory_s <= 0:
            raise ValueError("memory_s must be above 0")


class Gate:
    """One session's gate: chunks of any size in, the same frames out, voiced or silenced.

    Output is behind the input by less than one window while open, and by the pre-roll and the
    opening run (416 ms as delivered) while closed. It holds no more than that.
    """

    def __init__(self, detector: VoiceDetector, settings: GateSettings | None = None) -> None:
        self._detect = detector
        self._settings = settings or GateSettings()
        self._open_run = _windows(self._settings.open_ms)
        self._close_run = _windows(self._settings.hang_over_ms)
        self._holds = _windows(self._settings.pre_roll_ms) + self._open_run
        self._open = False
        self._run = 0
        self._tail = bytearray()
        """Frames that do not fill a window yet."""
        self._held: deque[bytes] = deque()
        self._out_frame: int | None = None
        self._in_frame = 0
        self.speech = SpeechRecord(self._settings.memory_s)
        """What was heard where: the evidence for words."""

    @property
    def is_open(self) -> bool:
        """Whether audio is let through at the moment."""
        return self._open

    @property
    def sends_silence(self) -> bool:
        """Whether the engine is to be sent what is withheld."""
        return self._settings.sends_silence

    def add(self, chunk: AudioChunk) -> list[AudioChunk]:
        """Take the next chunk and return what is decided, as runs that are voiced or silenced.

        Raises:
            ValueError: the chunk does not start where the one before ended.
        """
        if self._out_frame is None:
            self._out_frame = self._in_frame = chunk.first_frame
        if chunk.first_frame != self._in_frame:
            raise ValueError(
                f"the gate's next frame is {self._in_frame}, not {chunk.first_frame}; "
                "audio comes in order, without gaps"
            )
        self._in_frame = chunk.end_frame
        self._tail += chunk.pcm
        runs: list[tuple[bool, bytes]] = []
        whole = len(self._tail) // WINDOW_BYTES * WINDOW_BYTES
        end_of_tail = self._in_frame - len(self._tail) // FRAME_BYTES
        for at in range(0, whole, WINDOW_BYTES):
            window = bytes(self._tail[at : at + WINDOW_BYTES])
            runs += self._judge(window, end_of_tail + at // FRAME_BYTES)
        del self._tail[:whole]
        return self._emit(runs)

    def flush(self) -> list[AudioChunk]:
        """Return what is still held, at the end of the audio: by the state the gate is in.

        The gate is then as new, except that it goes on at the frame where it stopped and still
        knows its evidence.
        """
        runs = [(self._open, window) for window in self._held]
        if self._tail:
            runs.append((self._open, bytes(self._tail)))
        self._held.clear()
        self._tail.clear()
        self._open, self._run = False, 0
        return self._emit(runs)

    def _judge(self, window: bytes, first_frame: int) -> list[tuple[bool, bytes]]:
        """Return the windows that this window decides, each with whether it is let through."""
        probability = self._detect(window)
        self.speech.add(first_frame, probability)
        if self._open:
            self._run = self._run + 1 if probability < self._settings.close_probability else 0
            if self._run >= self._close_run:
                self._open, self._run = False, 0
            return [(True, window)]
        self._run = self._run + 1 if probability >= self._settings.open_probability else 0
        self._held.append(window)
        if self._run >= self._open_run:
            self._open, self._run = True, 0
            opened = [(True, held) for held in self._held]
            self._held.clear()
            return opened
        if len(self._held) >= self._holds:
            return [(False, self._held.popleft())]
        return []

    def _emit(self, runs: list[tuple[bool, bytes]]) -> list[AudioChunk]:
        """Return neighbouring windows of one kind as one chunk."""
        chunks: list[AudioChunk] = []
        at = 0
        while at < len(runs):
            voiced = runs[at][0]
            end = at
            while end < len(runs) and runs[end][0] == voiced:
                end += 1
            pcm = b"".join(window for _, window in runs[at:end])
            first = self._out_frame or 0
            chunks.append(AudioChunk(first, pcm if voiced else bytes(len(pcm)), voiced))
            self._out_frame = chunks[-1].end_frame
            at = end
        return chunks


def _windows(ms: int) -> int:
    """Return a time in whole windows, rounded up."""
    return -(-ms // WINDOW_MS)
