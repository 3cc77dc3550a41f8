"""One talk's audio becomes segments, whatever happens to its engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.audio.gate import Gate, GateSettings, VoiceDetector
from parola.audio.pcm import interleaved
from parola.beside import beside
from parola.domain.audio import RATE_HZ, AudioChunk
from parola.domain.errors import BadAudio, EngineFailed, NoEngine, Stopping
from parola.domain.log import Withheld
from parola.domain.transcript import Hypothesis, Segment, Settled
from parola.domain.vocabulary import Language, language_tag
from parola.engines.scripted import (
    BLOCK_FRAMES,
    Script,
    ScriptedEngine,
    ScriptedStream,
    marked_audio,
)
from parola.live.session import Session, SessionPlan, acknowledgements
from parola.live.troubles import troubles
from parola.ports import Engine, EngineEvent, EngineStream, RoomState, StreamRequest

ENGLISH = language_tag("en-US")


@dataclass(slots=True)
class Kept:
    """A saving whose test decides when it is durable."""

    durable: bool = False

    async def kept(self) -> None:
        while not self.durable:  # noqa: ASYNC110 - the test sets it
            await asyncio.sleep(0)


@dataclass(slots=True)
class Screen:
    """A sink that remembers everything."""

    shown: list[Segment] = field(default_factory=list)
    told: list[RoomState] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)
    savings: list[Kept] = field(default_factory=list)
    durable: bool = True

    async def show(self, segment: Segment) -> Kept | None:
        self.shown.append(segment)
        if not segment.is_final:
            return None
        self.savings.append(Kept(self.durable))
        return self.savings[-1]

    async def withhold(self, withheld: Withheld) -> None:
        self.withheld.append(withheld)

    async def tell(self, state: RoomState) -> None:
        self.told.append(state)

    @property
    def words(self) -> list[str]:
        return [word for s in self.shown if s.is_final for word in s.text.split()]

    @property
    def states(self) -> list[str]:
        return [state.state for state in self.told]


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


async def talk(
    engine: Engine, pcm: bytes, screen: Screen, *, piece: int = 3200, gate: Gate | None = None
) -> Session:
    """Play a whole talk and wait for its last word."""
    session = Session(SessionPlan("s", ENGLISH), engine, gate, screen, no_sleep)
    async with beside(session.run()):
        for start in range(0, len(pcm), piece):
            await session.feed(pcm[start : start + piece])
            await asyncio.sleep(0)
        session.end()
        await session.finished()
    return session


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 60),
    piece=st.integers(1, 4000).map(lambda n: 2 * n),
    breaks=st.lists(st.integers(0, 70 * BLOCK_FRAMES), max_size=5, unique=True),
    per_final=st.integers(1, 12),
)
def test_a_breaking_engine_costs_no_word_and_repeats_none(
    count: int, piece: int, breaks: list[int], per_final: int
) -> None:
    """However often streams break off, wherever frames are cut: every word once, in order."""
    screen = Screen()
    engine = ScriptedEngine(Script(per_final, breaks_at=tuple(breaks)))
    session = asyncio.run(talk(engine, marked_audio(range(count)), screen, piece=piece))
    assert screen.words == [str(n) for n in range(count)]
    assert [s.number for s in screen.shown if s.is_final] == list(range(1, len(screen.savings) + 1))
    assert session.durable_frame == session.fed_frame == count * BLOCK_FRAMES


async def test_the_last_sentence_is_not_lost_at_the_end() -> None:
    """Words that were only a partial when the source stopped become a final."""
    screen = Screen()
    await talk(ScriptedEngine(Script(words_per_final=10)), marked_audio(range(7)), screen)
    assert screen.words == [str(n) for n in range(7)]


async def test_states_tell_what_is_going_on() -> None:
    """Waiting, then listening, and a break is told and over again."""
    screen = Screen()
    script = Script(breaks_at=(5 * BLOCK_FRAMES,))
    await talk(ScriptedEngine(script), marked_audio(range(20)), screen)
    assert screen.states == ["waiting", "listening", "recovering", "listening"]


class Doomed:
    """An engine that never gets going."""

    name = "doomed"
    gated = False

    def __init__(self, error: EngineFailed | NoEngine) -> None:
        self.error = error
        self.opened = 0

    def knows(self, language: Language) -> bool:
        return True

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator[EngineStream]:
        self.opened += 1
        if self.opened:
            raise self.error
        yield _Short()


async def test_an_engine_that_stays_broken_is_told_to_everybody() -> None:
    """The display hears it with the reason, and the source at its next frame."""
    screen = Screen()
    engine = Doomed(EngineFailed("The model's file is damaged; fetch it again."))
    session = Session(SessionPlan("s", ENGLISH), engine, None, screen, no_sleep)
    await session.run()
    assert engine.opened == 6
    assert screen.told[-1] == RoomState("failed", "The model's file is damaged; fetch it again.")
    with pytest.raises(EngineFailed, match="damaged"):
        await session.feed(bytes(3200))
    with pytest.raises(EngineFailed, match="damaged"):
        await session.finished()


class Flapping:
    """An engine whose first streams all break after a word; a person speaks on meanwhile."""

    name = "flapping"
    gated = False

    def __init__(self, breaks: int) -> None:
        self.opened = 0
        self._breaks = breaks

    def knows(self, language: Language) -> bool:
        return True

    def open(self, request: StreamRequest) -> AbstractAsyncContextManager[EngineStream]:
        self.opened += 1
        script = Script(1)
        if self.opened <= self._breaks:
            script = Script(1, breaks_at=(request.first_frame + BLOCK_FRAMES,))
        return ScriptedEngine(script).open(request)


async def test_many_breaks_in_a_few_seconds_end_no_talk() -> None:
    """Twelve streams in a row that break after a word each: the talk goes on."""
    screen, engine = Screen(), Flapping(12)
    await talk(engine, marked_audio(range(40)), screen)
    assert engine.opened == 13
    assert "failed" not in screen.states
    assert screen.words == [str(n) for n in range(40)]


class Slow:
    """An engine that opens when it is told to."""

    name = "slow"
    gated = False

    def __init__(self) -> None:
        self.go = asyncio.Event()

    def knows(self, language: Language) -> bool:
        return True

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator[EngineStream]:
        await self.go.wait()
        async with ScriptedEngine(Script(5)).open(request) as stream:
            yield stream


async def test_a_start_that_hangs_is_told_within_two_seconds() -> None:
    """Nobody is left in front of a silent screen; when it opens after all, all goes well."""
    screen, engine = Screen(), Slow()
    session = Session(SessionPlan("s", ENGLISH), engine, None, screen, no_sleep)
    async with beside(session.run()):
        await session.feed(marked_audio(range(10)))
        async with asyncio.timeout(2):
            async for state in troubles(session, 0.05):
                assert state.state == "recovering"
                assert "slow has not answered" in state.detail
                break
        engine.go.set()
        async for state in troubles(session, 0.01):
            if state.state == "listening":
                break
        session.end()
        await session.finished()
    assert screen.states == ["waiting", "recovering", "listening"]
    assert screen.words == [str(n) for n in range(10)]


async def test_a_source_hears_of_a_failure_though_it_sends_nothing() -> None:
    """The reason comes to it, it does not have to fetch it."""
    session = Session(SessionPlan("s", ENGLISH), Doomed(NoEngine("Gone.")), None, Screen())
    await session.run()
    with pytest.raises(NoEngine, match="Gone"):
        await anext(aiter(troubles(session, 60)))


async def test_a_missing_engine_is_not_tried_again() -> None:
    """No budget is spent on what cannot work."""
    engine = Doomed(NoEngine("No engine knows it-IT."))
    screen = Screen()
    await Session(SessionPlan("s", ENGLISH), engine, None, screen, no_sleep).run()
    assert (engine.opened, screen.states) == (1, ["waiting", "failed"])


async def test_odd_bytes_are_refused_and_nothing_of_them_is_taken() -> None:
    """Half a sample would turn all that follows into noise."""
    session = Session(SessionPlan("s", ENGLISH), ScriptedEngine(), None, Screen())
    with pytest.raises(BadAudio, match="3 bytes"):
        await session.feed(b"abc")
    assert session.fed_frame == 0


async def test_an_engine_of_one_channel_hears_the_mean_of_two() -> None:
    """It never sees that there were two; half a frame, one sample of two, is refused."""
    screen = Screen()
    engine = Scripted()
    session = Session(SessionPlan("s", ENGLISH, channels=2), engine, None, screen)
    pcm = marked_audio(range(5))
    async with asyncio.timeout(20), beside(session.run()):
        with pytest.raises(BadAudio, match="a multiple of 4"):
            await session.feed(bytes(6))
        await session.feed(interleaved(pcm, pcm))
        session.end()
        await session.finished()
    assert session.fed_frame == 5 * BLOCK_FRAMES
    assert screen.shown[-1].text == "0 1 2 3 4"
    assert [chunk.both for chunk in engine.heard] == [b""] * len(engine.heard)


class Scripted(ScriptedEngine):
    """Remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__(Script(5))
        self.heard: list[AudioChunk] = []

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator[ScriptedStream]:
        async with super().open(request) as stream:
            send = stream.send

            async def noted(chunk: AudioChunk) -> None:
                self.heard.append(chunk)
                await send(chunk)

            stream.send = noted  # type: ignore[method-assign]
            yield stream


