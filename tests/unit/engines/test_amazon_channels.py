"""Two channels become one row of lines: every word of both, and nothing let go too early."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.audio.pcm import interleaved
from parola.domain.audio import RATE_HZ, AudioChunk
from parola.domain.transcript import Hypothesis, SegmentAssembler, Word
from parola.engines.amazon import Recognition
from parola.engines.amazon_channels import WAIT_FRAMES, Turns
from parola.engines.scripted import BLOCK_FRAMES, marked_audio
from tests.unit.engines.amazon_service import KEYS, Service, running
from tests.unit.engines.test_amazon import engine_for, finals, hear

CHANNELS = ("ch_0", "ch_1")


@dataclass(frozen=True, slots=True)
class Said:
    """What a service says at one time of the talk: of one channel, one guess."""

    at: int
    channel: str
    guess: Hypothesis


def utterance(channel: str, number: int, first: int, words: int) -> Iterator[Said]:
    """Yield the partials of an utterance and its final, a word a second."""
    spoken: list[Word] = []
    for n in range(words):
        start = first + n * RATE_HZ
        spoken.append(Word(f"{channel}-{number}-{n}", start, start + RATE_HZ))
        text = " ".join(word.text for word in spoken)
        end = spoken[-1].end_frame
        yield Said(end, channel, Hypothesis(text, first, end, words=tuple(spoken)))
    text = " ".join(word.text for word in spoken)
    final = Hypothesis(text, first, spoken[-1].end_frame, is_final=True, words=tuple(spoken))
    yield Said(final.end_frame + RATE_HZ // 2, channel, final)


@st.composite
def talks(draw: st.DrawFn) -> list[Said]:
    """Return what is said of two channels, in the order of its coming."""
    said: list[Said] = []
    for channel in CHANNELS:
        at = 0
        for number, (pause, words) in enumerate(
            draw(st.lists(st.tuples(st.integers(1, 40_000), st.integers(1, 4)), max_size=6))
        ):
            said += utterance(channel, number, at + pause, words)
            at = said[-1].guess.end_frame
    return sorted(said, key=lambda one: one.at)


@given(talks())
def test_no_word_of_either_channel_is_lost_or_comes_twice(said: list[Said]) -> None:
    """A session keeps every word, each once, of one channel in order, and who said it."""
    turns, session = Turns(), SegmentAssembler("s", "en-US")
    given_ = [event for one in said for event in turns.add(one.channel, one.guess)]
    segments = [session.add(guess) for guess in [*given_, *turns.rest()]]
    kept = [segment for segment in segments if segment and segment.is_final]
    for channel in CHANNELS:
        spoken = [
            word.text
            for one in said
            if one.guess.is_final and one.channel == channel
            for word in one.guess.words
        ]
        heard = [word.text for segment in kept for word in segment.words]
        assert [text for text in heard if text.startswith(channel)] == spoken
    for segment in kept:
        assert {word.text[:4] for word in segment.words} == {segment.speaker}


@given(talks())
def test_what_was_let_go_held_nothing_unfinished(said: list[Said]) -> None:
    """A stream that breaks begins at the last final's end: all that has no final is behind it."""
    turns = Turns()
    unfinished: dict[tuple[str, int], int] = {}
    newest = 0
    for one in said:
        utterance_ = one.channel, one.guess.first_frame
        newest = max(newest, one.guess.end_frame)
        unfinished[utterance_] = one.guess.first_frame
        given_ = turns.add(one.channel, one.guess)
        for event in (event for event in given_ if event.is_final):
            del unfinished[event.channel, event.first_frame]
        ends = [event.end_frame for event in given_ if event.is_final]
        if ends and newest - max(ends) <= WAIT_FRAMES:
            assert min(unfinished.values(), default=max(ends)) >= max(ends)


def test_who_cuts_in_on_each_other_is_not_waited_for_without_end() -> None:
    """A line comes a few seconds after its end at the latest."""
    turns, given_ = Turns(), []
    for n in range(40):
        # Each begins in the last second of the one before.
        for one in utterance(CHANNELS[n % 2], n, n * 2 * RATE_HZ + 1, 3):
            given_ += turns.add(one.channel, one.guess)
            newest = one.guess.end_frame
            waiting = turns.waiting_frame
            assert waiting is None or newest - waiting <= WAIT_FRAMES + 8 * RATE_HZ
    assert len([event for event in given_ if event.is_final]) > 30


