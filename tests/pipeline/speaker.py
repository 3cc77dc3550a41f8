"""Plays a server: logs numbered finals and sends them on; may be killed at any time.

Run as: python -m tests.pipeline.speaker FOLDER QUEUE_URL FINALS. It goes on after what the log
holds, and repeats the last of it, as a client does that got no acknowledgement.
"""

import asyncio
import sys
import time
from pathlib import Path

from parola.beside import beside
from parola.domain.log import Entry
from parola.domain.transcript import Segment
from parola.live.shipper import Shipper
from parola.stores.aws import open_aws
from parola.stores.sqlite import open_sqlite
from parola.stores.sqs import SqsQueue

ROOM = "sala"


def final(number: int, at_ms: int) -> Entry:
    """Return a room's final; its text is its number."""
    body = Segment("talk", number, str(number), number * 100, number * 100 + 90, True, "it-IT")
    return Entry(ROOM, number, at_ms, body)


async def speak(folder: Path, queue_url: str, finals: int) -> None:
    """Log finals up to a number, then wait until all are sent."""

    async def sleep(pause_s: float) -> None:
        await asyncio.sleep(pause_s / 10)  # an outage of a test is short, too

    async with open_sqlite(folder, ships=True) as stores, open_aws("sqs") as client:
        shipper = Shipper(stores.outbox, SqsQueue(client, queue_url), now_ms, sleep=sleep)
        async with beside(shipper.run()):
            last = await stores.log.read(ROOM, max(await stores.log.last_number(ROOM) - 1, 0))
            await stores.log.append(last)
            at_ms = last[-1].at_ms if last else 0
            for number in range(last[-1].number + 1 if last else 1, finals + 1):
                at_ms = max(now_ms(), at_ms + 1)
                await stores.log.append([final(number, at_ms)])
                await asyncio.sleep(0.01)
            while (await stores.outbox.unsent()).lines:  # noqa: ASYNC110 - a store tells nobody
                await asyncio.sleep(0.05)
    sys.stdout.write("all sent\n")


def now_ms() -> int:
    """Return the time as the server's wiring does."""
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    asyncio.run(speak(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
