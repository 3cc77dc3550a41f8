"""Runs painter scripts through both painters: the server's and the pages'."""

import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import parola
from parola.live.lines import Lines
from parola.live.painter import Item, Painter

RUNNER = Path(__file__).with_name("run.mjs")
STATIC = Path(parola.__file__).parent / "pages" / "static"

Script = dict[str, Any]
"""`lines`, `columns`, perhaps `skips`, and `steps`: each `at` a time in seconds, with a `frame`
(perhaps with an `age`, or `past`), a `link`, or nothing but the time."""

Result = dict[str, Any]
"""What is to be seen after a step, and the `items` it painted."""


class Both:
    """A surface that keeps what is put on it, and lays it into lines."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.items: list[Item] = []

    def put(self, item: Item) -> None:
        self.items.append(item)
        self.lines.put(item)


def in_python(script: Script) -> list[Result]:
    """Return what the server's painter shows after each step."""
    columns = script["columns"]
    surface = Both(Lines(script["lines"], lambda text: len(text) <= columns))
    painter = Painter(surface, skips=script.get("skips", True))
    results = []
    for step in script["steps"]:
        at = step["at"]
        if "frame" in step:
            painter.take(step["frame"], at, step.get("age", 0.0), past=step.get("past", False))
        elif "link" in step:
            painter.link(up=step["link"], now_s=at)
        else:
            painter.tick(at)
        results.append(
            {
                "lines": surface.lines.texts,
                "guess": painter.guess,
                "note": painter.note(at),
                "hidden": painter.is_hidden,
                "due": painter.due_s,
                "items": [asdict(item) for item in surface.items],
            }
        )
        surface.items.clear()
    return results


def in_javascript(scripts: list[Script]) -> list[list[Result]]:
    """Return what the pages' painter shows after each step of each script."""
    run = subprocess.run(
        ["node", str(RUNNER), str(STATIC)],
        input=json.dumps(scripts),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    results: list[list[Result]] = json.loads(run.stdout)
    return results
