"""Of several languages the one whose engine is surest is answered with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from parola.beside import tasks_beside
from parola.domain.audio import AudioChunk
from parola.domain.transcript import Hypothesis
from parola.domain.vocabulary import Language, language_tag
from parola.engines.scripted import Script, ScriptedEngine, ScriptedStream, marked_audio
from parola.live.session import SessionPlan
from parola.ports import EngineEvent, StreamRequest
from parola.transcribe_api.answers import Answers
from parola.transcribe_api.contest import Contest
from parola.wire import eventstream
from parola.wire.transcribe import Result, StreamParameters, read_transcript_event

ASKED = StreamParameters(identify_language=True, language_options=("it-IT", "en-US"))


class Tongue:
    """Knows one language, and is always as sure; at 0.0 it hears nothing at all."""

    gated = False

    def __init__(self, tag: str, sure: float) -> None:
        self.name = tag
        self._engine = ScriptedEngine(Script(5))
        self._language = language_tag(tag)
        self._sure = sure

    def knows(self, language: Language) -> bool:
        return language == self._language

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator["_Unsure"]:
        async with self._engine.open(request) as stream:
            yield _Unsure(stream, self._sure)


class _Unsure:
    def __init__(self, stream: ScriptedStream, sure: float) -> None:
        self._stream = stream
        self._sure = sure

    async def send(self, chunk: AudioChunk) -> None:
        await self._stream.send(chunk)

    async def end(self) -> None:
        await self._stream.end()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        async for event in self._stream:
            if isinstance(event, Hypothesis):
                words = tuple(replace(word, confidence=self._sure) for word in event.words)
                heard = replace(event, words=words)
                yield heard if self._sure else replace(heard, text="", words=())
            else:
                yield event


async def hold(blocks: int, *tongues: Tongue) -> list[Result]:
    """Let all of them hear a talk, and return what is answered."""
    results: list[Result] = []

    async def send(frame: bytes) -> None:
        results.extend(read_transcript_event(eventstream.decode(frame).payload))

    contest = Contest(Answers(ASKED, send, None))
    for tongue in tongues:
        contest.enter(SessionPlan(tongue.name, language_tag(tongue.name)), tongue, None)
    async with asyncio.timeout(20), tasks_beside() as tasks:
        for voice in contest.voices:
            tasks.create_task(voice.session.run())
        for n in range(blocks):
            await contest.feed(marked_audio([n]))
            await asyncio.sleep(0)
        contest.end()
        await contest.finished()
    return results


def words(results: list[Result]) -> list[str]:
    finals = [one for one in results if not one.is_partial]
    return " ".join(one.alternatives[0].transcript for one in finals).split()


@pytest.mark.parametrize("blocks", [3, 29, 100])
@pytest.mark.parametrize(("italian", "english"), [(0.9, 0.3), (0.3, 0.9), (0.0, 0.4)])
async def test_the_surest_is_answered_with(blocks: int, italian: float, english: float) -> None:
    """Every word once, in one language, with scores; also where the talk is short."""
    results = await hold(blocks, Tongue("it-IT", italian), Tongue("en-US", english))
    assert words(results) == [str(n) for n in range(blocks)]
    assert {one.language_code for one in results} == {"it-IT" if italian > english else "en-US"}
    scores = {one.language_code: one.score for one in results[0].language_identification}
    assert scores["it-IT"] == pytest.approx(
        italian / (italian + english),
        abs=0.1,  # at the moment of the choice, one may have heard a final more than the other
    )
    assert sum(scores.values()) == pytest.approx(1)


async def test_one_language_is_answered_at_once() -> None:
    """There is nothing to find out, and no reason to wait."""
    results = await hold(7, Tongue("en-US", 0.2))
    assert results[0].is_partial
    assert words(results) == [str(n) for n in range(7)]
    assert [one.score for one in results[0].language_identification] == [1.0]


async def test_the_first_wins_a_draw() -> None:
    """The door puts the preferred language there."""
    results = await hold(40, Tongue("it-IT", 0.5), Tongue("en-US", 0.5))
    assert {one.language_code for one in results} == {"it-IT"}
