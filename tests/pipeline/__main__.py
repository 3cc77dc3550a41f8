"""`make storm`: more and longer storms over the pipeline; a seed that fails replays.

Seeds may be given, with what they are to be replayed on: `17` or `pieces 17` on the pipeline's
pieces alone, `served 17` with a whole `parola serve`.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from tests.pipeline.served import schedule, serve_and_die
from tests.pipeline.world import World, storm, world
from tests.stand_ins import StandIn, ministack

FINALS = 300
DEATHS = 10
SEEDS = 5

Run = Callable[[World, Path, int], Awaitable[str | None]]
"""Lives through a seed; returns what is wrong then, or None."""


async def _pieces(there: World, folder: Path, seed: int) -> str | None:
    found = await storm(there, folder, FINALS, seed)
    if found != [str(number) for number in range(1, FINALS + 1)]:
        return f"the table holds {found}"
    return "messages were put aside" if there.put_aside() else None


async def _served(there: World, folder: Path, seed: int) -> str | None:
    return (await serve_and_die(there, folder, schedule(seed, DEATHS))).wrong


RUNS: dict[str, tuple[Run, str]] = {
    "pieces": (_pieces, f"{FINALS} finals"),
    "served": (_served, f"a server killed {DEATHS} times"),
}


async def _one(stand_in: StandIn, kind: str, seed: int) -> bool:
    run, what = RUNS[kind]
    began_s = time.monotonic()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        there = await stack.enter_async_context(world(stand_in, seed))
        try:
            wrong = await run(there, folder, seed)
        except (AssertionError, TimeoutError, OSError) as error:
            wrong = repr(error)
        faults = dict(there.to_queue.faults.seen + there.to_table.faults.seen)
    verdict = f"FAILED: {wrong[:3000]}" if wrong else "every final once, in order"
    took_s = time.monotonic() - began_s
    sys.stdout.write(f'SEED="{kind} {seed}": {what}, {faults}, {took_s:.0f} s: {verdict}\n')
    sys.stdout.flush()
    return wrong is None


def main(arguments: list[str]) -> int:
    """Run the seeds given, or the first five of each kind; return 1 when one fails."""
    kinds = [word for word in arguments if word in RUNS]
    seeds = [int(word) for word in arguments if word not in RUNS]
    kinds = kinds or (["pieces"] if seeds else list(RUNS))
    with ministack() as stand_in:
        verdicts = [
            asyncio.run(_one(stand_in, kind, seed))
            for kind in kinds
            for seed in seeds or range(SEEDS)
        ]
    return int(not all(verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
