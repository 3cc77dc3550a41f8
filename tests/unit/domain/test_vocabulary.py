"""Names are data: whatever people type is either a name or a clear error."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.errors import BadLanguage, BadRoomName
from parola.domain.vocabulary import base_language, language_tag, room_name


@given(st.text(max_size=150) | st.text("aeiou \u0300\u0301./", min_size=1, max_size=8))
def test_any_text_is_a_room_or_a_clear_error(text: str) -> None:
    """A name that is taken is composed, visible, one path segment, and stays what it is."""
    try:
        name = room_name(text)
    except BadRoomName as error:
        assert error.message.endswith(".")  # noqa: PT017 - both outcomes are right
        return
    assert 1 <= len(name) <= 100
    assert not set(name) & set("/\\\0\n\r")
    assert name == unicodedata.normalize("NFC", text)
    assert room_name(name) == name


@pytest.mark.parametrize(
    "name", ["main", "Sala Grande", "città", '"><script>', "会議室", "a" * 100]
)
def test_names_people_use_are_taken(name: str) -> None:
    """Spaces, accents, signs and other scripts are fine."""
    assert room_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "a\\b", "a\0b", " a", "a ", "a" * 101, "a\nb", "a\u200bb", "\ud800"],
)
def test_names_that_would_deceive_are_refused(name: str) -> None:
    """Nothing that looks like a path, hides characters, or is too long to show."""
    with pytest.raises(BadRoomName):
        room_name(name)


def test_the_same_accent_is_the_same_room() -> None:
    """A composed and a decomposed "à" name one room."""
    assert room_name("citta\u0300") == room_name("città")


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("it-IT", "it-IT"),
        ("IT_it", "it-IT"),
        ("en", "en"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("es-419", "es-419"),
    ],
)
def test_language_tags_are_written_one_way(text: str, tag: str) -> None:
    """People and systems write tags in many ways; BCP 47 in one."""
    assert language_tag(text) == tag


@pytest.mark.parametrize(
    "text", ["", "english", "it-", "it-IT-x", "i", "../it", "it IT", "it-IT&x=1"]
)
def test_what_is_no_language_is_refused(text: str) -> None:
    """The error shows how a language is written."""
    with pytest.raises(BadLanguage, match="it-IT"):
        language_tag(text)


def test_the_base_language_is_what_engines_know() -> None:
    """An engine that knows English knows every English."""
    assert base_language(language_tag("en-GB")) == "en"
