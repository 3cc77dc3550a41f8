"""What `parola transcribe` asks of an engine."""

from pathlib import Path

import pytest

from parola.cli.outcome import CommandError
from parola.cli.terms import own_words
from parola.cli.transcribing import Asked, Recogniser, new_session
from parola.domain.vocabulary import language_tag
from parola.engines.scripted import ScriptedEngine


def test_a_recordings_own_words_reach_the_engine(tmp_path: Path) -> None:
    """Phrases in the order of their file, then the names that stand in the text."""
    phrases, text = tmp_path / "names.txt", tmp_path / "abstract.txt"
    phrases.write_text("Ada Lovelace\n\n  COBOL \n", encoding="utf-8")
    text.write_text("The first compiler was made by Grace Hopper.", encoding="utf-8")
    asked = Asked(terms=own_words(phrases, text))
    recogniser = Recogniser(ScriptedEngine(), language_tag("en-US"), gated=True, asked=asked)
    plan = new_session(recogniser, lambda _: None).plan
    assert plan.terms.phrases == ("Ada Lovelace", "COBOL", "Grace Hopper")
    assert plan.terms.text == text.read_text(encoding="utf-8")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """It ends the command with a sentence before any sound is heard."""
    with pytest.raises(CommandError, match=r"nothing\.txt"):
        own_words(tmp_path / "nothing.txt", None)
