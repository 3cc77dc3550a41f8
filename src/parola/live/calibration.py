"""How much evidence each engine's words need: the table that `python -m bench.calibrate` writes."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("calibration.json")

ANY_ENGINE = "*"
"""The row of engines that have none of their own."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One engine's row."""

    strength: float
    """Nats of speech (`audio.speech_record`) in the best run under a hypothesis below which
    nothing is shown."""

    short_strength: float
    """The same where that run is short. More for an engine whose confidence says nothing."""

    sure_strength: float
    """Below this a short run is slight: an engine has to be confident."""

    long_run_windows: int
    """Windows of 32 ms; a run of fewer is short. A faint voice in noise goes on for seconds, a
    cough does not."""

    letters_per_s: float
    """Letters and digits that can be spoken in a second of speech; more are invented."""

    short_letters_per_s: float
    """The same where the best run is short: whoever speaks on may be fast, a burst is a word or
    two."""

    slight_confidence: float
    """Where the evidence is slight, the mean confidence an engine's words need; 0: its
    confidence is not known to mean anything."""

    doubtful_below: float
    """Final words of less confidence are shown as doubtful."""


def threshold_for(engine: str) -> Threshold:
    """Return an engine's row, or the one for any engine."""
    rows = read()["engines"]
    return Threshold(**rows.get(engine, rows[ANY_ENGINE]))


@cache
def read() -> dict[str, Any]:
    """Return the whole table, with the description of the data it was made from."""
    table: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return table