def test_one_guess_is_shown_and_it_is_of_the_next_line() -> None:
    """Two who speak at once do not take each other's place on the screen."""
    turns = Turns(("Ada", "Bob"))
    shown = [
        (event.speaker, event.text, event.is_final)
        for channel, guess in [
            ("ch_0", Hypothesis("I", 0, 10)),
            ("ch_1", Hypothesis("no", 5, 12)),
            ("ch_0", Hypothesis("I say", 0, 15)),
            ("ch_0", Hypothesis("I say", 0, 15, is_final=True)),
            ("ch_1", Hypothesis("", 5, 20)),
        ]
        for event in turns.add(channel, guess)
    ]
    assert shown == [
        ("Ada", "I", False),
        ("Ada", "I say", False),
        ("Ada", "I say", True),
    ]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)


def chunk_of(one: bytes, two: bytes, first: int = 0) -> AudioChunk:
    """Return a chunk of two channels; what they mix to is nothing that a mark could be in."""
    return AudioChunk(first, bytes(len(one)), both=interleaved(one, two))


async def test_each_channel_is_heard_for_itself() -> None:
    """The service is asked for both, in one stream, and its words have their speaker and time."""
    first = 160_000
    recognition = Recognition(enable_channel_identification=True, channel_names=("Ada", "Bob"))
    audio = chunk_of(
        marked_audio(range(5)) + bytes(10 * 2 * BLOCK_FRAMES),
        bytes(10 * 2 * BLOCK_FRAMES) + marked_audio(range(5, 10)),
        first,
    )
    async with running(Service()) as service:
        engine = engine_for(service, recognition=recognition)
        # The second talk has one channel: it is heard as ever.
        events = await hear(engine, [audio], first, channels=2)
        await hear(engine, [AudioChunk(0, marked_audio(range(5)))])
    two, one = (call.asked for call in service.calls)
    assert (two.enable_channel_identification, two.number_of_channels) == (True, 2)
    assert (one.enable_channel_identification, one.number_of_channels) == (False, None)
    assert [(final.speaker, final.text) for final in finals(events)] == [
        ("Ada 1", "0 1 2 3 4"),
        ("Bob 1", "5 6 7 8 9"),
    ]
    starts = [word.start_frame for final in finals(events) for word in final.words]
    assert starts == [first + n * BLOCK_FRAMES for n in [*range(5), *range(10, 15)]]
    # Of the 15 blocks, not of 15 for each channel.
    assert engine.bill("").seconds == 30


async def test_telephone_channels_travel_as_they_came() -> None:
    """8,000 samples a second of each, wherever the pieces are cut."""
    samples = np.arange(16_000, dtype="<i2")
    audio = [
        chunk_of(samples[at : at + 777].tobytes(), (-samples[at : at + 777]).tobytes(), at)
        for at in range(0, 16_000, 777)
    ]
    async with running(Service()) as service:
        engine = engine_for(service, recognition=Recognition(enable_channel_identification=True))
        await hear(engine, audio, rate_hz=8_000, channels=2)
    (call,) = service.calls
    even = samples[::2]
    assert bytes(call.telephone) == interleaved(even.tobytes(), (-even).tobytes())


async def test_silence_of_ours_has_two_channels_too() -> None:
    """Where a stream gets silence that the session left out, the clock of both goes on."""
    mark = marked_audio([1])
    end = 7 * BLOCK_FRAMES
    audio = [chunk_of(mark, mark), chunk_of(mark, mark, end)]
    async with running(Service()) as service:
        engine = engine_for(service, recognition=Recognition(enable_channel_identification=True))
        async with asyncio.timeout(20):
            events = await hear(engine, audio, channels=2)
    words = {(final.channel, final.words[-1].start_frame) for final in finals(events)}
    assert words == {("ch_0", 0), ("ch_1", 0), ("ch_0", end), ("ch_1", end)}
    assert service.calls[0].frames == end + BLOCK_FRAMES
