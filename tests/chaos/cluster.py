"""Three real nodes and a real broker in networks of their own, while everything goes wrong.

Ten rooms talk at the pace of the clock. Nodes are killed, frozen and cut off, the broker is killed,
each for a while, on a schedule drawn from a seed. Every log has to end as that of a talk which
nobody disturbed, and no room may ever be spoken by two nodes.
"""

import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from uuid import NAMESPACE_OID, uuid5

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from parola.beside import tasks_beside
from parola.broker import open_broker
from parola.engines.scripted import BLOCK_FRAMES, marked_audio
from parola.stores.redis_log import RedisLog
from tests.broker import Broker, no_broker
from tests.chaos.cluster_node import Journal, read_journal
from tests.chaos.netns import Network, network, no_networks
from tests.servers import READY

ROOMS = [f"room-{number}" for number in range(10)]
NUMBERS = 120
"""Twelve seconds of talk in each room."""

LEASE_S = 3.0
PATIENCE_S = 90.0
NODES = ("n0", "n1", "n2")
QUIET_S = 2.5
"""After so long without a word a source or viewer looks for another node."""

LOST = (OSError, WebSocketException, InvalidHandshake, TimeoutError, EOFError)

Kind = Literal["node killed", "node frozen", "node cut off", "broker killed", "broker cut off"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong for a while."""

    at_s: float
    kind: Kind
    who: str
    for_s: float


def missing() -> str | None:
    """Return what is not here and has to be, or None."""
    return no_broker() or no_networks()


def schedule(seed: int) -> list[Fault]:
    """Return the faults of a seed: three or four, each of another kind, also at once."""
    draw = random.Random(seed)  # noqa: S311 - drawn again from the same seed
    kinds: list[Kind] = ["node killed", "node frozen", "node cut off", "broker killed"]
    kinds = draw.sample([*kinds, "broker cut off"], draw.randint(3, 4))
    faults = [
        Fault(
            draw.uniform(1, NUMBERS / 10),
            kind,
            "broker" if kind.startswith("broker") else draw.choice(NODES),
            draw.uniform(0.5, 2 * LEASE_S),
        )
        for kind in kinds
    ]
    return sorted(faults, key=lambda fault: fault.at_s)


def session_of(room: str) -> str:
    """Return the room's session, the same in every run."""
    return str(uuid5(NAMESPACE_OID, room))


class World:
    """Everything that runs."""

    def __init__(self, net: Network, folder: Path, seed: int) -> None:
        self.net = net
        self.folder = folder
        self.draw = random.Random(seed)  # noqa: S311 - as above
        self.processes: dict[str, subprocess.Popen[str]] = {}
        (folder / "broker").mkdir()
        address = net.address("broker")
        self.broker = Broker(folder / "broker", address, 6379, before=net.command("broker"))

    def start_node(self, name: str) -> None:
        """Start a node; it serves some seconds later."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        command = [*self.net.command(name), sys.executable, "-m", "tests.chaos.cluster_node"]
        command += [str(self.journal(name)), "serve", "--host", self.net.address(name), "--open"]
        command += ["--port", "8000", "--data", str(home / "data"), "--engine", "scripted"]
        command += ["--cluster", self.broker.url, "--node", name]
        command += ["--cluster-lease-s", str(LEASE_S)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PAROLA_")}
        with (home / "log").open("a") as log, (home / "out").open("w") as out:
            self.processes[name] = subprocess.Popen(
                command, stdout=out, stderr=log, text=True, env=environment
            )

    def journal(self, name: str) -> Path:
        """Return where a node writes down what it says."""
        return self.folder / f"{name}.journal"

    async def until_ready(self) -> None:
        """Wait until every node serves."""
        async with asyncio.timeout(PATIENCE_S):
            for name in NODES:
                while READY not in (self.folder / name / "out").read_text():
                    log = (self.folder / name / "log").read_text()
                    assert self.processes[name].poll() is None, log
                    await asyncio.sleep(0.05)

    async def suffer(self, fault: Fault) -> None:
        """Let one thing go wrong, and mend it."""
        if fault.kind.endswith("cut off"):
            self.net.cut(fault.who)
            await asyncio.sleep(fault.for_s)
            self.net.heal(fault.who)
        elif fault.kind == "broker killed":
            self.broker.kill()
            await asyncio.sleep(fault.for_s)
            self.broker.start()
        elif fault.kind == "node frozen":
            process = self.processes[fault.who]
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(fault.for_s)
            process.send_signal(signal.SIGCONT)
        else:
            process = self.processes[fault.who]
            process.kill()
            process.wait()
            await asyncio.sleep(fault.for_s)
            self.start_node(fault.who)

    def stop(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.broker.kill()

    def anywhere(self) -> str:
        """Return a node's address, as a load balancer that knows nothing would."""
        return f"ws://{self.net.address(self.draw.choice(NODES))}:8000"


@dataclass(slots=True)
class Speaker:
    """A source that keeps what is not safe, and goes wherever it is let in."""

    world: World
    room: str
    paced: bool = True
    safe: int = 0
    is_done: bool = False

    async def run(self) -> None:
        """Speak until everything is safe."""
        began_s = asyncio.get_running_loop().time()
        while not self.is_done:
            with suppress(*LOST):
                url = f"{self.world.anywhere()}/ws/audio/{self.room}"
                async with (
                    asyncio.timeout(None) as quiet,
                    connect(url, open_timeout=1, close_timeout=0.2, compression=None) as socket,
                    tasks_beside() as tasks,
                ):
                    start = {"type": "start", "session": session_of(self.room), "language": "en-US"}
                    await socket.send(json.dumps(start | {"position": self.safe * BLOCK_FRAMES}))
                    self._wait_for_more(quiet)
                    async for frame in socket:
                        self._wait_for_more(quiet)
                        said = json.loads(frame)
                        if said["type"] == "ready":
                            position = said["position"] // BLOCK_FRAMES
                            tasks.create_task(self._send(socket, position, began_s))
                        elif said["type"] == "ack":
                            self.safe = max(self.safe, said["position"] // BLOCK_FRAMES)
                    self.is_done = socket.close_code == 1000 and self.safe == NUMBERS
            await asyncio.sleep(self.world.draw.uniform(0.1, 0.4))

    @staticmethod
    def _wait_for_more(quiet: asyncio.Timeout) -> None:
        quiet.reschedule(asyncio.get_running_loop().time() + QUIET_S)

    async def _send(self, socket: Any, position: int, began_s: float) -> None:  # noqa: ANN401
        with suppress(*LOST):
            for number in range(position, NUMBERS):
                if self.paced:
                    due_s = began_s + (number + 1) / 10
                    await asyncio.sleep(due_s - asyncio.get_running_loop().time())
                await socket.send(marked_audio([number]))
            await socket.send(json.dumps({"type": "end"}))


@dataclass(slots=True)
class Reader:
    """A viewer that resumes by number, at whichever node."""

    world: World
    room: str
    seen: list[tuple[int, str]] = field(default_factory=list)

    @property
    def last(self) -> int:
        """The number of the newest line seen."""
        return self.seen[-1][0] if self.seen else 0

    async def run(self) -> None:
        """Read for ever."""
        while True:
            with suppress(*LOST):
                url = f"{self.world.anywhere()}/ws/transcript/{self.room}?after={self.last}&v=1"
                async with (
                    asyncio.timeout(None) as quiet,
                    connect(url, open_timeout=1, close_timeout=0.2, compression=None) as socket,
                ):
                    while True:
                        # Longer than the longest fault: a viewer stays where it is, mostly.
                        quiet.reschedule(asyncio.get_running_loop().time() + 4 * LEASE_S)
                        said = json.loads(await socket.recv())
                        if said["type"] == "segment" and not said["is_partial"]:
                            self.seen.append((said["seq"], said["text"]))
            await asyncio.sleep(self.world.draw.uniform(0.1, 0.4))


@dataclass(slots=True)
class Found:
    """What was left when everybody had said everything."""

    logs: dict[str, str]
    seen: dict[str, list[tuple[int, str]]]
    journals: dict[str, list[Journal]]


async def _live_through(world: World, seed: int, found: Found) -> None:
    world.broker.start()
    world.broker.wait()
    for name in NODES:
        world.start_node(name)
    await world.until_ready()
    async with asyncio.timeout(PATIENCE_S), tasks_beside() as tasks:
        undisturbed = Speaker(world, "undisturbed", paced=False)
        await undisturbed.run()
        readers = {room: Reader(world, room) for room in ROOMS}
        for reader in readers.values():
            tasks.create_task(reader.run())
        speakers = [Speaker(world, room) for room in ROOMS]
        speaking = [tasks.create_task(speaker.run()) for speaker in speakers]
        began_s = asyncio.get_running_loop().time()
        suffering = []
        for fault in schedule(seed):
            await asyncio.sleep(began_s + fault.at_s - asyncio.get_running_loop().time())
            suffering.append(tasks.create_task(world.suffer(fault)))
        await asyncio.wait([*speaking, *suffering])
        async with open_broker(world.broker.url) as client:
            log = RedisLog(client)
            for room in ["undisturbed", *ROOMS]:
                found.logs[room] = await _exported(log, room)
        wanted = found.logs["undisturbed"].count('"first_frame"')
        while any(len(reader.seen) < wanted for reader in readers.values()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
    found.seen |= {room: reader.seen for room, reader in readers.items()}


async def _exported(log: RedisLog, room: str) -> str:
    """Return a log as one JSON line an entry, without what tells rooms and clocks apart."""
    entries = await log.read(room, limit=10**6)
    session = session_of(room)
    lines = [
        json.dumps(asdict(replace(entry, room="", at_ms=0))).replace(session, "session")
        for entry in entries
    ]
    return "\n".join(lines)


def live_through(seed: int) -> Found:
    """Return what is left after a seed's schedule."""
    found = Found({}, {}, {})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        net = stack.enter_context(network("broker", *NODES, "people"))
        world = World(net, folder, seed)
        stack.callback(world.stop)
        try:
            net.run_at("people", _live_through(world, seed, found))
        except BaseException as error:
            for name in NODES:
                error.add_note(f"{name}: {(folder / name / 'log').read_text()[-3000:]}")
            raise
        found.journals |= {name: read_journal(world.journal(name)) for name in NODES}
    return found


def verdict(seed: int) -> tuple[str | None, list[float]]:
    """Return what is wrong after a seed's schedule, or None; and how long each take-over took."""
    try:
        found = live_through(seed)
    except (TimeoutError, AssertionError) as error:
        return f"{error!r} {getattr(error, '__notes__', '')}", []
    wrong = [_wrong_log(found), _wrong_viewers(found), two_speakers(found.journals)]
    return next((reason for reason in wrong if reason), None), taken_over_s(found.journals)


def verdicts(seeds: Iterable[int]) -> dict[int, str]:
    """Return what is wrong by seed; print how long the rooms of each were on their way."""
    bad: dict[int, str] = {}
    for seed in seeds:
        wrong, gaps = verdict(seed)
        sys.stdout.write(f"nodes {seed}: {report(gaps)}\n")
        sys.stdout.flush()
        if wrong:
            bad[seed] = wrong
    return bad


def _wrong_log(found: Found) -> str | None:
    wanted = found.logs["undisturbed"]
    if len(wanted.splitlines()) != NUMBERS // 10 + 2:
        return f"the undisturbed talk is not whole: {wanted}"
    for room in ROOMS:
        if found.logs[room] != wanted:
            return f"{room} differs from the undisturbed talk:\n{found.logs[room]}\n{wanted}"
    return None


def _wrong_viewers(found: Found) -> str | None:
    lines = [json.loads(line) for line in found.logs["undisturbed"].splitlines()]
    wanted = [(n["number"], n["body"]["text"]) for n in lines if "text" in n["body"]]
    for room, seen in found.seen.items():
        if seen != wanted:
            return f"a viewer of {room} saw {seen}"
    return None


def two_speakers(journals: dict[str, list[Journal]]) -> str | None:
    """Return whether a node has said something after the next one had begun, or None."""
    said = sorted(
        (at_s, room, fence, node) for node, own in journals.items() for at_s, room, fence in own
    )
    newest: dict[str, tuple[int, str]] = {}
    for at_s, room, fence, node in said:
        before = newest.get(room, (0, node))
        if fence < before[0]:
            return f"{room}: {node} speaks at {at_s} under {fence}, after {before}"
        newest[room] = (fence, node)
    return None


def taken_over_s(journals: dict[str, list[Journal]]) -> list[float]:
    """Return for each time a room went to another node how long nothing was said in it."""
    said: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for node, own in journals.items():
        for at_s, room, _ in own:
            said[room].append((at_s, node))
    gaps: list[float] = []
    for spoken in said.values():
        spoken.sort()
        gaps += [
            later - earlier for (earlier, one), (later, other) in pairwise(spoken) if one != other
        ]
    return sorted(gaps)


def report(gaps: list[float]) -> str:
    """Return the take-overs for people."""
    if not gaps:
        return "no room went to another node"
    middle = statistics.median(gaps)
    return f"{len(gaps)} take-overs: {gaps[0]:.2f} / {middle:.2f} / {gaps[-1]:.2f} s"