class Stuck:
    """An engine that takes nothing until it is told to."""

    name = "stuck"
    gated = False

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.end_frame = 0

    def knows(self, language: Language) -> bool:
        return True

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator["Stuck"]:
        yield self

    async def send(self, chunk: AudioChunk) -> None:
        await self.go.wait()
        self.end_frame = chunk.end_frame

    async def end(self) -> None:
        await self.go.wait()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        while True:
            await self.go.wait()
            yield Settled(self.end_frame)
            await asyncio.sleep(0)


async def test_a_source_waits_when_two_minutes_wait_for_the_engine() -> None:
    """A stuck engine fills a bounded backlog, then the source feels it; nothing is dropped."""
    engine = Stuck()
    session = Session(SessionPlan("s", ENGLISH), engine, None, Screen(), no_sleep)
    second = bytes(2 * RATE_HZ)
    async with beside(session.run()):
        for _ in range(120):
            await session.feed(second)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.feed(second)
        assert session.lag_frames == 120 * RATE_HZ
        engine.go.set()
        await session.feed(second)
        assert session.fed_frame == 121 * RATE_HZ


class Talkative:
    """A hostile engine: always sure that somebody thanked it for watching."""

    name = "talkative"
    gated = True

    def __init__(self) -> None:
        self._heard: list[AudioChunk] = []
        self._ended = asyncio.Event()

    def knows(self, language: Language) -> bool:
        return True

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator["Talkative"]:
        yield self

    async def send(self, chunk: AudioChunk) -> None:
        self._heard.append(chunk)

    async def end(self) -> None:
        self._ended.set()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        await self._ended.wait()
        end = self._heard[-1].end_frame
        yield Hypothesis("thank you", 0, end)
        yield Hypothesis("thank you for watching", 0, end, True)

    @property
    def pcm(self) -> bytes:
        return b"".join(chunk.pcm for chunk in self._heard)


