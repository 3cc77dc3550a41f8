"""Servers that the tests of a module share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
