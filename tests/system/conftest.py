"""Servers that the tests of a module share."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from parola.live import session
from parola.live.calibration import threshold_for
from tests.servers import RunningServer, serving


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose engine reads marks in the audio, or speaks a fixed verse."""
    folder: Path = tmp_path_factory.mktemp("scripted")
    with serving(folder / "data", "--engine", "scripted") as server:
        yield server


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with the embedded engine."""
    folder: Path = tmp_path_factory.mktemp("real")
    with serving(folder / "data", "--engine", "auto") as server:
        yield server


@pytest.fixture
def fast_mouths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let marks be believed, of which ten numbers a second are read: nobody speaks so fast."""
    fast = replace(threshold_for("*"), letters_per_s=1000, short_letters_per_s=1000)
    monkeypatch.setattr(session, "threshold_for", lambda _: fast)
