"""Words that no dictionary has are said as words that are spelt alike."""

from hypothesis import given
from hypothesis import strategies as st

from parola.engines.pronunciation import Pronouncer, align

DICTIONARY = """light L AY T
night N AY T
right R AY T
table T EY B AH L
cable K EY B AH L
boxing B AA K S IH NG
sister S IH S T ER
mister M IH S T ER
mister(2) M IH S T R
"""
PRONOUNCER = Pronouncer(DICTIONARY)


def said(word: str) -> str:
    return " ".join(PRONOUNCER.pronounce(word))


def test_letters_and_sounds_are_matched() -> None:
    """Silent letters and letters of two sounds find their places."""
    assert align("night", ["N", "AY", "T"]) == [("N",), ("AY",), (), (), ("T",)]
    assert align("boxing", ["B", "AA", "K", "S", "IH", "NG"])[2] == ("K", "S")


def test_a_new_word_is_said_like_its_neighbours() -> None:
    """The dictionary's word counts where there is one, else the words around it."""
    assert said("Sister") == "S IH S T ER"
    assert said("Bight") == "B AY T"
    assert said("Nable") == "N EY B AH L"


def test_acronyms_digits_and_accents() -> None:
    """Capitals without a vowel are spelt out, digits are said, accents are read over."""
    assert said("HTTP") == "EY CH T IY T IY P IY"
    assert said("AWS2") == "EY D AH B AH L Y UW EH S T UW"
    assert said("Tàble") == said("table")
    assert said("日本") == ""


@given(st.text(max_size=60) | st.text(alphabet="abtlxyz'ÀÉ9 ", max_size=60))
def test_anything_is_said_in_known_sounds(word: str) -> None:
    """Whatever stands in a list of terms: the same sounds each time, and none that are unknown."""
    phones = PRONOUNCER.pronounce(word)
    assert phones == Pronouncer(DICTIONARY).pronounce(word)
    assert all(phone.isalpha() and phone.isupper() and len(phone) <= 2 for phone in phones)
    assert len(phones) <= 40 * 7


words = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=10)
sounds = st.lists(st.sampled_from(["AH", "K", "S", "T", "ER"]), max_size=12)


@given(words, sounds)
def test_no_sound_is_lost(word: str, phones: list[str]) -> None:
    """Each letter gets its sounds, in order, wherever there are at most two for each."""
    chunks = align(word, phones)
    assert len(chunks) == len(word)
    said = [phone for chunk in chunks for phone in chunk]
    assert said == (phones if len(phones) <= 2 * len(word) else [])
