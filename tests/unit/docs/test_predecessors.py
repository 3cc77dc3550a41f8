"""The page about older systems names only tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "predecessors.md"
HOME = {
    "The conference system": "test_conference",
    "The upload tutorial": "test_tutorial",
    "The conversation pipeline": "test_conversations",
}


def test_every_test_that_is_named_exists() -> None:
    """A test named on the page is in the file that the page says."""
    named: set[tuple[str, str]] = set()
    section = "The conference system"
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        for cell in line.split("|"):
            file = HOME.get(section, "")
            for other, test in re.findall(r"\*(test_\w+)\*: |`(test_\w+)`", cell):
                file = other or file
                if test:
                    named.add((file, test))
    assert len(named) > 30
    texts = {
        file: "".join(path.read_text() for path in (ROOT / "tests").glob(f"*/**/{file}.py"))
        for file, _ in named
    }
    missing = [(file, test) for file, test in named if f"def {test}(" not in texts[file]]
    assert not missing
