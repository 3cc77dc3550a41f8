"""What every test may ask for."""

import os
from pathlib import Path

import pytest

RECORDINGS = Path(__file__).parents[2] / "shared" / "audio"


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; they are never copied into the repository."""
    folder = Path(os.environ.get("PAROLA_TEST_AUDIO") or RECORDINGS)
    if not (folder / "manifest.tsv").exists():
        reason = f"no recordings at {folder}; PAROLA_TEST_AUDIO may name their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
