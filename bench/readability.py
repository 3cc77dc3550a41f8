"""How a talk reads: erasure, pace and stalls of what the painter shows under hostile guesses.

    python -m bench.readability [--talks 200]

Prints, over so many scripted talks of engines that rewrite everything: painted words that changed
or vanished before they rolled away (per 100 painted), words a second over any ten seconds, and
the longest time in which a word waited and none was painted.
"""

import argparse
import sys
from dataclasses import dataclass, field
from itertools import pairwise

from parola.live.lines import Lines
from parola.live.painter import Item, Painter
from tests.painter.hostile import script
from tests.painter.runner import Script

LOOK_S = 0.02
"""How often a screen is looked at: 50 pictures a second."""

WINDOW_S = 10.0


@dataclass(slots=True)
class Reading:
    """What one reader saw."""

    painted_s: list[float] = field(default_factory=list)
    erased: int = 0
    stall_s: float = 0.0


class _Surface:
    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.words = 0

    def put(self, item: Item) -> None:
        self.words += item.kind == "word"
        self.lines.put(item)


def read(talk: Script) -> Reading:
    """Return what somebody sees who looks at a talk all the time."""
    surface = _Surface(Lines(talk["lines"], lambda text: len(text) <= talk["columns"]))
    painter = Painter(surface)
    seen = Reading()
    steps = list(talk["steps"])
    last_s = steps[-1]["at"] + 20
    before: list[str] = []
    now_s = quiet_since_s = 0.0
    while now_s < last_s:
        while steps and steps[0]["at"] <= now_s:
            step = steps.pop(0)
            if "frame" in step:
                painter.take(step["frame"], now_s, step.get("age", 0.0))
        painter.tick(now_s)
        if surface.words > len(seen.painted_s) or painter.due_s is None:
            quiet_since_s = now_s
        seen.painted_s += [now_s] * (surface.words - len(seen.painted_s))
        seen.stall_s = max(seen.stall_s, now_s - quiet_since_s)
        texts = surface.lines.texts
        seen.erased += _erased(before, texts)
        before = texts
        now_s += LOOK_S
    return seen


def _erased(before: list[str], after: list[str]) -> int:
    """Return how many words are gone or others, those aside that rolled off at the top."""
    for rolled in range(len(before) + 1):
        stay = before[rolled:]
        if all(new.startswith(old) for old, new in zip(stay, after, strict=False)):
            return 0
    return sum(len(line.split()) for line in before)


def fastest(painted_s: list[float]) -> float:
    """Return the most words a second over any ten seconds."""
    most = 0
    for start, at in enumerate(painted_s):
        count = sum(1 for other in painted_s[start:] if other < at + WINDOW_S)
        most = max(most, count)
    return most / WINDOW_S


def main() -> int:
    """Print the figures; 1 if a painted word was erased."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talks", type=int, default=200)
    talks = [read(script(seed)) for seed in range(parser.parse_args().talks)]
    words = sum(len(talk.painted_s) for talk in talks)
    erased = sum(talk.erased for talk in talks)
    gaps = sorted(b - a for talk in talks for a, b in pairwise(talk.painted_s) if b > a)
    print(f"talks {len(talks)}, painted words {words}")
    print(f"erasure: {100 * erased / words:.2f} per 100 painted words")
    print(f"pace: {1 / gaps[len(gaps) // 2]:.1f} words/s (median), ", end="")
    print(f"{max(fastest(talk.painted_s) for talk in talks):.1f} words/s over the fastest ten s")
    print(f"longest stall with words waiting: {max(talk.stall_s for talk in talks):.2f} s")
    return 1 if erased else 0


if __name__ == "__main__":
    sys.exit(main())
