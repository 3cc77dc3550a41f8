"""No word without speech under it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.audio.silero import WINDOW_FRAMES
from parola.audio.speech_record import SpeechRecord
from parola.domain.transcript import Hypothesis, Word
from parola.live.calibration import Threshold, read, threshold_for
from parola.live.evidence import Evidence

LIMITS = Threshold(
    strength=20.0,
    short_strength=20.0,
    sure_strength=60.0,
    long_run_windows=40,
    letters_per_s=25.0,
    short_letters_per_s=20.0,
    slight_confidence=0.6,
    doubtful_below=0.5,
)


def heard(*runs: tuple[float, int]) -> SpeechRecord:
    """Return a record of so many windows of a probability each."""
    record = SpeechRecord(120.0)
    at = 0
    for probability, windows in runs:
        for _ in range(windows):
            record.add(at, probability)
            at += WINDOW_FRAMES
    return record


def said(*words: tuple[str, float, float], confidence: float | None = 0.9) -> Hypothesis:
    """Return a final of words with their spans in windows."""
    spans = [
        Word(text, round(first * WINDOW_FRAMES), round(end * WINDOW_FRAMES), confidence)
        for text, first, end in words
    ]
    text = " ".join(word.text for word in spans)
    return Hypothesis(text, spans[0].start_frame, spans[-1].end_frame, True, tuple(spans))


THANKS = said(("thank", 10, 20), ("you", 20, 30))


@given(st.integers(0, 4))
def test_text_without_enough_speech_is_withheld_and_counted(windows: int) -> None:
    """Four sure windows carry no text, however sure the engine is."""
    evidence = Evidence(heard((0.01, 15), (0.995, windows), (0.01, 30)), LIMITS)
    weighed = evidence.weigh(THANKS)
    assert (weighed.shown.text, weighed.shown.words, weighed.shown.is_final) == ("", (), True)
    assert (weighed.withheld, weighed.reason) == ("thank you", "no speech")
    assert evidence.withheld_words == 2


@given(st.integers(16, 60), st.floats(0.5, 1))
def test_text_over_sure_speech_passes_unchanged(windows: int, confidence: float) -> None:
    """The guard takes nothing from what was said."""
    evidence = Evidence(heard((0.01, 10), (0.999, windows), (0.01, 30)), LIMITS)
    spoken = said(("thank", 10, 18), ("you", 18, 26), confidence=confidence)
    assert evidence.weigh(spoken).shown is spoken
    assert evidence.withheld_words == 0


@given(st.integers(1, 40))
def test_nobody_is_believed_to_speak_faster_than_a_mouth_can(words: int) -> None:
    """More letters than 25 a second of speech are an invention, over the surest speech too."""
    evidence = Evidence(heard((0.999, 50)), LIMITS)
    claimed = said(*(("watching", 50 * n / words, 50 * (n + 1) / words) for n in range(words)))
    believed = evidence.weigh(claimed).shown.text
    assert bool(believed) == (8 * words <= (50 * 0.032 + 0.2) * 25)


def test_a_single_short_word_survives() -> None:
    """The word no takes a quarter of a second, and counts."""
    evidence = Evidence(heard((0.01, 20), (0.99, 8), (0.01, 20)), LIMITS)
    assert evidence.weigh(said(("no", 18, 30))).shown.text == "no"


def test_a_sentence_over_a_cough_is_withheld() -> None:
    """A quarter of a second of voice cannot hold a sentence, however confident."""
    evidence = Evidence(heard((0.01, 20), (0.99, 8), (0.01, 20)), LIMITS)
    weighed = evidence.weigh(said(("thanks", 16, 22), ("for", 22, 26), ("watching", 26, 32)))
    assert (weighed.shown.text, weighed.reason) == ("", "too fast")


def test_a_burst_holds_few_letters_however_strong_it_is() -> None:
    """0.7 s of the surest voice may be a cough: two words at most, not a sentence."""
    evidence = Evidence(heard((0.01, 20), (0.999, 22), (0.01, 20)), LIMITS)
    invented = said(("thank", 16, 22), ("you", 22, 28), ("for", 28, 34), ("watching", 34, 44))
    weighed = evidence.weigh(invented)
    assert (weighed.shown.text, weighed.reason) == ("", "too fast")
    assert weighed.strength > LIMITS.sure_strength
    assert evidence.weigh(said(("thank", 20, 30), ("you", 30, 42))).shown.text == "thank you"


def test_what_is_said_in_bursts_counts_together() -> None:
    """Noise between the words of a sentence takes nothing from it."""
    bursts = [(0.999, 18), (0.02, 8)] * 3
    sentence = said(("nobody", 0, 18), ("heard", 26, 44), ("the", 52, 58), ("rest", 58, 70))
    assert Evidence(heard(*bursts), LIMITS).weigh(sentence).shown.text == sentence.text
    echoes = [(0.999, 18), (0.02, 8), (0.9, 6), (0.02, 8), (0.9, 6), (0.02, 30)]
    assert Evidence(heard(*echoes), LIMITS).weigh(sentence).reason == "too fast"


def test_an_engine_whose_confidence_says_nothing_needs_more_of_a_burst() -> None:
    """And no more than any other of a voice that goes on."""
    limits = replace(LIMITS, short_strength=30.0, slight_confidence=0.0)
    burst = heard((0.01, 20), (0.99, 8), (0.01, 20))
    assert Evidence(burst, limits).weigh(said(("no", 18, 30))).reason == "no speech"
    voice = heard((0.88, 44), (0.2, 10))
    assert Evidence(voice, limits).weigh(said(("hello", 5, 40))).shown.text == "hello"


@pytest.mark.parametrize("confidence", [0.59, None])
def test_over_slight_speech_an_unsure_engine_is_not_believed(confidence: float | None) -> None:
    """What is short has to be confident too, if the engine's confidence means anything."""
    record = heard((0.01, 20), (0.99, 8), (0.01, 20))
    no = said(("no", 18, 30), confidence=confidence)
    assert Evidence(record, LIMITS).weigh(no).reason == "not confident"
    means_nothing = replace(LIMITS, slight_confidence=0.0)
    assert Evidence(record, means_nothing).weigh(no).shown.text == "no"


