"""The page on durability names every bug that its tests were seen to catch."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_planted_bugs_are_listed() -> None:
    """Neither a bug that is not listed, nor one that is not planted."""
    planted = tomllib.loads((ROOT / "tests/planted/keep.toml").read_text())["bug"]
    page = (ROOT / "docs/reference/durability.md").read_text()
    listed = [line[2:] for line in page.split("Bugs planted")[1].splitlines() if line[:2] == "- "]
    assert listed == [bug["what"] for bug in planted]
