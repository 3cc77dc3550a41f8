"""The rules that turn a list of words into a line's sentiment, in both languages."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.analysts.local import sentiment
from parola.domain.sentiment import Sentiment, label
from parola.domain.sentiment_words import ENGLISH, ITALIAN

WORDS = {"good": 2.0, "bad": -2.0, "buono": 2.0, "buona": 2.0, "pessima": -3.0, "errore": -2.0}
EN, IT = Sentiment(WORDS, ENGLISH), Sentiment(WORDS, ITALIAN)


@pytest.mark.parametrize(
    ("rater", "less", "more"),
    [
        (EN, "it is not good", "it is good"),
        (EN, "a good idea", "a very good idea"),
        (EN, "a slightly good idea", "a good idea"),
        (EN, "a very bad idea", "a bad idea"),
        (EN, "it isn't good", "it isn't"),
        (EN, "good but bad", "bad but good"),
        (EN, "it was good, but not today", "it was good"),
        (IT, "non è buono", "è buono"),
        (IT, "è buono", "è molto buono"),
        (IT, "è un po' meno buono", "è buono"),
        (IT, "è buono", "è buonissimo"),
        (IT, "pessimissima", "pessima"),
        (IT, "ma c'è l'errore", "ma c'è"),
        (IT, "è buono ma pessimo", "è pessimo ma buono"),
    ],
)
def test_what_stands_around_a_word_changes_what_it_says(
    rater: Sentiment, less: str, more: str
) -> None:
    """Denials turn it round, boosters strengthen it either way, what follows a "but" is meant."""
    assert rater.score(less) < rater.score(more)


def test_italian_denies_twice_what_it_denies() -> None:
    """A denial said twice is one: two of VADER's would be praise again."""
    assert IT.score("non è mai buono") < 0
    assert IT.score("nessuno ha mai detto buono") < 0


def test_an_adjective_is_known_in_all_its_forms() -> None:
    """The list has "pessima"; "pessimi" says the same. Short words are left alone."""
    assert IT.score("pessimi risultati") == IT.score("pessima idea") < 0
    assert IT.score("un buon lavoro") == IT.score("buono") > 0
    assert Sentiment({"oro": 2.0}, ITALIAN).score("ora") == 0


def test_phrases_say_what_their_words_do_not() -> None:
    """A phrase counts as a whole, and a denial in one denies nothing after it."""
    assert sentiment("en").score("I can't wait to try it") > 0.05
    assert sentiment("it").score("non vedo l'ora") > 0.05
    assert IT.score("senza dubbio buono") > 0
    assert IT.score("senza un dubbio buono") < 0


def test_what_has_no_such_words_is_neutral() -> None:
    """Numbers, signs, other alphabets and nothing at all have no sentiment."""
    for text in ("", "12 34", "?!", "日本語", "the table has six columns", "\ud800"):
        assert label(EN.score(text)) == "neutral"


@given(
    st.lists(
        st.sampled_from(
            [
                *WORDS,
                *sorted(ITALIAN.denials),
                *ITALIAN.boosters,
                "ma",
                "però",
                "cosa",
                "buonissimo",
            ]
        ),
        max_size=30,
    ),
    st.sampled_from(string.punctuation + " \n\u2019"),
)
def test_any_line_is_between_the_ends(words: list[str], sign: str) -> None:
    """A score is between -1 and 1 and the same whatever signs stand between the words.

    A line without a denial has the sign of its only kind of words, however it is boosted.
    """
    score = IT.score(" ".join(words))
    assert -1 <= score <= 1
    assert IT.score(f" {sign} ".join(words)) == pytest.approx(score)
    kinds = {WORDS[word] > 0 for word in words if word in WORDS} | (
        {True} if "buonissimo" in words else set()
    )
    if len(kinds) == 1 and not ITALIAN.denials & set(words):
        assert (score > 0) == kinds.pop()


def test_both_lists_are_there() -> None:
    """The word lists come with the program, and are of their own language."""
    assert sentiment("en").score("a wonderful, useful talk") > 0.5
    assert sentiment("it").score("un disastro, che vergogna") < -0.5
    assert sentiment("it").score("a disaster") == 0
