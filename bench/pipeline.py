"""How fast finals go from a log through outbox, queue and function into the table.

The event's template is deployed into MiniStack on this machine, so the figures are of our code and
of the stand-in, not of AWS; a real queue and function add their own delay. A final's delay counts
from its append to the first look at the table that shows it; the table is looked at ten times a
second, by one reader whatever the number of viewers. Prices are no measurement: `parola cost` has
the same.

    python -m bench.pipeline [--finals 300] [--pace 5]
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from parola.beside import beside, tasks_beside
from parola.domain.event_cost import PRICES_OF, SOURCE
from parola.domain.log import Entry
from parola.domain.pipeline_cost import caption_hour, pipeline_items
from parola.domain.vocabulary import room_name
from parola.live.shipper import Shipper
from parola.live.windows import Windows
from parola.ports import SharedLog
from parola.stores.aws import open_aws
from parola.stores.dynamodb import DynamoDbLog, open_dynamodb
from parola.stores.sqlite import open_sqlite
from parola.stores.sqs import SqsQueue
from tests.deploy.stack import Stack, deployed
from tests.houses import house
from tests.pipeline.speaker import ROOM, final, now_ms
from tests.stand_ins import ministack

LOOK_S = 0.1

WATCH_S = 10.0
"""How long viewers look while requests are counted."""

VIEWERS = (1, 100, 1000)


async def run(
    stack: Stack, folder: Path, first: int, finals: int, pace: float
) -> list[tuple[float, float]]:
    """Return when each final was appended and seen, in seconds; `pace` 0 appends all at once."""
    said: dict[int, float] = {}
    seen: dict[int, float] = {}
    begin_ms = now_ms()
    async with (
        open_sqlite(folder, ships=True) as stores,
        open_aws("sqs") as sqs,
        open_dynamodb(stack.table) as table,
    ):
        shipper = Shipper(stores.outbox, SqsQueue(sqs, stack.queue), now_ms)
        async with beside(shipper.run()), beside(_look(table, begin_ms, seen)):
            for number in range(first, first + finals):
                said[number] = time.monotonic()
                await stores.log.append([final(number, begin_ms + number)])
                if pace:
                    await asyncio.sleep(1 / pace)
            while len(seen) < finals:  # noqa: ASYNC110 - a table tells nobody
                await asyncio.sleep(0.02)
    return [(said[number], seen[number]) for number in said]


class Counted:
    """A shared log, which counts how often it is asked."""

    def __init__(self, log: SharedLog) -> None:
        self._log = log
        self.asked = 0

    async def since(self, room: str, since_ms: int) -> list[Entry]:
        """Ask the log."""
        self.asked += 1
        return await self._log.since(room, since_ms)


async def requests(stack: Stack, viewers: int) -> float:
    """Return how often a second the table is asked while so many look at one conversation."""
    async with open_dynamodb(stack.table) as table, house(limit_s=WATCH_S + 60) as home:
        counted = Counted(table)
        async with tasks_beside() as tasks:
            windows = Windows(home.rooms, tasks, shared=counted)

            async def look() -> None:
                async with aclosing(windows.follow(room_name(ROOM))) as messages:
                    async for _ in messages:
                        pass

            for _ in range(viewers):
                tasks.create_task(look())
            await asyncio.sleep(WATCH_S)
            return counted.asked / WATCH_S


async def _look(table: DynamoDbLog, since_ms: int, seen: dict[int, float]) -> None:
    while True:
        for entry in await table.since(ROOM, since_ms):
            seen.setdefault(entry.number, time.monotonic())
        await asyncio.sleep(LOOK_S)


def main() -> None:
    """Print finals per second, delays, what viewers ask of the table, and the price of an hour."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finals", type=int, default=300)
    parser.add_argument("--pace", type=float, default=5.0, help="Finals a second, for the delay.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ministack() as stand_in:
        folder = Path(name)
        os.environ |= stand_in.environment
        with deployed(stand_in, folder) as stack:
            burst = asyncio.run(run(stack, folder / "burst", 1, options.finals, 0))
            paced = options.finals // 3
            first = options.finals + 1
            slow = asyncio.run(run(stack, folder / "paced", first, paced, options.pace))
            asked = {count: asyncio.run(requests(stack, count)) for count in VIEWERS}
    took_s = max(seen for _, seen in burst) - burst[0][0]
    cuts = statistics.quantiles((seen - said for said, seen in slow), n=100)
    print(f"{options.finals} finals at once: {options.finals / took_s:.0f} a second")
    print(f"{paced} finals, {options.pace:g} a second: p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s")
    for count, a_second in asked.items():
        print(
            f"{count} viewers of a conversation: {a_second:.1f} requests a second to the table, "
            f"{a_second / count:.4f} a viewer"
        )
    print(f"An hour of one room's captions, with somebody who looks; {PRICES_OF}, {SOURCE}:")
    for item in pipeline_items():
        print(f"{item.amount:9.5f} $  {item.part}: {item.what} ({item.count:.0f})")
    print(f"{caption_hour():9.5f} $  in all")


if __name__ == "__main__":
    main()
