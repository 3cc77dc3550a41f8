"""The embedded engine on real recordings, with its real gate and in its real processes."""

import asyncio
import os
import signal
import wave
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.domain.audio import FRAME_BYTES, AudioChunk, to_frames
from parola.domain.errors import EngineFailed, NoEngine
from parola.domain.terms import Terms
from parola.domain.transcript import Hypothesis, Settled, Word
from parola.domain.vocabulary import Language
from parola.engines.pocketsphinx import PocketSphinxEngine
from parola.engines.pocketsphinx_recogniser import (
    CUT_WITHIN,
    MAX_UTTERANCE,
    UNFINISHED,
    cutting_place,
)
from parola.ports import EngineEvent, StreamRequest

pytestmark = pytest.mark.audio

LONGER = "speech/lj-001-0001.wav"
SHORT = "speech/libri-1089-134691-0.wav"
"""'he could wait no longer'"""
NAMES = "speech/libri-1272-128104-0.wav"
"""'mister quilter is the apostle of the middle classes and we are glad to welcome his gospel'"""
COMMAND = "speech/google-half_an_hour.wav"


@pytest.fixture(scope="module")
def engine() -> Iterator[PocketSphinxEngine]:
    """The engine, started once for all tests here."""
    made = PocketSphinxEngine()
    made.start()
    yield made
    made.close()


def sound(recordings: Path, name: str) -> bytes:
    """Return a recording's frames."""
    with wave.open(str(recordings / name)) as file:
        frames: bytes = file.readframes(file.getnframes())
        return frames


