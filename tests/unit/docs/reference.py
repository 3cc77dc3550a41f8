"""Reads the reference pages' tables and examples."""

import json
import re
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def page(name: str) -> str:
    """Return a page's text."""
    return (REFERENCE / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """Return what stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading {heading!r}"
    return found[1]


def rows(text: str, first_heading: str) -> list[list[str]]:
    """Return the rows of the table whose first column has this heading, without code marks."""
    table = re.search(
        rf"^\| {re.escape(first_heading)} \|.*\n\|[-|]+\|\n((?:\|.*\n?)*)", text, re.MULTILINE
    )
    assert table, f"there is no table with {first_heading!r}"
    lines = table[1].splitlines()
    return [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines
    ]


def examples(text: str, label: str) -> list[dict[str, Any]]:
    """Return the JSON objects in the blocks with this label."""
    blocks = re.findall(rf"^```json {label}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [json.loads(block) for block in blocks]
