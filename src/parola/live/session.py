"""One talk's audio on its way to numbered segments, whatever happens to its engine."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import NAMESPACE_OID, uuid5

from parola.audio.gate import Gate
from parola.audio.pcm import level_dbfs, to_mono
from parola.beside import beside, tasks_beside
from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk
from parola.domain.cut import up_to_the_cut
from parola.domain.errors import BadAudio, EngineFailed, ParolaError, Stopping
from parola.domain.log import SessionPast, Switch, Withheld
from parola.domain.room_settings import Replacement
from parola.domain.terms import Terms
from parola.domain.transcript import Hypothesis, Segment, SegmentAssembler, Settled
from parola.domain.vocabulary import Language
from parola.domain.wording import Wording
from parola.live.alarms import Alarms
from parola.live.backlog import Backlog
from parola.live.belief import believable
from parola.live.calibration import threshold_for
from parola.live.channels import Channels, hears_channels
from parola.live.evidence import Evidence, Weighed
from parola.live.off_record import OffRecord
from parola.live.retries import Retries
from parola.live.showing import Saved, Showing
from parola.live.successor import Successor
from parola.live.tape import Tape
from parola.ports import Engine, EngineStream, RoomState, StreamRequest

logger = logging.getLogger(__name__)

STALL_S = 30.0
"""An engine that says nothing for this long, while audio waits for its text, is given up. Engines
settle silence within seconds; the longest second pass of a slow one takes some twelve."""

RENEW_AGAIN_S = 30.0
"""Where another plan's stream cannot be opened, the present one goes on for so long."""

SLOW_START_S = 1.5
"""A stream that is not open by then is told as trouble, though it may open yet."""


class Sink(Protocol):
    """Where a session's text goes: a room, or whoever asked for one file."""

    async def show(self, segment: Segment) -> Saved | None:
        """Show a partial or a final; a final that is kept returns its promise."""

    async def withhold(self, withheld: Withheld) -> None:
        """Keep what the engine wrote and nobody may be shown, where somebody keeps a log."""

    async def tell(self, state: RoomState) -> None:
        """Say how the session is doing."""


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a source asked for."""

    session: str
    language: Language
    first_frame: int = 0
    room: str = ""
    """Where its words will be shown; empty for a recording that is for one asker only."""

    terms: Terms = field(default_factory=Terms)
    """The talk's own words, as far as they are known: its source's and its room's."""

    own_terms: Terms = field(default_factory=Terms)
    """What its source told of them."""

    replacements: tuple[Replacement, ...] = ()
    """What its engine tends to mishear, and what is shown instead."""

    blocked: tuple[str, ...] = ()
    """What is masked wherever its engine writes it."""

    options: Mapping[str, str] = field(default_factory=dict)
    """What the source asked of its engine, by the engine's own setting names."""

    rate_hz: int = RATE_HZ
    """The source's own rate, before its audio was brought to 16 kHz."""

    channels: int = 1
    """The source's own, 1 or 2. Of two, engines hear the mean, unless they tell channels apart."""

    speaker: str | None = None
    """Who speaks, where the source says so and the engine does not tell speakers apart."""

    def request(self) -> StreamRequest:
        """Return what an engine is asked for, from the plan's first frame on."""
        return StreamRequest(
            self.language,
            self.session,
            self.first_frame,
            self.room,
            self.terms,
            self.options,
            self.rate_hz,
            self.channels,
        )


