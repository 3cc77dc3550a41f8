"""A talk's own words become a file that Amazon Transcribe accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.errors import BadMessage, TooLarge
from parola.domain.vocabulary import language_tag
from parola.engines.amazon_vocabulary import HEAD, MAX_PHRASE, amazon_vocabulary, as_spoken

ENGLISH = language_tag("en-US")
ITALIAN = language_tag("it-IT")


@pytest.mark.parametrize(
    ("phrase", "spoken"),
    [
        ("Los Angeles", "Los-Angeles"),
        ("CLI", "C.L.I."),
        ("ABCs", "A.B.C.-s"),
        ("DynamoDB", "Dynamo-D.B."),
        ("VX02Q", "V.X.-zero-two-Q."),
        ("Ångström’s law", "Angstrom's-law"),
        ("blue–green", "blue-green"),
    ],
)
def test_phrases_are_written_as_they_are_spoken(phrase: str, spoken: str) -> None:
    """Hyphens for spaces, periods after the letters of acronyms, digits as words."""
    assert as_spoken(phrase, ENGLISH) == spoken


def test_the_table_shows_the_phrase_as_people_write_it() -> None:
    """Four columns by tabs, a line each, and what is said twice stands once."""
    made = amazon_vocabulary(["Los Angeles", "los angeles", "Los-Angeles"], ENGLISH)
    assert made.table == f"{HEAD}\nLos-Angeles\t\t\tLos Angeles\nlos-angeles\t\t\tlos angeles\n"
    assert amazon_vocabulary(["perché no"], ITALIAN).table.endswith("perché-no\t\t\tperché no\n")


def test_what_amazon_would_refuse_is_left_out_with_a_reason() -> None:
    """One bad character makes Amazon refuse the whole file."""
    made = amazon_vocabulary(["C++", "日本", "ok", "x" * 257, "–"], ENGLISH)
    assert made.table == f"{HEAD}\nok\t\t\tok\n"
    assert made.left_out[0] == "'C++' is left out: en-US entries cannot hold +."
    assert made.left_out[1] == "'日本' is left out: en-US entries cannot hold 日 本."
    assert "longer than 256" in made.left_out[2]
    assert "nothing of it" in made.left_out[3]
    assert amazon_vocabulary(["x" * 256], ENGLISH).left_out == ()


def test_a_file_too_large_or_empty_is_an_error() -> None:
    """Amazon takes 50 KB, and no file without an entry."""
    many = [f"{'x' * 200}{'y' * (n % 40)}-{'z' * (n // 40)}" for n in range(160)]
    with pytest.raises(TooLarge, match="50000"):
        amazon_vocabulary(many, ENGLISH)
    with pytest.raises(BadMessage, match="no phrase"):
        amazon_vocabulary(["日本"], ENGLISH)


@given(st.text(max_size=300), st.sampled_from([ENGLISH, ITALIAN]))
def test_any_phrase_makes_a_good_row_or_a_reason(phrase: str, language: str) -> None:
    """Whatever stands in a list of terms, the file keeps its form."""
    made = amazon_vocabulary(["good", phrase], language_tag(language))
    rows = made.table.removesuffix("\n").split("\n")
    assert len(rows) + len(made.left_out) <= 3
    for row in rows[1:]:
        spoken, sounds, ipa, _ = row.split("\t")
        assert 0 < len(spoken) <= MAX_PHRASE
        assert (sounds, ipa) == ("", "")
        assert not any(char.isspace() or char.isdigit() for char in spoken)
