"""Real processes and sockets: client, proxy and server are killed, cut, held up and filled."""

import asyncio
import json
import random
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from difflib import unified_diff
from pathlib import Path

from parola.engines.scripted import marked_audio
from parola.stores.sqlite import open_sqlite_log_to_read
from tests.chaos.disk import small_disk
from tests.chaos.faults import Fault
from tests.chaos.parts import Parts
from tests.chaos.readers import Reader
from tests.chaos.storm import Storm, until

NUMBERS = 70
"""Words of the talk: seven seconds, at the pace of the clock, seven segments."""

KINDS = (
    "server killed",
    "client killed",
    "proxy killed",
    "reset",
    "late",
    "black-hole",
    "stall",
    "delay",
    "disk full",
)

SAID = " ".join(map(str, range(NUMBERS)))

TALK = ["--rate", "16000", "--room", "main", "--file"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a talk."""

    log: str
    """The room's log, one line an entry: all of it but wall-clock time and the talk's own id."""

    seen: tuple[str, ...]
    """What each viewer read."""


def schedule(seed: int) -> list[Fault]:
    """Return the faults of a seed, in order: two to five, some of them at once."""
    draw = random.Random(seed)  # noqa: S311 - to be drawn again
    faults = [
        Fault(draw.uniform(0, NUMBERS / 10), draw.choice(KINDS), draw.choice([0.05, 0.5, 2.0]))
        for _ in range(draw.randint(2, 5))
    ]
    return sorted(faults, key=lambda fault: fault.at_s)


def verdicts(seeds: Sequence[int], at_once: int = 4) -> dict[int, str]:
    """Return what is wrong after the schedules of which seeds; they mostly wait, so some at once.

    Raises:
        AssertionError: even the undisturbed talk does not come home.
    """
    plans = [[], *map(schedule, seeds)]
    with ThreadPoolExecutor(at_once) as pool:
        undisturbed, *outcomes = pool.map(_outcome, plans)
    assert isinstance(undisturbed, Outcome), undisturbed
    assert undisturbed.seen == (SAID, SAID), undisturbed.seen
    judged = {seed: _wrong(undisturbed, was) for seed, was in zip(seeds, outcomes, strict=True)}
    return {seed: reason for seed, reason in judged.items() if reason}


def _outcome(faults: list[Fault]) -> Outcome | str:
    try:
        return live_through(faults)
    except (AssertionError, OSError) as error:
        return repr(error)


def _wrong(undisturbed: Outcome, outcome: Outcome | str) -> str | None:
    if isinstance(outcome, str):
        return outcome
    if outcome.log != undisturbed.log:
        lines = unified_diff(undisturbed.log.splitlines(), outcome.log.splitlines(), n=0)
        return "\n".join(["the log differs from the undisturbed talk's:", *lines])
    wrong = [seen for seen in outcome.seen if seen != SAID]
    return f"a viewer saw {wrong[0]}" if wrong else None


def live_through(faults: list[Fault]) -> Outcome:
    """Speak for seven seconds under these faults, and bring everything home."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "talk.raw").write_bytes(marked_audio(range(NUMBERS)))
        disk = stack.enter_context(small_disk(folder / "disk"))
        parts = Parts(stack, folder, disk, [*TALK, str(folder / "talk.raw")])
        viewers = [stack.enter_context(Reader(parts.url)) for _ in range(2)]
        Storm(parts).live_through(faults)
        last = NUMBERS // 10 + 1
        until(lambda: all(viewer.last >= last for viewer in viewers), "a viewer waits")
        assert parts.server
        assert parts.server.stop() == 0, "lines were not saved"
        disk.copy(folder / "copy")
        log = asyncio.run(_exported(folder / "copy" / "data"))
        return Outcome(log, tuple(" ".join(viewer.texts) for viewer in viewers))


async def _exported(data: Path) -> str:
    async with open_sqlite_log_to_read(data) as log:
        entries = await log.read("main")
    session = entries[0].body.session
    lines = [json.dumps(asdict(replace(entry, at_ms=0))) for entry in entries]
    return "\n".join(line.replace(session, "this talk") for line in lines)
