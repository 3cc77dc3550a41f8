"""No word without speech under it."""

from hypothesis import given
from hypothesis import strategies as st

from parola.domain.transcript import Hypothesis, Word
from parola.live.evidence import Evidence


class Sure:
    """A record with a fixed number of sure windows everywhere."""

    def __init__(self, windows: int) -> None:
        self.windows = windows

    def sure_windows(self, first_frame: int, end_frame: int) -> int:
        return self.windows


SAID = Hypothesis("thank you", 0, 8000, True, (Word("thank", 0, 4000), Word("you", 4000, 8000)))


@given(st.integers(0, 7))
def test_text_without_enough_sure_speech_is_withheld_and_counted(windows: int) -> None:
    """Less than 256 ms of sure speech carries no text, whatever the engine says."""
    evidence = Evidence(Sure(windows))
    weighed = evidence.weigh(SAID)
    assert (weighed.text, weighed.words, weighed.is_final) == ("", (), True)
    assert evidence.withheld_words == 2


@given(st.integers(8, 100))
def test_text_over_sure_speech_passes_unchanged(windows: int) -> None:
    """The guard takes nothing from what was said."""
    evidence = Evidence(Sure(windows))
    assert evidence.weigh(SAID) is SAID
    assert evidence.withheld_words == 0
