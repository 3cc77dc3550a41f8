"""`make chaos`: many seeded schedules of faults; a failing seed is printed, and replays.

Seeds may be given, with where they are to be replayed: `17` on simulated time, `processes 17`,
`speech 17`, or `nodes 17`.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos import cluster, processes, speech
from tests.chaos.faults import schedule
from tests.chaos.verdict import NUMBERS, undisturbed, verdict

RECORDINGS = Path(
    os.environ.get("PAROLA_TEST_AUDIO") or Path(__file__).parents[3] / "shared" / "audio"
)
SEEDS = {"simulated": 1000, "processes": 40, "speech": 20, "nodes": 10}
"""How many schedules of each kind are lived through."""


def main(arguments: list[str]) -> int:
    """Run the seeds given, or all; return 1 when one fails."""
    logging.disable()
    kinds = [word for word in arguments if word in SEEDS]
    seeds = [int(word) for word in arguments if word not in SEEDS]
    bad = 0
    for kind in kinds or (["simulated"] if seeds else list(SEEDS)):
        bad += _RUNS[kind](seeds or range(SEEDS[kind]))
    return 1 if bad else 0


def _simulated(seeds: Sequence[int]) -> int:
    assert undisturbed()
    return _told(
        "simulated",
        seeds,
        lambda: {seed: wrong for seed in seeds if (wrong := _simulated_verdict(seed))},
        lambda seed: schedule(seed, NUMBERS / 10),
    )


def _simulated_verdict(seed: int) -> str | None:
    try:
        return verdict(seed)
    except (RuntimeError, TimeoutError, ExceptionGroup) as error:
        return repr(error)


def _processes(seeds: Sequence[int]) -> int:
    return _told("processes", seeds, lambda: processes.verdicts(seeds), processes.schedule)


def _speech(seeds: Sequence[int]) -> int:
    if not RECORDINGS.exists():
        sys.stdout.write(f"speech: not run, there are no recordings at {RECORDINGS}\n")
        return 1
    return _told("speech", seeds, lambda: speech.verdicts(RECORDINGS, seeds), speech.schedule)


def _nodes(seeds: Sequence[int]) -> int:
    if reason := cluster.missing():
        sys.stdout.write(f"nodes: not run: {reason}\n")
        return 1
    return _told("nodes", seeds, lambda: cluster.verdicts(seeds), cluster.schedule)


_RUNS = {"simulated": _simulated, "processes": _processes, "speech": _speech, "nodes": _nodes}


def _told(
    kind: str,
    seeds: Sequence[int],
    run: Callable[[], dict[int, str]],
    faults_of: Callable[[int], Sequence[object]],
) -> int:
    """Print what failed under which faults, and return how many schedules did."""
    began_s = time.monotonic()
    bad = run()
    for seed, wrong in bad.items():
        faults = "\n".join(f"  {fault}" for fault in faults_of(seed))
        sys.stdout.write(f'SEED="{kind} {seed}" failed: {wrong[:3000]}\n{faults}\n')
    took_s = time.monotonic() - began_s
    sys.stdout.write(f"{kind}: {len(seeds)} schedules, {len(bad)} failed, {took_s:.0f} s\n")
    sys.stdout.flush()
    return len(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
