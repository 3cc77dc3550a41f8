"""Engines that rewrite everything all the time, as scripts for painters."""

import random
from typing import Any

from tests.painter.runner import Script

VOCABULARY = (  # noqa: SIM905 - a text reads better than a list
    "a the of word Word, words perché città don't  naïve extraordinarily -- 42 3.5 straße "
    "ΣΊΣΥΦΟΣ и он сказал “so” … 😀 Donaudampfschifffahrtsgesellschaft"
).split()


def script(seed: int, *, columns: int = 20, skips: bool = True) -> Script:
    """Return a talk of an engine that keeps no promise, ever the same for a seed."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    steps: list[dict[str, Any]] = []
    at = 0.0
    segment, seq, begun = 1, 0, 0.0
    for _ in range(chance.randrange(20, 60)):
        at = round(at + chance.choice([0.01, 0.1, 0.3, 0.7, 2.0, 12.0]), 3)
        step: dict[str, Any] = {"at": at}
        kind = chance.random()
        if kind < 0.65:
            step["frame"] = _guess(chance, segment, begun, at)
        elif kind < 0.85:
            seq += 1
            step["frame"] = _guess(chance, segment, begun, at) | {"is_partial": False, "seq": seq}
            step["past"] = chance.random() < 0.1
            segment, begun = segment + 1, at
        elif kind < 0.9:
            begun = at  # Withdrawn: the next utterance has the same number.
            step["frame"] = _segment(segment, "", begun, at)
        elif kind < 0.93:
            states = ["idle", "listening", "hidden", "nonsense", "failed"]
            step["frame"] = {"type": "state", "state": chance.choice(states)}
        elif kind < 0.96:
            session = chance.choice(["s", "t"])
            step["frame"] = {"type": "change", "change": "session_started", "session": session}
        elif kind < 0.98:
            step["link"] = chance.random() < 0.5
        if step.get("frame", {}).get("type") == "segment" and chance.random() < 0.2:
            step["age"] = chance.choice([0.5, 4.0, 11.0, 60.0])
        steps.append(step)
    return {"lines": 3, "columns": columns, "skips": skips, "steps": steps}


def _guess(chance: random.Random, segment: int, begun: float, at: float) -> dict[str, Any]:
    texts = chance.choices(VOCABULARY, k=chance.randrange(12))
    sure = chance.randrange(len(texts) + 1)
    words = [{"text": text, "stable": place < sure} for place, text in enumerate(texts)]
    frame = _segment(segment, " ".join(texts), begun, at) | {"words": words}
    if chance.random() < 0.2:
        frame["speaker"] = chance.choice(["Ada", "Grace"])
    return frame


def _segment(segment: int, text: str, begun: float, at: float) -> dict[str, Any]:
    return {
        "type": "segment",
        "is_partial": True,
        "session": "s",
        "segment": segment,
        "text": text,
        "words": [],
        "start_s": begun,
        "end_s": at,
        "language": "en-US",
        "made_by": "automatic",
        "seq": None,
    }
