"""Names and unusual words are found in the text that a speaker sends."""

from hypothesis import given
from hypothesis import strategies as st

from parola.domain.key_phrases import MAX_FOUND, names_in, unusual_words, with_names
from parola.domain.terms import Terms

ABSTRACT = """Palaces and Poets: A Day in Sintra
The town of Sintra lies north of Lisbon. Poets came early: Lord Byron called it a glorious Eden.
Today we serve its maps with PostgreSQL, GPT4 and h264 video, run by UNESCO.
When? In 1995, from the Pena Palace.
"""


def test_names_are_found() -> None:
    """Capitals within sentences and odd spellings are names; headings and first words are not."""
    assert names_in(ABSTRACT) == [
        "Sintra",
        "Lisbon",
        "Byron",
        "Eden",
        "PostgreSQL",
        "GPT4",
        "h264",
        "UNESCO",
        "Pena Palace",
    ]


def test_given_phrases_come_first_and_once() -> None:
    """What somebody wrote down on purpose is the most important."""
    terms = with_names(Terms(("Lord Byron", "sintra"), ABSTRACT))
    assert terms.phrases[:4] == ("Lord Byron", "sintra", "Lisbon", "Byron")
    assert terms.text == ABSTRACT


def test_unusual_words_are_those_that_are_not_common() -> None:
    """The most frequent first, in lower case, short words and numbers left out."""
    text = "Glossolalia, 2026: a glossolalia of xylophones; the ox, THE Xylophones."
    assert unusual_words(text, lambda word: word == "the") == ["glossolalia", "xylophones"]


@given(st.text(alphabet="aB.1 \n'é中-", max_size=80) | st.text(max_size=80))
def test_any_text_gives_names_that_stand_in_it(text: str) -> None:
    """Whatever a speaker sends: bounded, without a repetition, and word for word from the text."""
    names = names_in(text)
    assert len(names) == len(set(names)) <= MAX_FOUND
    assert all(name in text and name == name.strip() for name in names)
    assert all(any(char.isupper() or char.isdigit() for char in name) for name in names)
