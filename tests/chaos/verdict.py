"""Lives through schedules, and says what was lost, repeated or changed."""

from collections.abc import Iterable
from difflib import unified_diff
from functools import cache

from tests.chaos import clock
from tests.chaos.faults import schedule
from tests.chaos.world import live_through

NUMBERS = 150
"""Words of the simulated talk: fifteen seconds, twenty-two segments."""


@cache
def undisturbed() -> str:
    """Return the log of the talk when nothing goes wrong."""
    log, _ = clock.run(live_through([], NUMBERS))
    return log


def verdict(seed: int) -> str | None:
    """Return what is wrong after a seed's schedule, or None."""
    log, seen = clock.run(live_through(schedule(seed, NUMBERS / 10), NUMBERS))
    if log != undisturbed():
        lines = unified_diff(undisturbed().splitlines(), log.splitlines(), n=0, lineterm="")
        return "\n".join(["the log differs from the undisturbed run's:", *_cut(lines)])
    expected = [word for n in range(NUMBERS) for word in [str(n)]]
    for viewer in seen:
        if [word for segment in viewer for word in segment["text"].split()] != expected:
            return f"a viewer saw {[segment['text'] for segment in viewer]}"
    return None


def _cut(lines: Iterable[str]) -> list[str]:
    return [line if len(line) < 400 else line[:400] + "…" for line in lines]
