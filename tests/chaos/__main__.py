"""`make chaos`: many seeded schedules of faults; a failing seed is printed, and replays."""

import logging
import sys
import time

from tests.chaos.faults import schedule
from tests.chaos.verdict import NUMBERS, undisturbed, verdict


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
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
