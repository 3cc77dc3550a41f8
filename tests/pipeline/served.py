"""A whole `parola serve` dies again and again while finals go from a source to the table.

In between, the talk's first line is corrected: that has to come through as well.

When it dies is said by what has just happened and not by a clock: so each schedule's deaths fall
between the same two steps on any machine.
"""

import asyncio
import random
import sqlite3
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import httpx

from parola.beside import beside
from parola.domain.corrections import Edits
from parola.domain.transcript import Segment
from parola.live.windows import WINDOW_MS
from parola.stores.sqlite import open_sqlite_log_to_read
from parola.stores.sqlite_file import LOG_FILE
from parola.wire.table_rows import iso_ms
from tests.chaos.readers import Reader
from tests.pipeline.speaker import ROOM, now_ms
from tests.pipeline.world import World, environment_of, kill, until
from tests.servers import RunningServer, free_port, serving
from tests.speakers import Source
from tests.system.web_app import web_app

Moment = Literal["said", "logged", "called", "refused", "kept"]

MOMENTS: tuple[Moment, ...] = ("said", "logged", "called", "refused", "kept")
"""After which step the server dies: the sound was sent; a final is in its file; the queue was
called; it was called in vain, for it is down; the table has one more row."""

PIECE = 10
"""Numbers sent at once: a final, as the scripted engine cuts."""

BREATH_S = 0.02
"""Between two of them, so that the queue is called while there is still more to come."""

PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class Death:
    """One time that the server is killed, and started again where it was."""

    moment: Moment
    numbers: int
    """How many are said before."""

    pause_s: float
    """How long after the moment."""

    takes_keeper: bool
    """Whether the function dies with it."""


def schedule(seed: int, deaths: int) -> list[Death]:
    """Return a seed's deaths; of so many as there are moments, each has another one."""
    dice = random.Random(seed)  # noqa: S311 - replayable on purpose
    moments: list[Moment] = []
    while len(moments) < deaths:
        moments += dice.sample(MOMENTS, len(MOMENTS))
    return [
        Death(
            moment,
            dice.randrange(3 * PIECE, 12 * PIECE),
            dice.choice([0.0, 0.0, 0.02, 0.2]),
            dice.random() < 0.5,
        )
        for moment in moments[:deaths]
    ]


@dataclass(frozen=True, slots=True)
class Line:
    """A final, wherever it was found."""

    at: str
    """When it was said: its `eventTimestamp`."""

    text: str
    now: str = ""
    """How it reads now, where it was corrected."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a talk in the end."""

    numbers: int
    log: list[Line]
    table: list[Line]
    seen: list[str]
    """The finals that a viewer read who was there all the time."""

    shown: list[Line]
    """What the conversation's window shows, which is read from the table."""

    shown_ms: int
    """When that was asked for."""

    put_aside: list[str]

    @property
    def wrong(self) -> str | None:
        """What is not as it should be, or None."""
        said = " ".join(map(str, range(self.numbers)))
        if (heard := " ".join(line.text for line in self.log)) != said:
            return f"the log holds {heard}"
        if self.table != self.log:
            missing = [line for line in self.log if line not in self.table]
            return f"the table does not hold the log's lines; of them, it misses {missing}"
        if self.seen != [line.text for line in self.log]:
            return f"a viewer saw {self.seen}"
        if self.put_aside:
            return f"{len(self.put_aside)} messages were put aside"
        oldest = iso_ms(self.shown_ms - WINDOW_MS)
        reads = [replace(line, text=line.now or line.text, now="") for line in self.log]
        hidden = reads[: len(reads) - len(self.shown)]
        if self.shown != reads[len(hidden) :] or any(line.at >= oldest for line in hidden):
            return f"the window shows {self.shown}"
        return None


async def serve_and_die(there: World, folder: Path, deaths: list[Death]) -> Found:
    """Speak into a server that dies, over lines that fail; return what there is in the end."""
    for line, lost in ((there.to_queue, 0.4), (there.from_queue, 0.1), (there.to_table, 0.1)):
        line.faults.lost_answer = lost
    there.to_table.faults.throttled = 0.05
    source, numbers = Source(ROOM), 0
    async with AsyncExitStack() as stack:
        house = _House(there, folder, stack)
        await house.open()
        for death in deaths:
            numbers += death.numbers
            await house.live_until(death, source, numbers)
            await house.correct(f"corrected at {numbers}")
        numbers += PIECE // 2  # what only the end of the talk makes a final
        async with source.connected(house.server) as socket:
            await source.say(socket, numbers)
            await source.end(socket)
        await until(house.has_sent_all, PATIENCE_S)
        there.calm()
        # What the table does not have when nothing is under way, it never gets.
        await until(lambda: there.on_the_way() == 0, PATIENCE_S)
        found = await house.found(numbers)
        assert await asyncio.to_thread(house.server.stop) == 0, "lines were not saved"
        return found


