"""What every engine promises."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from difflib import SequenceMatcher
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import numpy as np
import pytest

from parola.audio.decode import decode
from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.beside import beside
from parola.domain.audio import RATE_HZ, AudioChunk, to_frames
from parola.domain.log import Withheld
from parola.domain.transcript import Hypothesis, Segment, Settled
from parola.domain.vocabulary import language_tag
from parola.engines.amazon import AmazonEngine, AmazonSettings
from parola.engines.pocketsphinx import PocketSphinxEngine
from parola.engines.scripted import ScriptedEngine
from parola.engines.sherpa import SherpaEngine
from parola.engines.sherpa_model import read_model
from parola.live.session import Session, SessionPlan
from parola.ports import Engine, EngineEvent, EngineStream, RoomState, StreamRequest
from parola.wiring import SAMPLE, EngineName
from tests.hostile_engine import HostileEngine
from tests.system.test_transcribe_api import running
from tests.tone_models import write_transducer

ENGLISH = language_tag("en-US")


@contextmanager
def pocketsphinx() -> Iterator[Engine]:
    with closing(PocketSphinxEngine()) as engine:
        yield engine


@contextmanager
def amazon(behind: str) -> Iterator[Engine]:
    """Amazon's engine, before our own endpoint, before a local engine."""
    with pytest.MonkeyPatch.context() as patch, running("--engine", behind) as url:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "not looked at")
        settings = AmazonSettings(
            region="eu-west-1", endpoint_url=url, catch_up_speed=10_000.0, starts_per_s=10_000.0
        )
        yield AmazonEngine(settings)


@contextmanager
def sherpa() -> Iterator[Engine]:
    """Hear speech as tones: what comes is nonsense, and keeps every promise all the same."""
    with TemporaryDirectory() as folder:
        model = read_model(write_transducer(Path(folder) / "tones"))
        with closing(SherpaEngine([model])) as engine:
            yield engine


ENGINES: dict[str, Callable[[], AbstractContextManager[Engine]]] = {
    "scripted": lambda: nullcontext(ScriptedEngine()),
    "pocketsphinx": pocketsphinx,
    "amazon before scripted": partial(amazon, "scripted"),
    "sherpa": sherpa,
}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with ENGINES[request.param]() as opened:
        yield opened


def test_every_engine_there_is_keeps_the_contract() -> None:
    """Whatever the settings can name is in the table above; a new engine has to be added."""
    known = {name.split()[0] for name in ENGINES}
    assert set(get_args(EngineName)) - {"auto"} == known


LENGTH_S = 7.0
"""Of the speech that every engine hears."""

_HEARD: dict[Engine, list[EngineEvent]] = {}


async def heard(engine: Engine) -> list[EngineEvent]:
    """Return what an engine says of the speech: it hears it once, for all tests."""
    if engine not in _HEARD:
        _HEARD[engine] = await hear(engine, speech())
    return _HEARD[engine]


@cache
def speech() -> tuple[AudioChunk, ...]:
    """Return the first seconds of the sample talk, two utterances, as a gate lets them through."""
    gate = Gate(SileroDetector())
    chunks: list[AudioChunk] = []
    for chunk in decode(SAMPLE):
        if chunk.first_frame >= to_frames(LENGTH_S):
            break
        chunks += gate.add(chunk)
    return (*chunks, *gate.flush())


def shifted(chunks: tuple[AudioChunk, ...], frames: int) -> Iterator[AudioChunk]:
    for chunk in chunks:
        yield AudioChunk(chunk.first_frame + frames, chunk.pcm, chunk.voiced)


async def hear(engine: Engine, chunks: tuple[AudioChunk, ...], first: int = 0) -> list[EngineEvent]:
    """Return all a stream says of the chunks, moved to begin at frame `first`."""

    async def send(stream: EngineStream) -> None:
        for chunk in shifted(chunks, first - chunks[0].first_frame):
            await stream.send(chunk)
        await stream.end()

    async with asyncio.timeout(60):
        async with engine.open(StreamRequest(ENGLISH, "s", first)) as stream, beside(send(stream)):
            return [event async for event in stream]


def finals(events: list[EngineEvent]) -> list[Hypothesis]:
    return [e for e in events if isinstance(e, Hypothesis) and e.is_final and e.text]


async def test_speech_gives_words_on_the_sessions_clock(engine: Engine) -> None:
    """Finals and their words lie inside the audio, in order, wherever the stream starts."""
    first = 7 * 3600 * RATE_HZ
    found = finals(await hear(engine, speech(), first))
    assert found
    last = first
    for final in found:
        assert first <= final.first_frame < final.end_frame <= first + to_frames(LENGTH_S)
        assert final.text == " ".join(word.text for word in final.words)
        for word in final.words:
            assert last <= word.start_frame <= word.end_frame <= final.end_frame
            last = word.start_frame


async def test_the_same_audio_gives_the_same_finals(engine: Engine) -> None:
    """A replay after a crash finds what is in the log already."""
    assert finals(await hear(engine, speech())) == finals(await heard(engine))


