"""Finds out which of some languages is spoken: every candidate listens, the surest one goes on.

Until three seconds of words have been heard nothing is answered. Confidence is what engines say
of themselves, so two engines' figures are comparable only as far as both are honest.
"""

import asyncio

from parola.audio.gate import Gate
from parola.domain.audio import RATE_HZ
from parola.domain.log import Withheld
from parola.domain.transcript import Segment
from parola.live.session import Session, SessionPlan
from parola.ports import Engine, RoomState
from parola.transcribe_api.answers import Answers
from parola.wire.transcribe import LanguageScore, spread_words

DECIDE_FRAMES = 3 * RATE_HZ
"""So much sound under a candidate's words is enough to choose by."""

UNSURE = 0.5
"""What counts for a word whose engine does not say how sure it is."""

MOST = 5
"""Candidates that listen. Source: Transcribe guide, which advises no more language options."""


class Voice:
    """One candidate: the sink of its session."""

    def __init__(
        self, contest: "Contest", plan: SessionPlan, engine: Engine, gate: Gate | None
    ) -> None:
        self.language = plan.language
        self.session = Session(plan, engine, gate, self)
        self.heard: list[Segment] = []
        """What it would have answered; only finals and the newest partial."""
        self._contest = contest

    async def show(self, segment: Segment) -> None:
        """Answer, or keep it until one is chosen."""
        await self._contest.take(self, segment)

    async def withhold(self, withheld: Withheld) -> None:
        """Say nothing: a stream keeps no log."""

    async def tell(self, state: RoomState) -> None:
        """Pass a failure on.

        Raises:
            InternalFailure: an engine that may be needed cannot go on.
        """
        await self._contest.note(self, state)

    @property
    def spoken_frames(self) -> int:
        """How much sound is under its words."""
        return sum(end - first for first, end, _ in self._words())

    @property
    def sureness(self) -> float:
        """How much sound it is how sure of, in frames."""
        return sum((end - first) * sure for first, end, sure in self._words())

    @property
    def settled_frame(self) -> int:
        """How far its engine is done."""
        return self.session.fed_frame - self.session.lag_frames

    def _words(self) -> list[tuple[int, int, float]]:
        words = [w for one in self.heard if one.is_final for w in one.words or spread_words(one)]
        return [
            (w.start_frame, w.end_frame, UNSURE if w.confidence is None else w.confidence)
            for w in words
        ]


class Contest:
    """One channel's candidates, in order of preference; with one there is nothing to find out."""

    def __init__(self, answers: Answers) -> None:
        self.voices: list[Voice] = []
        self._answers = answers
        self._chosen: Voice | None = None
        self._turn = asyncio.Lock()

    def enter(self, plan: SessionPlan, engine: Engine, gate: Gate | None) -> None:
        """Add a candidate, before any audio."""
        self.voices.append(Voice(self, plan, engine, gate))

    async def feed(self, pcm: bytes) -> None:
        """Take the next audio for everybody who is still in it."""
        for voice in self.voices:
            if self._chosen in {None, voice}:
                await voice.session.feed(pcm)
        async with self._turn:
            if self._chosen is None and self._is_clear():
                await self._choose()

    def end(self) -> None:
        """Say that no more audio comes."""
        for voice in self.voices:
            voice.session.end()

    async def finished(self) -> None:
        """Wait until the last answer is out.

        Raises:
            EngineFailed: an engine broke for good before the end.
        """
        for voice in self.voices:
            if self._chosen in {None, voice}:
                await voice.session.finished()
        async with self._turn:
            if self._chosen is None:
                await self._choose()

    async def take(self, voice: Voice, segment: Segment) -> None:
        """Answer with the chosen one's segments; keep everybody's before."""
        async with self._turn:
            if self._chosen is None:
                if voice.heard and not voice.heard[-1].is_final:
                    voice.heard.pop()
                voice.heard.append(segment)
                if self._is_clear():
                    await self._choose()
            elif self._chosen is voice:
                await self._answers.show(segment)

    async def note(self, voice: Voice, state: RoomState) -> None:
        """Pass on what concerns the client."""
        if self._chosen in {None, voice}:
            await self._answers.tell(state)

    def _is_clear(self) -> bool:
        """Return whether one has heard enough, and all have heard as far."""
        if len(self.voices) == 1:
            return True
        heard = [v.heard[-1].end_frame for v in self.voices if v.spoken_frames >= DECIDE_FRAMES]
        return bool(heard) and all(v.settled_frame >= min(heard) for v in self.voices)

    async def _choose(self) -> None:
        total = sum(voice.sureness for voice in self.voices)
        self._chosen = max(self.voices, key=lambda voice: voice.sureness)
        self._answers.scores = tuple(
            LanguageScore(v.language, v.sureness / total if total else 1 / len(self.voices))
            for v in self.voices
        )
        for segment in self._chosen.heard:
            await self._answers.show(segment)
        for voice in self.voices:
            voice.heard.clear()
