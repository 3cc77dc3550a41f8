"""`parola models`, and which engine the settings choose."""

from pathlib import Path

import pytest

from parola.cli import run
from parola.cli.outcome import MISSING, USAGE
from parola.cli.serving import read_settings
from parola.domain.errors import NoEngine
from parola.wiring import Settings, open_engines
from tests.tone_models import write_transducer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one good model and one that nobody can use."""
    write_transducer(tmp_path / "tones")
    (tmp_path / "empty").mkdir()
    return tmp_path


def chosen(engine: str, folder: Path) -> Settings:
    return read_settings({"engine": engine, "amazon": None, "models": folder})


def test_the_list_says_what_there_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Offers with licence and sources, what is here, and what is broken."""
    assert run(["models", "list", "--models", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "Apache-2.0" in told
    assert "SHA-256: none published" in told
    assert "tones  (here)" in told
    assert "empty cannot be used" in told


def test_a_model_is_removed(folder: Path) -> None:
    """By the name that the list says."""
    assert run(["models", "remove", "tones", "--models", str(folder)]) == 0
    assert not (folder / "tones").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["get"], USAGE, "Say which"),
        (["get", "nothing"], USAGE, "no model nothing"),
        (["remove", "nothing"], USAGE, "no model nothing"),
        (["get", "streaming-zipformer-en-2023-06-26", "--mirror", "http://127.0.0.1:1"],
         MISSING, "offline"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    says: str,
) -> None:
    """With the exit code that belongs to it."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert run(["models", *arguments, "--models", str(tmp_path)]) == code
    assert says in capsys.readouterr().err


def test_auto_takes_sherpa_where_it_has_a_model(folder: Path) -> None:
    """It stands before the demonstrator; a broken folder beside it changes nothing."""
    with open_engines(chosen("auto", folder)) as opened:
        assert [engine.name for engine, _ in opened] == ["sherpa", "pocketsphinx"]
        facts = opened[0][1]
    assert facts.languages == ("en",)
    assert "tones (real-time factor" in facts.note


def test_a_broken_model_never_keeps_auto_from_starting(folder: Path) -> None:
    """The demonstrator serves; who asked for sherpa is told what is wrong with its model."""
    (folder / "tones" / "joiner.int8.onnx").write_bytes(b"garbage")
    with open_engines(chosen("auto", folder)) as opened:
        assert [engine.name for engine, _ in opened] == ["pocketsphinx"]
    with (
        pytest.raises(NoEngine, match=r"joiner\.int8\.onnx is not an ONNX model"),
        open_engines(chosen("sherpa", folder)),
    ):
        pass


def test_sherpa_without_a_model_says_how_to_get_one(tmp_path: Path) -> None:
    """The command stands in the sentence."""
    with (
        pytest.raises(NoEngine, match="parola models get"),
        open_engines(chosen("sherpa", tmp_path)),
    ):
        pass
