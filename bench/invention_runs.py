"""Runs clips through a real session: gate, engine, evidence, and what a viewer would be shown."""

import asyncio
from dataclasses import dataclass, field

from bench.invention_audio import Clip
from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.beside import beside
from parola.domain.log import Withheld
from parola.domain.transcript import Segment, Word
from parola.domain.vocabulary import language_tag
from parola.live.session import Session, SessionPlan
from parola.ports import Engine, RoomState

FEED_BYTES = 3200
"""Audio comes in chunks of 100 ms, as from a microphone."""

LONGEST_S = 600.0
"""What a clip may take before the run counts as stuck."""


@dataclass(slots=True)
class Heard:
    """A sink: what was shown of one clip, and what was withheld."""

    clip: Clip
    finals: list[Segment] = field(default_factory=list)
    guesses: int = 0
    """Guesses with text that a viewer would have seen."""

    withheld: list[Withheld] = field(default_factory=list)

    async def show(self, segment: Segment) -> None:
        """Remember it."""
        if segment.is_final:
            self.finals.append(segment)
        elif segment.text:
            self.guesses += 1

    async def withhold(self, withheld: Withheld) -> None:
        """Remember it."""
        self.withheld.append(withheld)

    async def tell(self, state: RoomState) -> None:
        """Break off where the engine did: a silent failure would look like a good guard.

        Raises:
            RuntimeError: the engine failed.
        """
        if state.state == "failed":
            raise RuntimeError(state.detail)

    @property
    def words(self) -> list[Word]:
        """The words shown, each with its span."""
        return [word for final in self.finals for word in final.words]

    @property
    def shown(self) -> int:
        """How many words were shown."""
        return sum(len(final.text.split()) for final in self.finals)

    @property
    def kept_back(self) -> int:
        """How many words the evidence withheld: the gate alone would have shown these too."""
        return sum(len(one.text.split()) for one in self.withheld)


async def hear(clip: Clip, engine: Engine, *, guarded: bool) -> Heard:
    """Return what a viewer is shown of a clip, with or without gate and evidence."""
    heard = Heard(clip)
    gate = Gate(SileroDetector()) if guarded else None
    plan = SessionPlan(clip.name, language_tag("en-US"))
    # A starved machine is no stalled engine.
    session = Session(plan, engine, gate, heard, stall_s=LONGEST_S)
    async with asyncio.timeout(LONGEST_S), beside(session.run()):
        for at in range(0, len(clip.pcm), FEED_BYTES):
            await session.feed(clip.pcm[at : at + FEED_BYTES])
        session.end()
        await session.finished()
    return heard


async def hear_all(
    clips: list[Clip], engine: Engine, *, guarded: bool, at_once: int = 2
) -> list[Heard]:
    """Return every clip's run, in order, so many at a time."""
    slots = asyncio.Semaphore(at_once)

    async def one(clip: Clip) -> Heard:
        async with slots:
            return await hear(clip, engine, guarded=guarded)

    async with asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(one(clip)) for clip in clips]
    return [run.result() for run in runs]
