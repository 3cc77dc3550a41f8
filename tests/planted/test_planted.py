"""A property test counts only after it has failed on a planted bug: here each one does.

Each `[[bug]]` in the TOML files beside this one names a source file, a text in it, the bug to
put in its place, and the test that has to catch it. The bug is planted in a copy.
"""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


SEEDS = range(1, 9)
"""A property draws some dozens of examples a run. With these seeds the same ones each time, so
that a bug is either caught here or not; elsewhere they are drawn anew at each run."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One mistake somebody could make."""

    file: str
    old: str
    new: str
    test: str
    what: str


BUGS = [
    Bug(**fields)
    for area in sorted(Path(__file__).parent.glob("*.toml"))
    for fields in tomllib.loads(area.read_text())["bug"]
]


def properties() -> set[str]:
    """Return the node ids of all tests that hypothesis draws examples for."""
    found: set[str] = set()
    for file in (ROOT / "tests").glob("[!n]*/**/test_*.py"):  # not npm's
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            draws = any(decorator.startswith("given(") for decorator in decorators)
            if draws and node.name.startswith("test_"):
                found.add(f"{file.relative_to(ROOT)}::{node.name}")
    return found


def test_every_property_has_a_bug_to_catch() -> None:
    """A new property is not done before it has failed."""
    every = properties()
    assert every
    assert every - {bug.test.split("[")[0] for bug in BUGS} == set()


@pytest.mark.parametrize("bug", BUGS, ids=[bug.what for bug in BUGS])
def test_the_planted_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    """The named test fails when the bug is in the code."""
    source = tmp_path / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / bug.file
    text = file.read_text()
    assert text.count(bug.old) == 1, f"{bug.old!r} has to be in {bug.file} exactly once"
    file.write_text(text.replace(bug.old, bug.new))
    environment = os.environ | {
        "PYTHONPATH": str(source),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "hypothesis"),
        "PAROLA_TEST_PROFILE": "planted",
    }
    # There pytest draws every difference in full, which can take longer than the test may.
    environment.pop("CI", None)
    for seed in SEEDS:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", bug.test]
        run = subprocess.run(
            [*command, f"--hypothesis-seed={seed}"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        if run.returncode == 1:
            return
        # 2 and more: the test did not run at all, which proves nothing.
        assert run.returncode == 0, f"{bug.what}: {run.stdout[-2000:]}"
    pytest.fail(f"{bug.what}: not caught")
