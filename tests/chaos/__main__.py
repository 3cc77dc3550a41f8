"""`make chaos`: many seeded schedules of faults; a failing seed is printed, and replays."""

import logging
import sys
import time

from tests.chaos import processes
from tests.chaos.faults import schedule
from tests.chaos.verdict import NUMBERS, undisturbed, verdict

PROCESS_SEEDS = 20


def main(arguments: list[str]) -> int:
    """Run the seeds given, or the first thousand; return 1 when one fails."""
    logging.disable()
    seeds = [int(word) for word in arguments] or list(range(1000))
    assert undisturbed()
    began_s, bad = time.monotonic(), 0
    for seed in seeds:
        try:
            wrong = verdict(seed)
        except (RuntimeError, TimeoutError, ExceptionGroup) as error:
            wrong = repr(error)
        if wrong:
            bad += 1
            faults = "\n".join(f"  {fault}" for fault in schedule(seed, NUMBERS / 10))
            sys.stdout.write(f"SEED={seed} failed: {wrong[:3000]}\n{faults}\n")
    took_s = time.monotonic() - began_s
    sys.stdout.write(f"{len(seeds)} simulated schedules, {bad} failed, {took_s:.0f} s\n")
    if not arguments:
        bad += _kill_processes()
    return 1 if bad else 0


def _kill_processes() -> int:
    """Kill real servers under a real client; return how many schedules failed."""
    wrong = {seed: processes.verdict(seed) for seed in range(PROCESS_SEEDS)}
    bad = {seed: reason for seed, reason in wrong.items() if reason}
    for seed, reason in bad.items():
        sys.stdout.write(f"processes, seed {seed}: {reason}\n")
    sys.stdout.write(f"{len(wrong)} schedules of killed processes, {len(bad)} failed\n")
    return len(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
