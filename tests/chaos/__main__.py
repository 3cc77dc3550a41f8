"""`make chaos`: many seeded schedules of faults; a failing seed is printed, and replays."""

import sys
import time

from tests.chaos.faults import schedule
from tests.chaos.verdict import NUMBERS, undisturbed, verdict


def main(arguments: list[str]) -> int:
    """Run the seeds given, or the first thousand; return 1 when one fails."""
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
            print(f"SEED={seed} failed: {wrong[:3000]}\n{faults}")
    took_s = time.monotonic() - began_s
    print(f"{len(seeds)} simulated schedules, {bad} failed, {took_s:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
