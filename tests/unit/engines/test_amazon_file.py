"""Amazon's settings come from a file, and a mistake in it is told before the first talk."""

import re
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest

from parola.domain.errors import BadMessage, NotFound, ParolaError
from parola.engines.amazon_file import read_amazon_settings
from parola.engines.amazon_settings import AmazonSettings, Recognition
from parola.wire.transcribe import StreamParameters

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "amazon.md"


def read(tmp_path: Path, text: str) -> AmazonSettings:
    file = tmp_path / "amazon.toml"
    file.write_text(text)
    return read_amazon_settings(file)


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    """Every setting has a default."""
    assert read(tmp_path, "") == AmazonSettings()


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    """Texts, numbers, lists, choices and switches."""
    settings = read(
        tmp_path,
        """
        region = "eu-west-1"
        close_after_silence_s = 30
        streams = 40
        price_per_min = 0.015

        [recognition]
        vocabulary_name = "names"
        vocabulary_filter_name = "rude"
        vocabulary_filter_method = "mask"
        show_speaker_label = true
        session_resume_window_min = 60
        """,
    )
    assert settings == AmazonSettings(
        region="eu-west-1",
        close_after_silence_s=30.0,
        streams=40,
        price_per_min=Decimal("0.015"),
        recognition=Recognition(
            vocabulary_name="names",
            vocabulary_filter_name="rude",
            vocabulary_filter_method="mask",
            show_speaker_label=True,
            session_resume_window_min=60,
        ),
    )


def test_a_room_has_what_is_common_and_its_own(tmp_path: Path) -> None:
    """Any name that a room can have, in quotes."""
    settings = read(
        tmp_path,
        """
        [recognition]
        vocabulary_name = "names"
        transcript_format = "spoken"

        [rooms."Sala Blu"]
        vocabulary_name = "blue"
        """,
    )
    assert settings.recognition == Recognition(vocabulary_name="names", transcript_format="spoken")
    assert settings.rooms == {
        "Sala Blu": Recognition(vocabulary_name="blue", transcript_format="spoken")
    }


def test_every_parameter_of_the_service_can_be_set() -> None:
    """What cannot follows from the talk: its language, its sound, and an id for each stream."""
    ours = set(Recognition.__dataclass_fields__)
    follows = {"language_code", "session_id", "media_encoding", "sample_rate_hz"}
    follows |= {"number_of_channels"}
    assert set(StreamParameters.__dataclass_fields__) == (ours | follows) - {"channel_names"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rooms = 1", "rooms is a table"),
        ("[rooms]\nhall = 1", "hall is a table"),
        ("[rooms.hall]\nvocabulary = 'x'", "did you mean vocabulary_name"),
        ("[rooms.hall]\nidentify_language = true", "at least two LanguageOptions"),
        ("[rooms.'']", "room"),
        ("regoin = 'x'", "did you mean region"),
        ("[recognition]\nvocabulary = 'x'", "did you mean vocabulary_name"),
        ("qqqqqqq = 1", "choose from region, profile"),
        ("region = 1", "region is a text in quotes"),
        ("streams = 1.5", "streams is a whole number"),
        ("streams = true", "streams is a whole number"),
        ("ping_s = 'often'", "ping_s is a number"),
        ("ping_s = 0", "ping_s has to be above 0"),
        ("chunk_ms = 10", "50 to 200"),
        ("recognition = 1", "is a table"),
        ("[recognition]\nshow_speaker_label = 1", "true or false"),
        ("[recognition]\npartial_results_stability = 'best'", "one of 'high'"),
        ("[recognition]\nlanguage_options = 'it-IT'", "list of texts"),
        ("[recognition]\nchannel_names = ['Ada']", "channel_names are two"),
        ("[recognition]\nidentify_language = true", "at least two LanguageOptions"),
        ("[recognition]\nvocabulary_name = 'with space'", "vocabularyName"),
        ("[[", "not a TOML file"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    """The file, the name, and what would be right."""
    with pytest.raises(BadMessage, match=said) as caught:
        read(tmp_path, text)
    assert "amazon.toml" in caught.value.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(NotFound, match="nothing-here"):
        read_amazon_settings(tmp_path / "nothing-here")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a = 1979-05-27", b"a.b.c = 1", b"region = []"])
def test_any_bytes_are_settings_or_a_clear_error(tmp_path: Path, data: bytes) -> None:
    """No traceback for whoever edits the file."""
    file = tmp_path / "amazon.toml"
    file.write_bytes(data)
    with pytest.raises(ParolaError):
        read_amazon_settings(file)


def test_the_page_names_every_setting_with_its_default() -> None:
    """docs/howto/amazon.md cannot fall behind."""
    rows = re.findall(r"^\| `(\w+)` \| `?([^|`]*)`? \|", PAGE.read_text(), re.MULTILINE)
    told = dict(rows)
    settings, recognition = AmazonSettings(), Recognition()
    expected = {
        field.name: _shown(getattr(owner, field.name))
        for owner in (settings, recognition)
        for field in fields(owner)
        if field.name not in {"recognition", "rooms"}
    }
    assert {name: value.strip() for name, value in told.items()} == expected


def _shown(value: object) -> str:
    if value in (None, ()):
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