async def test_an_utterance_keeps_its_first_frame(engine: Engine) -> None:
    """Partials and their final are one utterance to whoever shows them."""
    events = await heard(engine)
    starts: set[int] = set()
    for event in events:
        if isinstance(event, Hypothesis):
            starts.add(event.first_frame)
            if event.is_final:
                assert starts == {event.first_frame}
                starts.clear()


async def test_settled_audio_is_never_spoken_of_again(engine: Engine) -> None:
    """What was settled may be forgotten: no later hypothesis reaches back."""
    settled = 0
    for event in await heard(engine):
        if isinstance(event, Settled):
            settled = max(settled, event.end_frame)
        else:
            assert all(word.start_frame >= settled for word in event.words)
    assert settled > 0


async def test_no_audio_gives_nothing_and_an_end(engine: Engine) -> None:
    """A source that leaves at once is no error."""
    async with asyncio.timeout(30), engine.open(StreamRequest(ENGLISH, "s")) as stream:
        await stream.end()
        assert [event async for event in stream if isinstance(event, Hypothesis)] == []


async def test_two_streams_do_not_mix(engine: Engine) -> None:
    """Rooms are recognised side by side."""
    talks = speech(), speech()[:40]
    alone = [finals(await heard(engine)), finals(await hear(engine, talks[1]))]
    both = await asyncio.gather(*(hear(engine, talk) for talk in talks))
    assert [finals(events) for events in both] == alone


async def test_leaving_a_stream_in_mid_sentence_is_clean(engine: Engine) -> None:
    """The context may be left at any time; the next stream knows nothing of it."""
    alone = finals(await heard(engine))
    async with engine.open(StreamRequest(ENGLISH, "s")) as stream:
        for chunk in speech()[:20]:
            await stream.send(chunk)
    assert finals(await hear(engine, speech())) == alone


async def test_settled_silence_may_be_left_out(engine: Engine) -> None:
    """A chunk may begin later than the last one ended: the same words, at the same times."""
    if not engine.gated:
        pytest.skip("no gate stands before it: nothing is ever left out")
    pause = to_frames(30)
    talk = speech()[:40]
    end = talk[-1].end_frame
    silence = AudioChunk(end, bytes(2 * to_frames(4)), voiced=False)
    again = tuple(shifted(talk, end + pause))
    rest = AudioChunk(silence.end_frame, bytes(2 * (pause - silence.frames)), voiced=False)
    whole = finals(await hear(engine, (*talk, silence, rest, *again)))
    assert finals(await hear(engine, (*talk, silence, *again))) == whole
    assert whole[-1].first_frame >= end + pause


@pytest.fixture(scope="module", params=[*ENGINES, "hostile"])
def any_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Give every engine, and one that always speaks."""
    make = ENGINES.get(request.param, lambda: nullcontext(HostileEngine()))
    with make() as opened:
        yield opened


async def shown(engine: Engine, pcm: bytes) -> list[str]:
    """Return the texts, guesses too, that a guarded session shows of some sound."""
    texts: list[str] = []

    class Screen:
        async def show(self, segment: Segment) -> None:
            texts.append(segment.text)

        async def withhold(self, withheld: Withheld) -> None:
            pass

        async def tell(self, state: RoomState) -> None:
            assert state.state != "failed", state.detail

    session = Session(SessionPlan("s", ENGLISH), engine, Gate(SileroDetector()), Screen())
    async with asyncio.timeout(60), beside(session.run()):
        for at in range(0, len(pcm), 3200):
            await session.feed(pcm[at : at + 3200])
        session.end()
        await session.finished()
    return [text for text in texts if text]


async def test_silence_in_no_words_out(any_engine: Engine) -> None:
    """Whatever the engine is: digital silence is shown without a word, and without a guess."""
    assert await shown(any_engine, bytes(10 * RATE_HZ * 2)) == []


async def test_noise_in_no_words_out(any_engine: Engine) -> None:
    """Neither is noise: white, and louder and softer by turns as speech is."""
    chance = np.random.default_rng(3)
    rhythm = 1 + np.sin(np.arange(10 * RATE_HZ) * (2 * np.pi * 4 / RATE_HZ))
    noise = chance.normal(0, 1500, 10 * RATE_HZ)
    for samples in (noise, noise * rhythm):
        assert await shown(any_engine, samples.astype("<i2").tobytes()) == []


async def test_through_amazons_protocol_a_recogniser_hears_much_the_same() -> None:
    """Amazon's engine before our endpoint before the real recogniser: its words, and few others.

    The endpoint's own gate hears what the gate here let through, so a word may differ.
    """
    with pocketsphinx() as engine:
        alone = finals(await hear(engine, speech()))
    with amazon("pocketsphinx") as engine:
        through = finals(await hear(engine, speech()))
    said, again = ([word.text for final in one for word in final.words] for one in (alone, through))
    assert SequenceMatcher(None, said, again).ratio() >= 0.8, (said, again)