def test_a_faint_voice_that_goes_on_is_believed() -> None:
    """Each window is a little likely only; so many in a row are no cough."""
    faint = [(0.88, 44), (0.2, 10)] * 2
    sentence = said(("they", 0, 20), ("have", 20, 40), ("been", 60, 80), ("missing", 80, 98))
    unsure = replace(sentence, words=tuple(replace(w, confidence=0.4) for w in sentence.words))
    weighed = Evidence(heard(*faint), LIMITS).weigh(unsure)
    assert weighed.strength < LIMITS.sure_strength
    assert weighed.shown.text == "they have been missing"
    broken = [(0.88, 36), (0.05, 18)] * 2
    assert Evidence(heard(*broken), LIMITS).weigh(unsure).shown.text == ""


def test_words_in_a_pause_are_taken_out_of_a_sentence() -> None:
    """A real sentence does not carry the words invented after it."""
    evidence = Evidence(heard((0.999, 30), (0.01, 60)), LIMITS)
    weighed = evidence.weigh(said(("good", 0, 15), ("morning", 15, 30), ("watching", 50, 80)))
    assert (weighed.shown.text, weighed.withheld) == ("good morning", "watching")
    assert evidence.withheld_words == 1


def test_an_unsure_word_in_real_speech_is_shown_as_doubtful() -> None:
    """It was said, and perhaps it was another word: readers may know."""
    evidence = Evidence(heard((0.999, 60)), LIMITS)
    sure, unsure = Word("good", 0, 15_000, 0.9), Word("mourning", 15_000, 30_000, 0.49)
    final = Hypothesis("good mourning", 0, 30_000, True, (sure, unsure))
    shown = evidence.weigh(final).shown
    assert [word.doubtful for word in shown.words] == [False, True]
    guess = replace(final, is_final=False)
    assert evidence.weigh(guess).shown is guess


def test_guesses_are_weighed_too_but_not_counted() -> None:
    """A guess that nobody may see is not shown; only finals are counted."""
    evidence = Evidence(heard((0.01, 60)), LIMITS)
    assert evidence.weigh(replace(THANKS, is_final=False)).shown.text == ""
    assert evidence.withheld_words == 0


def test_every_engine_has_a_row_in_the_table() -> None:
    """An engine without one of its own gets the row for any; all rows are whole."""
    assert threshold_for("an engine of tomorrow") == Threshold(**read()["engines"]["*"])
    assert all(Threshold(**row).strength > 0 for row in read()["engines"].values())
