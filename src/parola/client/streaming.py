"""Streams one source into a room, and brings home first what an earlier process left behind."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass

from parola.beside import tasks_beside
from parola.client.sources import Source
from parola.client.spool_folder import Kept, SpoolFolder, memory_talk
from parola.client.uplink import Listener, Sender, Sent, Uplink
from parola.domain.audio import RATE_HZ, to_seconds
from parola.domain.errors import ParolaError
from parola.domain.vocabulary import Language

SAME_TALK_S = 3600.0
"""A microphone that comes back within this time goes on with its talk; later it is another."""


@dataclass(frozen=True, slots=True)
class Storing:
    """Where sound is kept until its text is safe."""

    folder: SpoolFolder | None = None
    """None: in memory only."""

    budget_frames: int = 15 * 60 * RATE_HZ


async def stream(
    source: Source,
    uplink: Uplink,
    language: Language,
    storing: Storing = Storing(),
    listener: Listener = Listener(),  # noqa: B008 - a frozen value
    stop: asyncio.Event | None = None,
    now: Callable[[], float] = time.time,
) -> Sent:
    """Send a source's sound to its end, or until `stop`; return when the last text is safe.

    Cancelled, what is not safe stays in the storing folder for the next process.

    Raises:
        Unreachable: a recording's server cannot be reached at first.
        RoomBusy, NoEngine, BadLanguage and so on: the server refused, in its own words.
        AlreadySending: another process sends into the room.
        ParolaError: the source cannot be heard; what was heard is brought home first.
    """
    with ExitStack() as held:
        if storing.folder:
            held.enter_context(storing.folder.locked())
        current, others = _talks(source, language, storing, now())
        sender = Sender(uplink, current, listener, is_live=source.is_live)
        pump = _Pump(source, sender, stop or asyncio.Event(), current.spool.end_frame)
        async with tasks_beside() as tasks:
            pumping = tasks.create_task(pump.run())
            # Live sound does not wait: it is kept while the older talks are sent.
            for other in others:
                await _bring_home(other, uplink, listener)
            await sender.run()
            await pumping
        current.done()
        if pump.failure:
            raise pump.failure
        return sender.progress


class _Pump:
    """Takes a source's sound to its sender."""

    def __init__(
        self, source: Source, sender: Sender, stop: asyncio.Event, from_frame: int
    ) -> None:
        self._source = source
        self._sender = sender
        self._stop = stop
        self._from_frame = from_frame
        self.failure: ParolaError | None = None

    async def run(self) -> None:
        """Run until the source ends, fails, or is stopped; then say so to the sender."""
        async with tasks_beside() as tasks:
            pumping = tasks.create_task(self._pump())
            stopping = tasks.create_task(self._stop.wait())
            await asyncio.wait({pumping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self._sender.end()

    async def _pump(self) -> None:
        try:
            async with aclosing(self._source.sound(self._from_frame)) as sound:
                async for heard in sound:
                    if not self._source.is_live:
                        await self._sender.room_for_more()
                    self._sender.take(heard)
        except ParolaError as error:
            self.failure = error


def _talks(
    source: Source, language: Language, storing: Storing, now: float
) -> tuple[Kept, list[Kept]]:
    """Return the talk to go on with or to begin, and those to bring home before."""
    if storing.folder is None:
        return memory_talk(language, source.name, storing.budget_frames), []
    others = storing.folder.left_behind()
    if others and _goes_on(others[-1], source, language, now):
        return others[-1], others[:-1]
    return storing.folder.new_talk(language, source.name), others


def _goes_on(kept: Kept, source: Source, language: Language, now: float) -> bool:
    same = kept.talk.source == source.name and kept.talk.language == language
    return same and (not source.is_live or now - kept.touched_at < SAME_TALK_S)


async def _bring_home(kept: Kept, uplink: Uplink, listener: Listener) -> None:
    sender = Sender(uplink, kept, listener, is_live=False)
    sender.end()
    waiting_s = to_seconds(kept.spool.end_frame - kept.spool.first_frame)
    try:
        await sender.run()
    except ParolaError as error:
        listener.news(
            f"{waiting_s:.1f} s of an earlier talk cannot be brought home: {error.message}"
            f" They stay in {kept.folder}."
        )
        return
    kept.done()
    listener.news(f"An earlier talk was brought home: {waiting_s:.1f} s were sent.")