class Probability:
    """A detector that is always as sure."""

    def __init__(self, probability: float) -> None:
        self._probability = probability

    def __call__(self, window: bytes) -> float:
        return self._probability


async def hostile(detector: VoiceDetector) -> tuple[Screen, Session, Talkative]:
    """Let the hostile engine hear two seconds of a tone behind a gate."""
    engine, screen = Talkative(), Screen()
    pcm = (b"\x00\x10" * 40 + b"\x00\xf0" * 40) * 400
    session = await talk(engine, pcm, screen, gate=Gate(detector))
    return screen, session, engine


async def test_nothing_is_shown_where_no_speech_was() -> None:
    """The engine is sure, the gate is not: neither partial nor final appears."""
    screen, session, engine = await hostile(Probability(0.0))
    assert screen.shown == []
    assert session.withheld_words == 4
    assert not any(engine.pcm), "what the gate withholds is digital silence"


class Listener(Talkative):
    """Says of everything it is sent, at once, that there is nothing more to say about it."""

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        told = 0
        while not (self._ended.is_set() and told == len(self._heard)):
            while told < len(self._heard):
                yield Settled(self._heard[told].end_frame)
                told += 1
            await asyncio.sleep(0)


class Loud:
    """A detector that takes whatever is not silent for speech."""

    def __call__(self, window: bytes) -> float:
        return float(any(window))


