"""A talk that moves is cut before the word that the cut goes through."""

from parola.domain.audio import RATE_HZ
from parola.domain.cut import NEAR_FRAMES, up_to_the_cut
from parola.domain.transcript import Hypothesis, Word


def said(*words: tuple[str, int, int]) -> Hypothesis:
    spoken = tuple(Word(*word) for word in words)
    return Hypothesis(" ".join(w[0] for w in words), 0, words[-1][2], is_final=True, words=spoken)


def test_a_last_word_near_the_cut_is_left_out() -> None:
    """The final ends where that word begins, never inside the word before it."""
    cut = said(("one", 0, 900), ("two", 1000, 2000), ("thr", 2100, 3000))
    assert up_to_the_cut(cut, 3000 + NEAR_FRAMES) == Hypothesis(
        "one two", 0, 2100, is_final=True, words=cut.words[:2]
    )
    overlapping = said(("one", 0, 1200), ("two", 1000, 2000))
    assert up_to_the_cut(overlapping, 2000).end_frame == 1200


def test_a_word_long_before_the_cut_stays() -> None:
    """Silence follows it: it was heard whole. So does a sentence whose words have no times."""
    whole = said(("one", 0, 900), ("two", 1000, 2000))
    assert up_to_the_cut(whole, 2001 + NEAR_FRAMES) is whole
    timeless = Hypothesis("one two", 0, RATE_HZ, is_final=True)
    assert up_to_the_cut(timeless, RATE_HZ) is timeless


def test_a_single_word_is_left_out_as_a_whole() -> None:
    """Nothing of it is said twice, nothing of its sound is called safe."""
    cut = up_to_the_cut(said(("hel", 500, 3000)), 3000)
    assert (cut.text, cut.words, cut.end_frame) == ("", (), 500)
