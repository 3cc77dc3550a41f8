"""What the gate remembers of where speech was."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.audio.silero import WINDOW_FRAMES
from parola.audio.speech_record import LIMIT, TOLL, Speech, SpeechRecord
from parola.domain.audio import RATE_HZ

EVERYTHING = (0, 1 << 40)


def record_of(probabilities: list[float], memory_s: float = 120.0) -> SpeechRecord:
    record = SpeechRecord(memory_s)
    for number, probability in enumerate(probabilities):
        record.add(number * WINDOW_FRAMES, probability)
    return record


@given(st.lists(st.floats(0, 1), max_size=60))
def test_the_strength_is_that_of_the_best_run(probabilities: list[float]) -> None:
    """As a run's windows summed one by one, set back to nothing where it falls below."""
    best = run = 0.0
    for p in probabilities:
        odds = math.log(p / (1 - p)) if 0 < p < 1 else LIMIT * (2 * p - 1)
        run = max(run + min(max(odds, -LIMIT), LIMIT) - TOLL, 0.0)
        best = max(best, run)
    assert record_of(probabilities).under(*EVERYTHING).best.strength == pytest.approx(best)


def test_scattered_windows_never_add_up() -> None:
    """An hour with a sure window every second is no speech, a third of a second of them is."""
    scattered = record_of(([0.95] + [0.05] * 30) * 60)
    assert scattered.under(*EVERYTHING).best.strength < 2
    assert record_of([0.99] * 10).under(*EVERYTHING).best.strength > 30


def test_only_windows_with_their_middle_in_the_span_count() -> None:
    """A word's evidence is what was heard under it."""
    record = record_of([0.01] * 10 + [0.99] * 5 + [0.01] * 10)
    assert record.under(0, 10 * WINDOW_FRAMES) == Speech((), 0)
    assert record.under(10 * WINDOW_FRAMES, 15 * WINDOW_FRAMES).best.windows == 5
    assert not record.has_speech(0, 10 * WINDOW_FRAMES)
    assert record.has_speech(0, 11 * WINDOW_FRAMES)


def test_old_evidence_is_forgotten() -> None:
    """Evidence is kept for as long as it was asked for, so hours of speech fill no memory."""
    record = record_of([0.99] * 2000, memory_s=2.0)
    kept = record.under(*EVERYTHING).windows
    assert 2 * RATE_HZ / WINDOW_FRAMES <= kept + 1 <= 4 * RATE_HZ / WINDOW_FRAMES + 2