@pytest.mark.parametrize("sends_silence", [True, False])
async def test_silence_is_left_out_where_that_is_set(sends_silence: bool) -> None:
    """An engine that is done with the words hears nothing until the next ones, at their time."""
    engine, second = Listener(), b"\x00\x10" * RATE_HZ
    silence = bytes(len(second) * 60)
    gate = Gate(Loud(), GateSettings(sends_silence=sends_silence))
    session = await talk(engine, second + silence + second, Screen(), gate=gate)
    frames = sum(chunk.frames for chunk in engine._heard)
    assert session.lag_frames == 0
    assert session.durable_frame == session.fed_frame == 62 * RATE_HZ
    assert any(chunk.first_frame <= 61 * RATE_HZ < chunk.end_frame for chunk in engine._heard)
    assert (frames == 62 * RATE_HZ) == sends_silence
    assert sends_silence or frames < 10 * RATE_HZ


class Endpointing(Talkative):
    """Says its word only once it has heard half a second of silence after it."""

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        said = False
        while not self._ended.is_set():
            voice = [chunk for chunk in self._heard if chunk.voiced]
            quiet = [chunk for chunk in self._heard if not chunk.voiced]
            if not said and voice and sum(c.frames for c in quiet) >= RATE_HZ // 2:
                said = True
                yield Hypothesis("yes", voice[0].first_frame, voice[-1].end_frame, True)
            await asyncio.sleep(0)


async def test_silence_is_heard_until_the_words_are_out() -> None:
    """An engine that finds the end of an utterance by its silence is sent that silence."""
    second = b"\x00\x10" * RATE_HZ
    gate = Gate(Loud(), GateSettings(sends_silence=False))
    screen = Screen()
    await talk(Endpointing(), second + bytes(10 * len(second)), screen, gate=gate)
    assert [segment.text for segment in screen.shown if segment.is_final] == ["yes"]


async def test_what_was_said_is_shown() -> None:
    """The same engine over sure speech is believed."""
    screen, session, _ = await hostile(Probability(0.99))
    assert screen.words == ["thank", "you", "for", "watching"]
    assert session.withheld_words == 0


async def test_audio_is_acknowledged_only_once_its_text_is_durable() -> None:
    """An acknowledgement means: in the log, whatever happens now."""
    screen = Screen(durable=False)
    session = await talk(ScriptedEngine(Script(5)), marked_audio(range(12)), screen)
    assert session.durable_frame == 0
    screen.savings[0].durable = True
    assert session.durable_frame == 5 * BLOCK_FRAMES
    for saving in screen.savings:
        saving.durable = True
    assert session.durable_frame == 12 * BLOCK_FRAMES


async def test_acknowledgements_only_grow() -> None:
    """A source hears of progress, and not of the same position twice."""
    session = Session(SessionPlan("s", ENGLISH), ScriptedEngine(Script(5)), None, Screen())
    async with beside(session.run()):
        told: list[int] = []
        for n in range(0, 20, 5):
            await session.feed(marked_audio(range(n, n + 5)))
        async for position in acknowledgements(session, 0.0):
            told.append(position)
            if position == 20 * BLOCK_FRAMES:
                break
    assert told == sorted(set(told))