def gated(pcm: bytes, first_frame: int = 0) -> list[AudioChunk]:
    """Return audio as the session's gate passes it on, fed in chunks of 100 ms."""
    gate = Gate(SileroDetector())
    size = to_frames(0.1) * FRAME_BYTES
    out: list[AudioChunk] = []
    for at in range(0, len(pcm), size):
        out += gate.add(AudioChunk(first_frame + at // FRAME_BYTES, pcm[at : at + size]))
    return [*out, *gate.flush()]


async def hear(
    engine: PocketSphinxEngine,
    chunks: list[AudioChunk],
    session: str = "s",
    terms: Terms | None = None,
) -> list[EngineEvent]:
    """Return all that the engine says to some audio."""
    first = chunks[0].first_frame
    request = StreamRequest(Language("en-US"), session, first, terms=terms or Terms())
    async with engine.open(request) as stream:

        async def speak() -> None:
            for chunk in chunks:
                await stream.send(chunk)
            await stream.end()

        async with asyncio.TaskGroup() as group:
            group.create_task(speak())
            return [event async for event in stream]


def finals(events: list[EngineEvent]) -> list[Hypothesis]:
    """Return the finals among events."""
    return [event for event in events if isinstance(event, Hypothesis) and event.is_final]


async def test_clear_speech_is_understood(engine: PocketSphinxEngine, recordings: Path) -> None:
    """Most words of a clearly read sentence come out, guesses first, then a final."""
    events = await hear(engine, gated(sound(recordings, SHORT)))
    assert [final.text for final in finals(events)] == ["he could wait no longer"]
    guesses = [e for e in events if isinstance(e, Hypothesis) and not e.is_final]
    assert len(guesses) >= 3
    assert {guess.first_frame for guess in guesses} == {finals(events)[0].first_frame}


async def test_the_talks_own_words_are_heard_by_its_stream_alone(
    engine: PocketSphinxEngine, recordings: Path
) -> None:
    """A name that no dictionary has comes out as it was written; the next stream knows nothing."""
    chunks = gated(sound(recordings, NAMES))
    terms = Terms(("Mister Quilter", "Linnell"), "On the idylls of the middle classes.")
    events = await hear(engine, chunks, terms=terms)
    words = [word for final in finals(events) for word in final.words]
    assert [word.text for word in words[:2]] == ["Mister", "Quilter"]
    assert words[0].end_frame <= words[1].start_frame < words[1].end_frame
    shown = " ".join(e.text for e in events if isinstance(e, Hypothesis) and not e.is_final)
    assert "Quilter" in shown
    assert "Quilter" not in " ".join(final.text for final in finals(await hear(engine, chunks)))
    # The vocabulary that the first stream built and left behind is as good as a new one.
    assert finals(await hear(engine, chunks, terms=terms)) == finals(events)


async def test_words_lie_inside_the_audio_and_follow_one_another(
    engine: PocketSphinxEngine, recordings: Path
) -> None:
    """Every word has its time on the session's clock, in order, and a confidence from 0 to 1."""
    begin = to_frames(3600)
    chunks = gated(sound(recordings, LONGER), begin)
    said = finals(await hear(engine, chunks))
    words = [word for final in said for word in final.words]
    assert len(words) >= 15
    assert begin <= words[0].start_frame
    assert words[-1].end_frame <= chunks[-1].end_frame
    for word, after in pairwise(words):
        assert word.start_frame < word.end_frame <= after.start_frame
    for final in said:
        assert final.text == " ".join(word.text for word in final.words)
        assert all(
            final.first_frame <= w.start_frame and w.end_frame <= final.end_frame
            for w in final.words
        )
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in words)
    assert not any(sign in final.text for final in said for sign in "<>[]()+")


async def test_silence_brings_nothing_and_is_settled(engine: PocketSphinxEngine) -> None:
    """Three seconds of silence bring no word, and the word that they are done with."""
    events = await hear(engine, gated(bytes(to_frames(3.25) * FRAME_BYTES)))
    assert all(isinstance(event, Settled) for event in events)
    assert events[-1] == Settled(to_frames(3.25))
    assert 2 <= len(events) <= 4


async def test_what_is_settled_is_never_spoken_of_again(
    engine: PocketSphinxEngine, recordings: Path
) -> None:
    """After `Settled`, no hypothesis reaches back before its frame, and all audio gets settled."""
    pause = bytes(to_frames(1.5) * FRAME_BYTES)
    audio = sound(recordings, SHORT) + pause + sound(recordings, COMMAND) + pause
    events = await hear(engine, gated(audio))
    settled = 0
    for event in events:
        if isinstance(event, Settled):
            assert event.end_frame > settled
            settled = event.end_frame
        else:
            assert event.first_frame >= settled
    assert settled == len(audio) // FRAME_BYTES
    assert len(finals(events)) == 2


async def test_endless_speech_is_cut_between_words(
    engine: PocketSphinxEngine, recordings: Path
) -> None:
    """Speech without a pause is cut where no word is, and no stretch of it is lost or doubled."""
    audio = sound(recordings, LONGER) + sound(recordings, LONGER)
    chunk = AudioChunk(0, audio)
    said = finals(await hear(engine, [chunk]))
    assert len(said) >= 2
    assert said[0].first_frame == 0
    assert said[-1].end_frame == chunk.end_frame
    for final, after in pairwise(said):
        assert final.end_frame == after.first_frame
        assert final.end_frame - final.first_frame <= MAX_UTTERANCE
        assert all(w.start_frame < w.end_frame <= final.end_frame for w in final.words)


@given(st.lists(st.integers(0, MAX_UTTERANCE // 160), max_size=10))
def test_a_cut_is_near_the_end_and_outside_of_words(borders: list[int]) -> None:
    """Whatever the words, a cut leaves less than was cut, and splits no finished word."""
    frames = sorted(160 * border for border in borders)
    words = tuple(Word("w", *pair) for pair in zip(frames[::2], frames[1::2], strict=False))
    place = cutting_place(words, MAX_UTTERANCE)
    assert MAX_UTTERANCE - CUT_WITHIN <= place < MAX_UTTERANCE
    for word in words:
        if word.start_frame < place < word.end_frame:
            assert word.start_frame < MAX_UTTERANCE - CUT_WITHIN
            assert word.end_frame > MAX_UTTERANCE - UNFINISHED


async def test_a_killed_worker_is_told_within_a_second(
    engine: PocketSphinxEngine, recordings: Path
) -> None:
    """A recogniser killed in the middle of a sentence raises at once; the next stream works."""
    chunks = gated(sound(recordings, SHORT))
    async with engine.open(StreamRequest(Language("en-US"), "s")) as stream:
        for chunk in chunks[: len(chunks) // 2]:
            await stream.send(chunk)
        os.kill(stream.pid, signal.SIGKILL)
        async with asyncio.timeout(1):
            with pytest.raises(EngineFailed, match="pocketsphinx's worker process ended"):
                [event async for event in stream]
    assert finals(await hear(engine, chunks))


async def test_two_streams_do_not_mix(engine: PocketSphinxEngine, recordings: Path) -> None:
    """Two sessions at once bring what each brings alone."""
    one, two = (gated(sound(recordings, name)) for name in (SHORT, COMMAND))
    alone = [finals(await hear(engine, chunks)) for chunks in (one, two)]
    together = await asyncio.gather(hear(engine, one, "one"), hear(engine, two, "two"))
    assert [finals(events) for events in together] == alone


async def test_it_knows_english_only(engine: PocketSphinxEngine) -> None:
    """Any English is accepted; another language is refused in a sentence that names it."""
    assert engine.knows(Language("en-GB"))
    assert not engine.knows(Language("it-IT"))
    with pytest.raises(NoEngine, match="it-IT"):
        async with engine.open(StreamRequest(Language("it-IT"), "s")):
            pass
