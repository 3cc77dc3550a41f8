"""What the load's viewers take."""

import shutil

import pytest

from tests.broker import all_there_or_not


@pytest.fixture(autouse=True)
def _compiler() -> None:
    all_there_or_not(None if shutil.which("cc") else "no C compiler here (make test installs it)")
