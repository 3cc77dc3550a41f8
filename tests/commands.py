"""Runs Parola's commands inside the tests' process."""

import asyncio
from pathlib import Path

import pytest

from parola.cli import run


class Command:
    """Runs a command; returns its exit code and what it said to people."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    async def __call__(self, *arguments: str | Path) -> tuple[int, str]:
        self._capfd.readouterr()
        code = await asyncio.to_thread(run, [str(argument) for argument in arguments])
        out, err = self._capfd.readouterr()
        return code, out + err