class EndsEarly:
    """An engine whose stream ends cleanly although the audio goes on."""

    name = "ends-early"
    gated = False

    def __init__(self) -> None:
        self.opened = 0

    def knows(self, language: Language) -> bool:
        return True

    def open(self, request: StreamRequest) -> AbstractAsyncContextManager[EngineStream]:
        self.opened += 1
        if self.opened == 1:
            return self._short()
        return ScriptedEngine(Script(5)).open(request)

    @asynccontextmanager
    async def _short(self) -> AsyncIterator[EngineStream]:
        yield _Short()


class _Short:
    async def send(self, chunk: AudioChunk) -> None:
        pass

    async def end(self) -> None:
        pass

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        nothing: tuple[EngineEvent, ...] = ()
        for event in nothing:
            yield event


async def test_a_stream_that_ends_by_itself_is_a_break() -> None:
    """A clean end before ours is a lost connection: a new stream hears it all again."""
    engine, screen = EndsEarly(), Screen()
    await talk(engine, marked_audio(range(10)), screen)
    assert engine.opened == 2
    assert screen.words == [str(n) for n in range(10)]


class Hostile:
    """A scripted engine whose first streams do something that no engine should."""

    name = "hostile"
    gated = False

    def __init__(self, *streams: EngineStream) -> None:
        self._streams = list(streams)
        self.opened = 0

    def knows(self, language: Language) -> bool:
        return True

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator[EngineStream]:
        self.opened += 1
        if self._streams:
            yield self._streams.pop(0)
            return
        async with ScriptedEngine(Script(5)).open(request) as stream:
            yield stream


class Silent:
    """A stream that takes everything, and never says or ends anything."""

    async def send(self, chunk: AudioChunk) -> None:
        pass

    async def end(self) -> None:
        pass

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        await asyncio.Event().wait()
        yield Settled(0)


class Says(Silent):
    """A stream that says something as soon as it is asked."""

    def __init__(self, *events: EngineEvent) -> None:
        self._events = events

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        for event in self._events:
            yield event
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    "stream",
    [
        Silent(),
        Says(Hypothesis("from the future", 0, 10**9, True)),
        Says(Hypothesis("backwards", 4 * RATE_HZ, 0, True)),
        Says(Settled(10**9)),
    ],
    ids=["stalls", "future", "backwards", "settles all"],
)
async def test_an_engine_that_stalls_or_talks_garbage_costs_nothing_but_time(
    stream: EngineStream,
) -> None:
    """A new stream hears the same audio again: nothing invented, nothing lost, nothing twice."""
    screen, engine = Screen(), Hostile(stream)
    session = Session(SessionPlan("s", ENGLISH), engine, None, screen, no_sleep, stall_s=0.02)
    async with beside(session.run()):
        await session.feed(marked_audio(range(12)))
        session.end()
        await session.saved()
    assert engine.opened == 2
    assert screen.words == [str(n) for n in range(12)]


async def test_a_quiet_source_is_no_stalled_engine() -> None:
    """Where nothing waits for its text there is nothing to be impatient about."""
    screen, engine = Screen(), Hostile()
    session = Session(SessionPlan("s", ENGLISH), engine, None, screen, no_sleep, stall_s=0.005)
    async with beside(session.run()):
        await session.feed(marked_audio(range(5)))
        await asyncio.sleep(0.05)
        session.end()
        await session.finished()
    assert engine.opened == 1


async def test_nobody_waits_for_a_session_that_is_gone() -> None:
    """A source in front of a full backlog hears when the session was ended under it."""
    session = Session(SessionPlan("s", ENGLISH), Hostile(Silent()), None, Screen(), no_sleep)
    async with beside(session.run()):
        while session.lag_frames < 120 * RATE_HZ:
            await session.feed(bytes(2 * RATE_HZ))
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(session.room_for_more())
            await asyncio.sleep(0)
            tasks.create_task(_cancel_soon(waiting, session))
    with pytest.raises(Stopping):
        await session.room_for_more()


async def _cancel_soon(waiting: asyncio.Task[None], session: Session) -> None:
    assert not waiting.done()
    waiting.cancel()
    session.end()
