"""Weighs a text that was written elsewhere against the sound that it is said to come from.

By the rule of live captions (`live/evidence.py`): whoever wrote it, no word without speech under
it. What lies outside the sound, or runs backwards, has no speech under it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from parola.audio.gate import Gate
from parola.audio.silero import WINDOW_FRAMES
from parola.domain.audio import AudioChunk
from parola.domain.log import Withheld
from parola.domain.transcript import Hypothesis, Segment
from parola.live.calibration import threshold_for
from parola.live.evidence import MARGIN, Evidence, Weighed

REACH = MARGIN + WINDOW_FRAMES
"""How much sound behind a segment has to be heard before it can be weighed."""


class Proof:
    """Hears a recording once, and lets through what of its text is in it."""

    def __init__(self, segments: Iterable[Segment], gate: Gate | None, engine: str) -> None:
        """Begin at frame 0.

        Args:
            segments: the text, in order of time.
            gate: a new one; what it hears is the evidence. Without one, all is let through.
            engine: who wrote the text: each has thresholds of its own.
        """
        self._waiting = deque(segments)
        self._gate = gate
        self._evidence = Evidence(gate.speech, threshold_for(engine)) if gate else None
        self._engine = engine
        self._shown = 0

    def hear(self, chunk: AudioChunk) -> Iterator[Segment | Withheld]:
        """Take the next of the sound; yield what it decides, numbered anew from 1."""
        if self._gate:
            self._gate.add(chunk)
        while self._waiting and self._waiting[0].end_frame + REACH <= chunk.end_frame:
            yield from self._weighed(self._waiting.popleft())

    def end(self) -> Iterator[Segment | Withheld]:
        """Yield the rest, after the last of the sound."""
        while self._waiting:
            yield from self._weighed(self._waiting.popleft())

    def _weighed(self, segment: Segment) -> Iterator[Segment | Withheld]:
        span = segment.first_frame, segment.end_frame
        written = Hypothesis(segment.text, *span, is_final=True, words=segment.words)
        weighed = self._evidence.weigh(written) if self._evidence else Weighed(written)
        if weighed.withheld:
            strength = round(weighed.strength, 1)
            yield Withheld(
                segment.session, weighed.withheld, *span, weighed.reason, strength, self._engine
            )
        if shown := weighed.shown.text:
            self._shown += 1
            yield replace(segment, number=self._shown, text=shown, words=weighed.shown.words)
