"""A property test counts only after it has failed on a planted bug: here each one does.

Each `[[bug]]` in the TOML files beside this one names a source file, a text in it, the bug to
put in its place, and the test that has to catch it. The bug is planted in a copy.
"""

import ast
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.planted.catch import run

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


def copied(folder: Path) -> Path:
    """Copy the source into a folder."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT / "src", folder / "src", ignore=ignored))


def test_every_property_has_a_bug_to_catch() -> None:
    """A new property is not done before it has failed."""
    every = properties()
    assert every
    assert every - {bug.test.split("[")[0] for bug in BUGS} == set()


def test_an_unharmed_copy_passes(tmp_path: Path) -> None:
    """What is caught is the bug, not the way of planting it."""
    source = copied(tmp_path)
    for test in {bug.test for bug in BUGS if bug.file.endswith("domain/audio.py")}:
        code, words = run(test, SEEDS[0], source, tmp_path)
        assert code == 0, words


@pytest.mark.parametrize("bug", BUGS, ids=[bug.what for bug in BUGS])
def test_the_planted_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    """The named test fails when the bug is in the code."""
    source = copied(tmp_path)
    file = tmp_path / bug.file
    text = file.read_text()
    assert text.count(bug.old) == 1, f"{bug.old!r} has to be in {bug.file} exactly once"
    file.write_text(text.replace(bug.old, bug.new))
    for seed in SEEDS:
        code, words = run(bug.test, seed, source, tmp_path)
        if code == 1:
            return
        # 2 and more: the test did not run at all, which proves nothing.
        assert code == 0, f"{bug.what}: {words[-2000:]}"
    pytest.fail(f"{bug.what}: not caught")
