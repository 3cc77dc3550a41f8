"""The operator hears of what is wrong, why, and of nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.audio import RATE_HZ, AudioChunk
from parola.live.alarms import (
    SILENCE_S,
    SOURCE_QUIET_S,
    SPEECH_WITHOUT_WORDS_S,
    Alarms,
)

CHANCE = np.random.default_rng(5)


def sound(samples: np.ndarray, voiced: bool = True) -> AudioChunk:
    return AudioChunk(0, np.clip(samples, -32768, 32767).astype("<i2").tobytes(), voiced)


def noise(seconds: float, rms: float = 1000.0, voiced: bool = True) -> AudioChunk:
    return sound(CHANCE.normal(0, rms, round(seconds * RATE_HZ)), voiced)


def kinds(alarms: Alarms, now_s: float = 0.0, unsent_s: float = 0.0) -> list[str]:
    return [alarm.kind for alarm in alarms.now(now_s, unsent_s)]


def test_speech_without_words_is_told_with_a_reason() -> None:
    """After so much speech and so much time, once; words end it."""
    alarms = Alarms("it-IT", "pocketsphinx")
    assert kinds(alarms, 100.0) == []
    alarms.hear(noise(SPEECH_WITHOUT_WORDS_S))
    alarms.voice(noise(SPEECH_WITHOUT_WORDS_S))
    assert kinds(alarms, 101.0) == [], "a file that is played fast is ahead of its words"
    (alarm,) = alarms.now(100.0 + SPEECH_WITHOUT_WORDS_S)
    assert alarm.kind == "no words"
    assert "it-IT" in alarm.detail
    assert "pocketsphinx" in alarm.detail
    alarms.words()
    assert kinds(alarms, 200.0) == []


def test_the_reason_names_a_faint_voice_and_words_without_speech() -> None:
    """Microphone, or something that is no voice: each has its own sentence."""
    faint, sung = Alarms("en-US", "e"), Alarms("en-US", "e")
    for alarms, rms in ((faint, 60.0), (sung, 3000.0)):
        alarms.now(0.0)
        alarms.hear(noise(20, rms))
        alarms.voice(noise(20, rms))
    sung.withheld()
    assert "faint" in faint.now(60.0)[0].detail
    assert "music" in sung.now(60.0)[0].detail


def test_long_silence_says_whether_the_room_is_heard() -> None:
    """A muted microphone is not a coffee break."""
    muted, quiet = Alarms("en-US", "e"), Alarms("en-US", "e")
    for alarms, rms in ((muted, 0.0), (quiet, 50.0)):
        alarms.hear(noise(1, rms))
        alarms.voice(noise(SILENCE_S - 1, rms, voiced=False))
        assert kinds(alarms) == []
        alarms.voice(noise(1, rms, voiced=False))
    assert "muted" in muted.now(0.0)[0].detail
    assert "break" in quiet.now(0.0)[0].detail


def test_clipping_and_hum_are_told_and_go_away() -> None:
    """Both are judged over ten seconds; a good microphone ends them."""
    at = np.arange(10 * RATE_HZ) / RATE_HZ
    clipped = sound(np.sin(2 * np.pi * 300 * at) * 60_000)
    tones = [np.sin(2 * np.pi * 50 * n * at) / n for n in (1, 2, 3)]
    hum = sound(np.sum(tones, axis=0) * 2000)
    for kind, fault in (("clipping", clipped), ("hum", hum)):
        alarms = Alarms("en-US", "e")
        alarms.hear(fault)
        assert kinds(alarms) == [kind]
        alarms.hear(noise(10))
        assert kinds(alarms) == []


def test_a_source_that_sends_nothing_is_told() -> None:
    """It is connected, yet no sound comes."""
    alarms = Alarms("en-US", "e")
    assert kinds(alarms, 0.0, SOURCE_QUIET_S - 0.1) == []
    assert kinds(alarms, 0.0, SOURCE_QUIET_S) == ["source quiet"]
    alarms.end()
    assert kinds(alarms, 0.0, SOURCE_QUIET_S) == []


@pytest.mark.parametrize("rms", [5.0, 300.0, 5000.0])
def test_noise_is_neither_hum_nor_clipping(rms: float) -> None:
    """What a room sounds like is no fault of the line."""
    alarms = Alarms("en-US", "e")
    alarms.hear(noise(20, rms))
    assert kinds(alarms) == []


@given(st.lists(st.integers(1, 5 * RATE_HZ), max_size=8))
def test_cutting_the_sound_differently_changes_no_alarm(cuts: list[int]) -> None:
    """How a source cuts its sound says nothing about it."""
    at = np.arange(12 * RATE_HZ) / RATE_HZ
    whole = sound(np.sin(2 * np.pi * 50 * at) * 40_000)
    one, cut = Alarms("en-US", "e"), Alarms("en-US", "e")
    one.hear(whole)
    rest = whole
    for frames in cuts:
        part, rest = rest.cut(rest.first_frame + frames)
        cut.hear(part)
    cut.hear(rest)
    assert one.now(0.0) == cut.now(0.0)
    assert kinds(one) == ["clipping", "hum"]