class _House:
    """A server on one data folder and port, the function, and a viewer; all end with the stack."""

    def __init__(self, there: World, folder: Path, stack: AsyncExitStack) -> None:
        self._there = there
        self._data = folder / "data"
        self._port = free_port()
        self._stack = stack
        self._keeper: asyncio.subprocess.Process | None = None
        self.server: RunningServer

    async def open(self) -> None:
        """Start everything."""
        await self._restart_keeper()
        await self._start_server()
        self._viewer = self._stack.enter_context(Reader(self.server.ws, ROOM))

    async def _start_server(self) -> None:
        queue, table = self._there.queue, self._there.table
        running = serving(
            self._data,
            *("--engine", "scripted", "--no-gate", "--sentiment", "off"),
            *("--pipeline-queue", queue, "--pipeline-table", table),
            port=self._port,
            environment=environment_of(self._there),
        )
        # In a thread: the lines that it may call run on this loop.
        self.server = await asyncio.to_thread(self._stack.enter_context, running)
        self._stack.callback(self.server.kill)

    async def _restart_keeper(self) -> None:
        if self._keeper:
            await kill(self._keeper)
        self._keeper = await self._there.start("tests.pipeline.keeper", self._there.queue)
        self._stack.push_async_callback(kill, self._keeper)

    async def live_until(self, death: Death, source: Source, numbers: int) -> None:
        """Let the source speak until the moment has come; kill, and start again."""
        seen, rows = self._there.to_queue.faults.seen, len(self._there.texts())
        logged = await self._finals()
        self._there.to_queue.faults.is_down = death.moment == "refused"
        async with source.connected(self.server) as socket, beside(source.hear_acks(socket)):
            calls, refused = seen["calls"], seen["down"]
            for upto in range(source.sent + PIECE, numbers + PIECE, PIECE):
                await source.say(socket, min(upto, numbers))
                await asyncio.sleep(BREATH_S)
            if death.moment == "logged":
                await self._more_finals_than(logged)
            elif death.moment == "called":
                await until(lambda: seen["calls"] > calls, PATIENCE_S, look_s=0.001)
            elif death.moment == "refused":
                await until(lambda: seen["down"] > refused, PATIENCE_S, look_s=0.001)
            elif death.moment == "kept":
                await until(lambda: len(self._there.texts()) > rows, PATIENCE_S, look_s=0.01)
            await asyncio.sleep(death.pause_s)
            self.server.kill()
        if death.takes_keeper:
            await self._restart_keeper()
        await self._start_server()
        self._there.to_queue.faults.is_down = False

    async def _more_finals_than(self, before: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self._finals() <= before:
                pass

    async def _finals(self) -> int:
        return len(await self._log())

    async def _log(self) -> list[Line]:
        async with open_sqlite_log_to_read(self._data) as log:
            entries = await log.read(ROOM)
        edits = Edits(entries)
        return [
            Line(iso_ms(entry.at_ms), entry.body.text, edits.standing(entry.number).text or "")
            for entry in entries
            if isinstance(entry.body, Segment)
        ]

    async def correct(self, text: str) -> None:
        """Put other words in the place of the talk's first line, if there is one yet."""
        async with open_sqlite_log_to_read(self._data) as log:
            entries = await log.read(ROOM)
        first = next((e.number for e in entries if isinstance(e.body, Segment)), None)
        if first is not None:
            path = f"/api/rooms/{ROOM}/lines/{first}"
            async with httpx.AsyncClient(base_url=self.server.url, timeout=20) as http:
                version = (await http.get(path)).json()["version"]
                answer = await http.put(path, json={"text": text, "made_on": version})
            assert answer.is_success, answer.text

    def has_sent_all(self) -> bool:
        """Return whether the outbox is empty."""
        with closing(sqlite3.connect(f"file:{self._data / LOG_FILE}?mode=ro", uri=True)) as db:
            waiting: int = db.execute("SELECT count(*) FROM outbox").fetchone()[0]
        return waiting == 0

    async def found(self, numbers: int) -> Found:
        """Return what there is of the talk."""
        log = await self._log()
        await until(lambda: len(self._viewer.seen) >= len(log), PATIENCE_S)
        async with web_app(self.server, ROOM) as app:
            shown = await app.window()
        return Found(
            numbers,
            log,
            [
                Line(
                    row["eventTimestamp"]["S"],
                    row["transcript"]["S"],
                    row.get("textNow", {}).get("S", ""),
                )
                for row in self._there.rows()
            ],
            self._viewer.texts,
            [Line(line["eventTimestamp"], line["transcript"]) for line in shown],
            now_ms(),
            self._there.put_aside(),
        )
