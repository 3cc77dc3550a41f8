"""What several nodes cost the broker: time, CPU, memory and disk for each final and each guess.

`python -m bench.cluster`: a real redis-server on loopback with `appendfsync always`, two nodes'
logs, leases and buses in one process, ten rooms. Nothing leaves this computer.
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil

from parola.beside import beside
from parola.broker import open_broker, room_key
from parola.buses.redis import RedisBus
from parola.domain.log import Entry
from parola.domain.transcript import Segment, Word
from parola.ports import Numbered, Partial
from parola.stores.redis_leases import RedisLeases
from parola.stores.redis_log import RedisLog
from tests.broker import Broker, running_broker

ROOMS = [f"room-{number}" for number in range(10)]
FINALS = 200
"""In each room; the pace is as fast as each is answered."""

WORDS = 20
"""In a final: seven seconds of talk."""


def _segment(number: int, *, is_final: bool) -> Segment:
    words = tuple(
        Word(f"parola{n}", number * 1000 + n, number * 1000 + n + 40, 0.93, stable=True)
        for n in range(WORDS)
    )
    text = " ".join(word.text for word in words)
    first = number * 100_000
    return Segment("a-session", number, text, first, first + 99_999, is_final, "it-IT", words)


@asynccontextmanager
async def _node(broker: Broker) -> AsyncIterator[tuple[RedisLog, RedisBus, RedisLeases]]:
    async with open_broker(broker.url) as client:
        leases = RedisLeases(client, "node", 3600)
        log = RedisLog(client, leases.fence)
        bus = RedisBus(client, log, leases)
        async with beside(bus.run()):
            yield log, bus, leases


def _quantiles(seconds: list[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:.2f} ms, p99 {cuts[98] * 1000:.2f} ms"


async def _measure(broker: Broker) -> None:
    assert broker.process is not None
    process = psutil.Process(broker.process.pid)
    async with AsyncExitStack() as stack:
        log, bus, leases = await stack.enter_async_context(_node(broker))
        _, elsewhere, _ = await stack.enter_async_context(_node(broker))
        client = await stack.enter_async_context(open_broker(broker.url))
        heard = {room: await stack.enter_async_context(elsewhere.subscribe(room)) for room in ROOMS}
        for room in ROOMS:
            await leases.take(room)

        async def finals(room: str, saved_s: list[float], shown_s: list[float]) -> None:
            for number in range(1, FINALS + 1):
                entry = Entry(room, number, number, _segment(number, is_final=True))
                began_s = time.perf_counter()
                await log.append([entry])
                saved_s.append(time.perf_counter() - began_s)
                while await anext(heard[room]) != Numbered(entry):
                    pass
                shown_s.append(time.perf_counter() - began_s)

        async def guesses(room: str, shown_s: list[float]) -> None:
            for _ in range(FINALS):
                guess = Partial(_segment(FINALS + 1, is_final=False))
                began_s = time.perf_counter()
                await bus.publish(room, guess)
                while await anext(heard[room]) != guess:
                    pass
                shown_s.append(time.perf_counter() - began_s)

        count = len(ROOMS) * FINALS
        saved_s: list[float] = []
        shown_s: list[float] = []
        cpu_s = sum(process.cpu_times()[:2])
        await asyncio.gather(*(finals(room, saved_s, shown_s) for room in ROOMS))
        used_s = sum(process.cpu_times()[:2]) - cpu_s
        keys = [room_key(ROOMS[0], part) for part in ("log", "said", "ends")]
        held = sum([int(await client.memory_usage(key, samples=0) or 0) for key in keys])
        written = sum(file.stat().st_size for file in broker.folder.rglob("*.aof"))
        print(f"{count} finals of {WORDS} words in {len(ROOMS)} rooms at once:")
        print(f"  saved: {_quantiles(saved_s)}; on the other node: {_quantiles(shown_s)}")
        print(f"  broker: {used_s / count * 1e6:.0f} µs of CPU each, {held / FINALS:.0f} B of")
        print(f"  memory, {written / count:.0f} B on disk")
        guessed_s: list[float] = []
        cpu_s = sum(process.cpu_times()[:2])
        await asyncio.gather(*(guesses(room, guessed_s) for room in ROOMS))
        used_s = sum(process.cpu_times()[:2]) - cpu_s
        print(f"{count} guesses: on the other node {_quantiles(guessed_s)};")
        print(f"  broker: {used_s / count * 1e6:.0f} µs of CPU each, nothing on disk")


def main() -> None:
    """Measure once and print."""
    if not shutil.which("redis-server"):
        sys.exit("It takes redis-server; Debian's package has it.")
    with tempfile.TemporaryDirectory() as folder, running_broker(Path(folder)) as broker:
        asyncio.run(_measure(broker))


if __name__ == "__main__":
    main()
