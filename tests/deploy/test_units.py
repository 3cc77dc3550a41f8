"""The systemd units start what there is, with options that there are."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from parola.cli import app

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))
OURS = "/opt/parola/bin/parola"
COMMANDS = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - typer hides it


def words_of(unit: Path) -> list[str]:
    """Return the command that a unit starts."""
    lines = unit.read_text().replace("\\\n", " ").splitlines()
    (start,) = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
    return shlex.split(start)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_asks_for_nothing_that_there_is_not(unit: Path) -> None:
    """Its command and each of its options are parola's own."""
    program, command, *rest = words_of(unit)
    assert program == OURS
    known = {name for option in COMMANDS[command].params for name in option.opts}
    assert [word for word in rest if word.startswith("--") and word not in known] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_a_unit(unit: Path, tmp_path: Path) -> None:
    """Every line of it, where there is a systemd to ask."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here")
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(OURS, sys.executable))
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