class Session:
    """Takes audio from one source and gives segments to one sink.

    `run` does the work and belongs in the owner's TaskGroup; `feed` and `end` are the source's.
    After `end` the last finals are shown and `run` returns.
    """

    def __init__(
        self,
        plan: SessionPlan,
        engine: Engine,
        gate: Gate | None,
        sink: Sink,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        past: SessionPast | None = None,
        stall_s: float = STALL_S,
        tape: Tape | None = None,
    ) -> None:
        """Begin at the plan's first frame, after what the log holds of the session already."""
        self.plan = plan
        self.tape = tape
        """What keeps its sound, where that may be kept at all."""
        self._engine = engine
        self._renewal: tuple[SessionPlan, Engine] | None = None
        self._renew_from_s = 0.0
        self._successor: Successor | None = None
        self._gate = gate
        self._sink = sink
        self._sleep = sleep
        self._evidence = _evidence(gate, engine)
        self.alarms = Alarms(plan.language, engine.name)
        """What is wrong with its sound or words."""
        self.record = OffRecord(past.switches if past else ())
        """Which of its sound is off the record."""
        self._aside: SegmentAssembler | None = None
        self._assembler = SegmentAssembler(
            plan.session,
            plan.language,
            engine.name,
            segments=past.segments if past else 0,
            final_until=past.end_frame if past else 0,
        )
        self._stall_s = stall_s
        self._events = 0
        self._wording = Wording(plan.replacements, plan.blocked)
        self._backlog = Backlog(plan.first_frame)
        self._channels = Channels(plan.first_frame) if plan.channels == 2 else None
        self._fed = plan.first_frame
        self._newest = b""
        self._sent = self._voiced_until = plan.first_frame
        self._stream_frame = plan.first_frame
        self._end_sent = False
        self._sends_channels = False
        self._ending = self._moves = False
        self._failure: ParolaError | None = None
        self._retries = Retries()
        self._state = RoomState("waiting")
        self._audio = asyncio.Event()
        self._space = asyncio.Event()
        self._done = asyncio.Event()
        self._showing = Showing(sink, plan.first_frame)
        self._withheld_until = plan.first_frame

    @property
    def engine(self) -> str:
        """The name of the engine that hears it."""
        return self._engine.name

    @property
    def is_ending(self) -> bool:
        """Whether its source has said that no more audio comes."""
        return self._ending

    @property
    def fed_frame(self) -> int:
        """The first frame that the source has not sent yet."""
        return self._fed

    @property
    def lag_frames(self) -> int:
        """How much audio waits for its final text."""
        return self._backlog.end_frame - self._backlog.rewind_frame

    @property
    def level_dbfs(self) -> float:
        """How loud the newest chunk is, see `parola.audio.pcm.level_dbfs`."""
        return level_dbfs(self._newest)

    @property
    def withheld_words(self) -> int:
        """How many words were not shown for want of speech under them."""
        return self._evidence.withheld_words if self._evidence else 0

    @property
    def durable_frame(self) -> int:
        """The first frame whose text is not yet durably in the log (or known to hold none)."""
        return self._showing.durable_frame

    async def feed(self, pcm: bytes) -> None:
        """Take the next audio: s16le, the plan's channels, 16 kHz. Waits while two minutes wait.

        Raises:
            BadAudio: an odd number of bytes; nothing of them is taken.
            EngineFailed: the engine broke for good; the message says why.
            NoEngine: no engine knows the language.
            Stopping: the session takes no more audio.
        """
        refuse_half_frames(pcm, self.plan.channels)
        await self.room_for_more()
        self.accept(pcm)

    async def room_for_more(self) -> None:
        """Wait while two minutes are waiting.

        Raises:
            ParolaError: the session takes no more audio, see `feed`.
        """
        while self._backlog.is_full and not self._failure and not self._done.is_set():
            self._space.clear()
            await self._space.wait()
        if self._failure:
            raise self._failure
        if self._ending or self._done.is_set():
            raise Stopping("This session takes no more sound; connect again to go on.")

    def accept(self, pcm: bytes) -> None:
        """Take audio at once, of whole frames, for which there was room."""
        if self._channels:
            self._channels.add(pcm)
            pcm = to_mono(pcm, 2)
        chunk = AudioChunk(self._fed, pcm)
        self._fed, self._newest = chunk.end_frame, pcm
        self.alarms.hear(chunk)
        if self.tape:
            self.tape.hear(self.record.kept(chunk))
        gated = self._gate.add(chunk) if self._gate else []
        for decided in gated:
            self.alarms.voice(decided)
        self._take(gated if self._gate else [chunk])

    def end(self, *, moves: bool = False) -> None:
        """Say that no more audio comes. Calling it again changes nothing.

        Args:
            moves: its source goes on with it elsewhere, from `durable_frame`: what the end cuts
                through is left for there, the last word's sound among it.
        """
        if self._ending:
            return
        self._ending, self._moves = True, moves
        self.alarms.end()
        self._take(self._gate.flush() if self._gate else [])

    def switch(self, now_ms: int, *, is_off: bool) -> Switch | None:
        """Go off the record, or back on, with the sound to come; None where that held already.

        What is with the engine by then is made final by it: a stream hears sound of one kind only.
        """
        switch = self.record.switch(self._fed, now_ms, is_off=is_off)
        self._audio.set()
        return switch

    def renew(self, plan: SessionPlan, engine: Engine) -> None:
        """Go on with another plan (of the same session) in a new engine stream.

        It is open before the present one is ended; where it cannot be opened the present one goes
        on meanwhile. What that was sent is made final by it, under the plan it began with.
        """
        self._renewal, self._renew_from_s = (plan, engine), 0.0
        self._audio.set()

    @property
    def state(self) -> RoomState:
        """What it is doing; the failure is not among it."""
        return self._state

    @property
    def failure(self) -> ParolaError | None:
        """Why it cannot go on, if it cannot."""
        return self._failure

    def fail(self, error: ParolaError) -> None:
        """Let the source know that its audio goes nowhere."""
        self._failure = error
        self._done.set()
        self._space.set()

    async def stopped(self) -> None:
        """Wait until `run` has returned, well or not."""
        await self._done.wait()

    async def finished(self) -> None:
        """Wait until `run` has returned.

        Raises:
            EngineFailed: the engine broke for good before the end.
        """
        await self._done.wait()
        if self._failure:
            raise self._failure

    async def saved(self) -> None:
        """Wait until `run` has returned and all its text is durably in the log.

        Raises:
            EngineFailed: the engine broke for good before the end.
        """
        await self.finished()
        await self._showing.kept()

    def _take(self, chunks: list[AudioChunk]) -> None:
        for chunk in chunks:
            self._backlog.append(chunk)
        self._audio.set()

    async def run(self) -> None:
        """Recognise until the end; opens a new stream where the last one broke off.

        Never raises for an engine's sake: a failure is told to the sink and to the source, and
        the owner's other sessions go on.
        """
        try:
            await self._sink.tell(self._state)
            taping = self.tape.running() if self.tape else nullcontext()
            async with taping, beside(self._showing.run()):
                failure = await self._recognise_or_fail()
                await self._showing.all_shown()
            if failure:
                raise failure
        except ParolaError as error:
            self.fail(error)
            logger.warning("session %s: %s: %s", self.plan.session, error.code, error.message)
            await self._sink.tell(RoomState("failed", error.message))
        finally:
            self._done.set()
            self._space.set()

    async def _recognise_or_fail(self) -> ParolaError | None:
        """Return why it cannot go on; what has been heard until then is still shown."""
        try:
            await self._recognise()
        except ParolaError as error:
            return error
        return None

    async def _recognise(self) -> None:
        async with tasks_beside() as tasks:
            await self._recognise_with(tasks)

    async def _recognise_with(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._turn_over()
            try:
                await self._one_stream(tasks)
            except EngineFailed as error:
                wait_s = self._retries.next_wait_s()
                if wait_s is None:
                    raise
                logger.warning("session %s: new stream: %s", self.plan.session, error.message)
                await self._change_state(RoomState("recovering", error.message))
                await self._sleep(wait_s)
            else:
                heard_all = self._ending and self._sent == self._backlog.end_frame
                # Else the room was switched, maybe back again meanwhile, or the plan is another.
                if heard_all:
                    return

    @property
    def _is_at_switch(self) -> bool:
        """Whether the next sound is to be kept and the present stream's is not, or the reverse."""
        return self.record.is_off(self._sent) != (self._aside is not None)

    def _turn_aside(self, frame: int) -> None:
        """Count the segments of a span off the record apart, as a talk of its own.

        So those in the log stay numbered without a gap, also by a server that comes back, and no
        reader takes one for another.
        """
        if not self.record.is_off(frame):
            self._aside = None
        elif self._aside is None:
            name = uuid5(NAMESPACE_OID, f"{self.plan.session} off the record from {frame}")
            self._aside = SegmentAssembler(str(name), self.plan.language, self._engine.name)

    async def _turn_over(self) -> None:
        """Begin with the plan that waits, if one does."""
        if self._renewal:
            (self.plan, self._engine), self._renewal = self._renewal, None
            for assembler in filter(None, (self._assembler, self._aside)):
                assembler.language = self.plan.language
                assembler.engine = self._engine.name
            self._wording = Wording(self.plan.replacements, self.plan.blocked)
            self.alarms.expect(self.plan.language, self._engine.name)
            if self._evidence:
                self._evidence.threshold = threshold_for(self._engine.name)
            if self._state.detail and self._state.state != "recovering":
                await self._change_state(RoomState(self._state.state))

    async def _one_stream(self, tasks: asyncio.TaskGroup) -> None:
        first_frame = self._backlog.rewind_frame
        self._turn_aside(first_frame)
        self._sends_channels = hears_channels(self._engine, self.plan.request())
        opened = asyncio.Event()
        async with (
            beside(self._tell_if_slow(opened)),
            beside(self._give_up_if_stalled()),
            await self._next_stream(first_frame) as stream,
        ):
            opened.set()
            self._retries.opened()
            self._stream_frame = first_frame
            self._sent, self._end_sent = first_frame, False
            self._voiced_until = first_frame
            try:
                async with beside(self._send(stream, tasks)):
                    await self._read(stream)
                    if not self._end_sent:
                        raise EngineFailed("The engine's stream ended before the audio did.")
            finally:
                settled = self._backlog.rewind_frame - first_frame
                self._retries.ended(self._sent - first_frame, settled)
        if not self._moves:
            self._settle(self._backlog.end_frame)

    async def _next_stream(self, first_frame: int) -> AbstractAsyncContextManager[EngineStream]:
        """Return the stream that is open already, if it is what is wanted; else one to be opened.

        It is not where the stream before it broke off, so that its last sound has to be heard once
        more, or where the plan was changed again.
        """
        request = replace(self.plan.request(), first_frame=first_frame)
        successor, self._successor = self._successor, None
        if successor and successor.request == request:
            return successor.taken()
        if successor:
            await successor.leave()
        return self._engine.open(request)

    async def _give_up_if_stalled(self) -> None:
        """Look for a life sign once per `stall_s`, while there is anything to wait for.

        Raises:
            EngineFailed: there was none.
        """
        while True:
            events, waited = self._events, self._is_waiting
            await asyncio.sleep(self._stall_s)
            if waited and self._is_waiting and events == self._events:
                raise EngineFailed(f"{self._engine.name} has said nothing for {self._stall_s:g} s.")

    @property
    def _is_waiting(self) -> bool:
        return self.lag_frames > 0 or self._end_sent

    async def _tell_if_slow(self, opened: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(SLOW_START_S):
                await opened.wait()
        except TimeoutError:
            detail = f"{self._engine.name} has not answered for {SLOW_START_S:g} s."
            await self._change_state(RoomState("recovering", detail))

    async def _send(self, stream: EngineStream, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._audio.clear()
            while not self._is_renewal_due and (chunk := self._next_chunk()):
                # Counted before it is taken: the engine may settle its first half meanwhile.
                self._sent = chunk.end_frame
                if self._is_left_out(chunk):
                    self._settle(chunk.end_frame)
                elif self._channels and self._sends_channels:
                    await stream.send(self._channels.beside(chunk))
                else:
                    await stream.send(chunk)
                await self._note_progress(chunk)
            if self._is_renewal_due and not self._ending and not self._is_at_switch:
                await self._open_successor(tasks)
                if not self._successor:
                    continue
            if self._ending or self._successor or self._is_at_switch:
                self._end_sent = True
                await stream.end()
                return
            await self._audio.wait()

    @property
    def _is_renewal_due(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        return self._renewal is not None and now_s >= self._renew_from_s

    async def _open_successor(self, tasks: asyncio.TaskGroup) -> None:
        """Open a stream for the plan that waits, to begin with the next frame; or put it off."""
        while self._renewal and self._is_renewal_due:
            wanted = self._renewal
            plan, engine = wanted
            request = replace(plan.request(), first_frame=self._sent)
            successor = Successor(tasks, engine.open(request), request)
            try:
                await successor.opened()
                if wanted is self._renewal:
                    self._successor = successor
                    return
            except ParolaError as error:
                logger.warning("session %s: goes on as it is: %s", plan.session, error.message)
                self._renew_from_s = asyncio.get_running_loop().time() + RENEW_AGAIN_S
                detail = f"Goes on as before, a change has to wait: {error.message}"
                await self._change_state(RoomState(self._state.state, detail))
            finally:
                if self._successor is not successor:
                    await successor.leave()

    def _next_chunk(self) -> AudioChunk | None:
        """Return what the present stream is to hear next, as far as it has come."""
        chunk = self._backlog.after(self._sent)
        if chunk is None or self._is_at_switch:
            return None
        until = self.record.next_after(self._sent)
        return chunk if until is None else chunk.cut(until)[0]

    def _is_left_out(self, chunk: AudioChunk) -> bool:
        """Return whether the engine need not hear a chunk: it is done with all that was said."""
        if chunk.voiced:
            self._voiced_until = chunk.end_frame
        if chunk.voiced or self._gate is None or self._gate.sends_silence:
            return False
        return self._backlog.rewind_frame >= self._voiced_until

    async def _read(self, stream: EngineStream) -> None:
        last: Hypothesis | None = None
        async for event in stream:
            self._events += 1
            await self._showing.room_for_more()
            # No waiting from here on: a stream that breaks off must not leave half a step behind.
            is_cut = self._moves and self._end_sent
            if isinstance(event, Settled):
                if not is_cut:  # else that sound may be the beginning of a word
                    self._settle(event.end_frame)
                continue
            if last:
                self._hear(last)
            last = event if is_cut and event.is_final else None
            if last is None:
                self._hear(event)
        if last:
            self._hear(up_to_the_cut(last, self._sent))

    def _hear(self, hypothesis: Hypothesis) -> None:
        hypothesis = believable(hypothesis, self._stream_frame, self._sent)
        weighed = self._evidence.weigh(hypothesis) if self._evidence else Weighed(hypothesis)
        if weighed.withheld and hypothesis.is_final:
            self._withhold(hypothesis, weighed)
        segment = (self._aside or self._assembler).add(weighed.shown)
        if weighed.shown.text:
            self.alarms.words()
        if segment is not None:
            self._showing.add(self._finished(segment))
        if hypothesis.is_final:
            self._settle(hypothesis.end_frame)

    def _finished(self, segment: Segment) -> Segment:
        return replace(self._wording.correct(segment), off_record=self._aside is not None)

    def _withhold(self, hypothesis: Hypothesis, weighed: Weighed) -> None:
        """Let it be kept, once: a new stream may say it again. Nothing waits for its saving."""
        if hypothesis.end_frame <= self._withheld_until:
            return
        self._withheld_until = hypothesis.end_frame
        self.alarms.withheld()
        if self._aside:
            return
        self._showing.add(
            Withheld(
                self.plan.session,
                weighed.withheld,
                hypothesis.first_frame,
                hypothesis.end_frame,
                weighed.reason,
                round(weighed.strength, 1),
                self._engine.name,
            )
        )

    def _settle(self, frame: int) -> None:
        """Forget audio the engine is done with; it cannot be done with what it was not sent."""
        frame = min(frame, self._sent)
        if frame <= self._backlog.rewind_frame:
            return
        self._showing.settle(frame)
        self._backlog.settle(frame)
        if self._channels:
            self._channels.settle(frame)
        self._space.set()

    async def _note_progress(self, chunk: AudioChunk) -> None:
        """Say "listening" from the first speech on, also after a recovery."""
        if self._state.state == "listening":
            return
        state = "listening" if chunk.voiced else "waiting"
        if state != self._state.state:
            await self._change_state(RoomState(state))

    async def _change_state(self, state: RoomState) -> None:
        self._state = state
        await self._sink.tell(state)


def refuse_half_frames(pcm: bytes, channels: int = 1) -> None:
    """Do nothing, if the bytes are whole frames.

    Raises:
        BadAudio: they are not: half a sample would turn all that follows into noise.
    """
    if len(pcm) % FRAME_BYTES:
        raise BadAudio(
            f"{len(pcm)} bytes are not whole 16-bit samples; send an even number of bytes."
        )
    if len(pcm) % (FRAME_BYTES * channels):
        raise BadAudio(
            f"{len(pcm)} bytes are not whole frames of two channels; send a multiple of 4 bytes."
        )


def _evidence(gate: Gate | None, engine: Engine) -> Evidence | None:
    return Evidence(gate.speech, threshold_for(engine.name)) if gate else None


async def acknowledgements(
    session: Session, every_s: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[int]:
    """Yield the session's durable frame whenever it has grown, at most every `every_s`."""
    told = session.plan.first_frame
    while True:
        if session.durable_frame > told:
            told = session.durable_frame
            yield told
        await sleep(every_s)
