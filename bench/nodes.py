"""What viewers on several nodes get while rooms talk on one of them, and what that costs.

A real redis-server with `appendfsync always`, several `parola serve`, and viewers spread over all
of them; sources speak into every room on the first node, faster than a mouth can. Delays are from
the sending of a final's last tenth of a second of sound to the viewer's read, so they hold the
whole way: source, engine, log, broker. The engine is the scripted one, which takes next to no time.
Figures are min / median / max of the repeats. It ends with 1 when a final was lost or came twice.

    python -m bench.nodes [--nodes 3] [--viewers 300] [--rooms 3] [--finals-per-s 2] [--seconds 20]
        [--repeats 3]
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.load.crowd import Crowd, Entrance, cores, crowd, raise_file_limit
from bench.load.measure import WITHIN_S, Run, Stretch, cpu_s, spread
from parola.engines.scripted import Script, marked_audio
from tests.broker import Broker, running_broker
from tests.servers import RunningServer, serving
from tests.speakers import Source

BLOCKS = Script().words_per_final
"""Tenths of a second of marked sound that the scripted engine makes a final of."""

MARKS = ' "'
"""Around a final's last word, which is the time when its last sound was sent."""


@dataclass(frozen=True, slots=True)
class Hall:
    """The viewers of one node."""

    name: str
    process: psutil.Process
    crowd: Crowd


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said in each room."""

    rooms: int
    finals: int
    finals_per_s: float


def listen(halls: Sequence[Hall], say: Callable[[], int], within_s: float = WITHIN_S) -> list[Run]:
    """Return what each node's viewers had of what was said, and say so where that is not all."""
    stretches = [Stretch(hall.process, hall.crowd) for hall in halls]
    said = say()
    runs = [
        stretch.end(hall.name, said, within_s)
        for hall, stretch in zip(halls, stretches, strict=True)
    ]
    for run in runs:
        if complaint := run.complaint():
            print(f"  {complaint}", flush=True)
    return runs


@contextmanager
def nodes(count: int, broker: Broker, folder: Path) -> Iterator[list[RunningServer]]:
    """Run so many nodes on one broker."""
    with ExitStack() as held:
        running = []
        for number in range(count):
            home = folder / f"n{number}"
            home.mkdir()
            options = ["--engine", "scripted", "--cluster", broker.url, "--node", home.name]
            running.append(held.enter_context(serving(home / "data", *options)))
        yield running


@contextmanager
def halls(running: Sequence[RunningServer], rooms: int, viewers: int) -> Iterator[list[Hall]]:
    """Spread viewers over nodes: so many on each, evenly over the rooms."""
    with ExitStack() as held:
        found = []
        for number, server in enumerate(running):
            entrance = Entrance(
                int(server.url.rsplit(":", 1)[1]), "/ws/transcript/r%d", marks=MARKS
            )
            name = "the rooms' own" if number == 0 else f"another, {number}"
            inside = held.enter_context(crowd(entrance, rooms, viewers // rooms))
            found.append(Hall(name, psutil.Process(server.process.pid), inside))
        for hall in found:
            hall.crowd.until_ready()
        yield found


def speak(node: RunningServer, talk: Talk) -> int:
    """Say a talk into every room; return how many finals that made in each."""
    asyncio.run(_speak(node, talk))
    return talk.finals


async def _speak(node: RunningServer, talk: Talk) -> None:
    async with asyncio.TaskGroup() as tasks:
        for room in range(talk.rooms):
            tasks.create_task(_one_source(node, talk, room))


async def _one_source(node: RunningServer, talk: Talk, room: int) -> None:
    source = Source(f"r{room}")
    async with source.connected(node) as socket, asyncio.TaskGroup() as tasks:
        tasks.create_task(source.hear_acks(socket))
        blocks_per_s = talk.finals_per_s * BLOCKS
        # The rooms speak one after the other, not all at the same moment.
        began_s = time.monotonic() + room / talk.rooms / talk.finals_per_s
        for block in range(talk.finals * BLOCKS):
            await asyncio.sleep(max(0.0, began_s + block / blocks_per_s - time.monotonic()))
            await socket.send(marked_audio([time.monotonic_ns()]))
        await socket.send(json.dumps({"type": "end"}))


def report(repeats: Sequence[Sequence[Run]], broker_shares: Sequence[float]) -> bool:
    """Print a row for each node; return whether nobody lost anything."""
    print(
        "| Node | deliveries | p50 ms | p95 ms | p99 ms | max ms | CPU s per million "
        "| of a core | viewers' own core |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for runs in zip(*repeats, strict=True):
        print(
            f"| {runs[0].name} | {sum(run.heard.deliveries for run in runs):,} "
            f"| {spread([run.heard.p50_ms for run in runs], '.1f')} "
            f"| {spread([run.heard.p95_ms for run in runs], '.1f')} "
            f"| {spread([run.heard.p99_ms for run in runs], '.1f')} "
            f"| {spread([run.heard.max_ms for run in runs], '.1f')} "
            f"| {spread([run.cpu_s_per_million for run in runs], '.0f')} "
            f"| {spread([run.cpu_s / run.took_s for run in runs])} "
            f"| {max(run.crowd_share for run in runs):.2f} |"
        )
    print(f"broker: {spread(broker_shares, '.3f')} of a core")
    is_whole = all(run.is_whole for runs in repeats for run in runs)
    print(f"everybody on every node had every final once: {'yes' if is_whole else 'NO'}")
    return is_whole


def measure(count: int, viewers: int, talk: Talk, repeats: int) -> bool:
    """Print what so many viewers on each node get; return whether nobody lost anything."""
    with (
        tempfile.TemporaryDirectory() as name,
        running_broker(Path(name)) as broker,
        nodes(count, broker, Path(name)) as running,
        halls(running, talk.rooms, viewers) as inside,
    ):
        assert broker.process
        process = psutil.Process(broker.process.pid)
        found, shares = [], []
        for _ in range(repeats):
            used_s, began_s = cpu_s(process), time.monotonic()
            found.append(listen(inside, lambda: speak(running[0], talk)))
            shares.append((cpu_s(process) - used_s) / (time.monotonic() - began_s))
        return report(found, shares)


def main() -> int:
    """Measure and print; return 1 when somebody lost something."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--viewers", type=int, default=300, help="on each node")
    parser.add_argument("--rooms", type=int, default=3)
    parser.add_argument("--finals-per-s", type=float, default=2.0, help="in each room")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    if not shutil.which("redis-server"):
        sys.exit("It takes redis-server; Debian's package has it.")
    raise_file_limit()
    print(f"{cores()} cores, Python {sys.version.split()[0]}, load {psutil.getloadavg()[0]:.1f}")
    talk = Talk(asked.rooms, int(asked.seconds * asked.finals_per_s), asked.finals_per_s)
    return 0 if measure(asked.nodes, asked.viewers, talk, asked.repeats) else 1


if __name__ == "__main__":
    sys.exit(main())
