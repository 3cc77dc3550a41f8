"""`make storm`: more and longer storms over the pipeline; a seed that fails replays."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.pipeline.world import storm, world
from tests.stand_ins import StandIn, ministack

FINALS = 300
SEEDS = 5


async def _one(stand_in: StandIn, seed: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        async with world(stand_in, seed) as there:
            found = await storm(there, Path(folder), FINALS, seed)
            faults = dict(there.to_queue.faults.seen + there.to_table.faults.seen)
            is_right = found == [str(number) for number in range(1, FINALS + 1)]
            is_right &= there.put_aside() == []
    verdict = "every final once, in order" if is_right else "FAILED"
    sys.stdout.write(f"SEED={seed}: {FINALS} finals, {faults}: {verdict}\n")
    return is_right


def main(arguments: list[str]) -> int:
    """Run the seeds given, or the first five; return 1 when one fails."""
    seeds = [int(word) for word in arguments] or list(range(SEEDS))
    with ministack() as stand_in:
        verdicts = [asyncio.run(_one(stand_in, seed)) for seed in seeds]
    return int(not all(verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
