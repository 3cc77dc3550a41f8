"""Saves entries without making anybody wait. Why numbers come before the save: docs/why/003."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from itertools import islice

from parola.domain.errors import Fenced, StoreFailed
from parola.domain.log import (
    BEGIN_AND_END,
    Body,
    Edit,
    Entry,
    SessionPast,
    StateChange,
    Withheld,
    is_switch,
    switch_in,
)
from parola.domain.transcript import Segment
from parola.ports import Log

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
"""How long the writer pauses after a failed append: doubled each time, up to this."""

PATIENCE_S = 2.0
"""A store that has not answered for this long counts as failing, though the append goes on."""

RECENT_ENTRIES = 500
"""How many saved entries of a room are kept to recognise a replay: half an hour of talk. Clients
replay what was not acknowledged, a matter of seconds; the log itself swallows the rest."""

RECENT_SESSIONS = 1000
"""How many sessions of an open room are remembered; the log tells of the others."""

_Key = tuple[type[Body], str, int]


class Saving:
    """A numbered entry on its way into the log."""

    def __init__(self, entry: Entry, saved: asyncio.Event, *, replayed: bool = False) -> None:
        self.entry = entry
        self.replayed = replayed
        """Whether it had been submitted before: `entry` is the first one, viewers have seen it."""
        self._saved = saved

    @property
    def durable(self) -> bool:
        """Whether it would survive a crash now."""
        return self._saved.is_set()

    async def wait(self, timeout_s: float) -> bool:
        """Return whether it is durable, as soon as it is, or after `timeout_s` seconds."""
        if not self.durable and timeout_s > 0:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._saved.wait()
            except TimeoutError:
                pass
        return self.durable

    async def kept(self) -> None:
        """Wait until it is durable; for ever, where the log never works again."""
        await self._saved.wait()


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True)
class _Room:
    """Where a room's numbering has got to."""

    last_number: int
    last_at_ms: int
    recent: OrderedDict[_Key, Saving] = field(default_factory=OrderedDict)
    sessions: OrderedDict[str, SessionPast] = field(default_factory=OrderedDict)
    pending: int = 0
    is_settled: asyncio.Event = field(default_factory=_set)
    """Set while nothing is pending."""
    is_left: bool = False

    def remember(self, saving: Saving) -> None:
        if key := _key(saving.entry.body):
            self.recent[key] = saving
            # The log swallows a replay of what it has, not of what still waits.
            while len(self.recent) > RECENT_ENTRIES and next(iter(self.recent.values())).durable:
                self.recent.popitem(last=False)

    def note(self, entry: Entry) -> None:
        """Keep what is known of the entry's session up to date."""
        body = entry.body
        if (past := self.sessions.get(body.session)) is None:
            return
        if isinstance(body, Segment):
            end_frame = max(past.end_frame, body.end_frame)
            past = replace(past, segments=max(past.segments, body.number), end_frame=end_frame)
        elif isinstance(body, StateChange) and body.change in BEGIN_AND_END:
            past = replace(past, is_open=body.change == "session_started")
        elif (switch := switch_in(entry)) and switch not in past.switches:
            past = replace(past, switches=(*past.switches, switch))
        self.sessions[body.session] = past


@dataclass(slots=True, eq=False)
class _Waiting:
    """An entry that is not known to be durable."""

    entry: Entry
    saved: asyncio.Event
    room: _Room


class Recorder:
    """The one writer of a node's logs: numbers entries at once and saves them in the background.

    What it promises, whatever the log's failures are: every entry submitted is in the log
    exactly once, a room's in the order of their numbers, which count on without a gap.

    While the log fails, entries wait here, in order, and are tried again after 0.1 s, 0.2 s …
    1 s. When `limit` entries wait, `submit` refuses more; nothing that waits is dropped.
    """

    def __init__(
        self,
        log: Log,
        *,
        limit: int = 50_000,
        batch: int = 500,
        patience_s: float = PATIENCE_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._log = log
        self._limit = limit
        self._batch = batch
        self._patience_s = patience_s
        self._sleep = sleep
        self._rooms: dict[str, _Room] = {}
        self._queue: deque[_Waiting] = deque()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failure: str | None = None
        self._failure_changed = asyncio.Event()
        self._closing = False
        self._deadline: asyncio.Timeout | None = None
        self._ended = asyncio.Event()

    @property
    def pending(self) -> int:
        """How many entries are not known to be durable yet."""
        return len(self._queue)

    @property
    def failure(self) -> str | None:
        """Why entries are not being saved at the moment, a sentence for a person; else None."""
        return self._failure

    async def failures(self) -> AsyncGenerator[str | None, None]:
        """Yield `failure` whenever it has changed: a sentence at trouble, None when it is over.

        Changes that a watcher was too slow to see are left out; the newest one never is.
        """
        told: str | None = None
        while True:
            changed = self._failure_changed
            if told != self._failure:
                told = self._failure
                yield told
            else:
                await changed.wait()

    async def open_room(self, room: str) -> None:
        """Get ready to number a room's entries; a room that is open stays as it is.

        Raises:
            StoreFailed: its log cannot be read now.
        """
        if room not in self._rooms:
            last = await self._log.last_number(room)
            tail = await self._log.read(room, max(last - RECENT_ENTRIES, 0), RECENT_ENTRIES)
            # Somebody else may have opened it meanwhile, and numbered entries.
            self._rooms.setdefault(room, _continued(last, tail))
        self._rooms[room].is_left = False

    def abandon(self, room: str) -> None:
        """Give up what waits of a room, and what is known of it: another node writes there now.

        What was given up is durable in no log; its sound was never acknowledged.
        """
        self._give_up(room)
        self._rooms.pop(room, None)

    def _give_up(self, room: str) -> None:
        self._queue = deque(waiting for waiting in self._queue if waiting.entry.room != room)
        if state := self._rooms.get(room):
            state.pending = 0
            state.is_settled.set()
        if not self._queue:
            self._idle.set()

    async def saved(self, room: str) -> None:
        """Wait until nothing of a room waits to be saved, or it was given up."""
        if state := self._rooms.get(room):
            await state.is_settled.wait()

    def close_room(self, room: str) -> None:
        """Forget a room that nobody uses, once all its entries are saved."""
        if state := self._rooms.get(room):
            state.is_left = True
            self._forget_if_done(room)

    def forget(self, room: str, sessions: Collection[str]) -> None:
        """Let go of talks that were taken out of the log."""
        if state := self._rooms.get(room):
            for key in [key for key in state.recent if key[1] in sessions]:
                del state.recent[key]
            for session in sessions:
                state.sessions.pop(session, None)

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return entries as `Log.read` does, with those that are not saved yet.

        Raises:
            StoreFailed: the log cannot be read now.
        """
        # Looked at first: what is saved meanwhile is in the log by then.
        waiting = [e for e in self._waiting(room) if e.number > after]
        found = await self._log.read(room, after, limit)
        newest = found[-1].number if found else after
        found += [entry for entry in waiting if entry.number > newest]
        return found[:limit]

    async def edits(self, room: str) -> list[Entry]:
        """Return edits as `Log.edits` does, with those that are not saved yet.

        Raises:
            StoreFailed: the log cannot be read now.
        """
        waiting = [e for e in self._waiting(room) if isinstance(e.body, Edit)]
        found = await self._log.edits(room)
        newest = found[-1].number if found else 0
        return found + [entry for entry in waiting if entry.number > newest]

    async def last_number(self, room: str) -> int:
        """Return the greatest number given or in the log, 0 where there is none.

        Raises:
            StoreFailed: the log cannot be read now.
        """
        last = await self._log.last_number(room)
        # Another node may have gone on with a room that is open here too.
        return max(last, state.last_number) if (state := self._rooms.get(room)) else last

    async def newest_switch(self, room: str) -> Entry | None:
        """Return the newest entry that took the room off the record or back on, saved or not.

        Raises:
            StoreFailed: the log cannot be read now.
        """
        # Looked at first: what is saved meanwhile is in the log by then.
        waiting = [e for e in self._waiting(room) if is_switch(e)]
        return waiting[-1] if waiting else await self._log.newest_switch(room)

    async def past(self, room: str, session: str) -> SessionPast:
        """Return what an open room's log holds of a session, or will when all is saved.

        Raises:
            StoreFailed: the log cannot be read now.
            LookupError: the room is not open.
        """
        state = self._open(room)
        if session not in state.sessions:
            # Looked at before and after: what waits now may be saved, and gone, by then.
            waiting = self._waiting(room)
            state.sessions.setdefault(session, await self._log.past(room, session))
            waiting += self._waiting(room)
            for entry in waiting:
                if entry.body.session == session:
                    state.note(entry)
            if len(state.sessions) > RECENT_SESSIONS:
                state.sessions.popitem(last=False)
        return state.sessions[session]

    def _open(self, room: str) -> _Room:
        state = self._rooms.get(room)
        if state is None:
            raise LookupError(f"room {room!r} is not open; call open_room first")
        return state

    def submit(self, room: str, body: Body, now_ms: int) -> Saving:
        """Number an entry of an open room and queue it for saving; returns at once.

        Its time is `now_ms`, or one millisecond after the room's last where that is later:
        times stay unique and in order when a clock is set back. A segment that was submitted
        before (same session and first frame) is not queued again: its first entry is returned.
        So it is with what was withheld.

        Raises:
            StoreFailed: as many entries wait as may, or the recorder is closed. No number is
                used up.
            LookupError: the room is not open.
            ValueError: the segment is a partial or off the record; those are never logged.
        """
        state = self._open(room)
        if isinstance(body, Segment):
            if not body.is_final:
                raise ValueError("a partial is never logged")
            if body.off_record:
                raise ValueError("what is off the record is never logged")
        if (key := _key(body)) and (first := state.recent.get(key)):
            return Saving(first.entry, first._saved, replayed=True)  # noqa: SLF001 - its own
        self._refuse_if_full()
        state.last_number += 1
        state.last_at_ms = max(now_ms, state.last_at_ms + 1)
        saving = Saving(Entry(room, state.last_number, state.last_at_ms, body), asyncio.Event())
        state.remember(saving)
        state.note(saving.entry)
        state.pending += 1
        state.is_settled.clear()
        self._queue.append(_Waiting(saving.entry, saving._saved, state))  # noqa: SLF001 - its own
        self._idle.clear()
        self._work.set()
        return saving

    async def run(self) -> None:
        """Save what is submitted, until `close`; belongs in the owner's TaskGroup."""
        try:
            async with asyncio.timeout(None) as self._deadline:
                await self._write()
        except TimeoutError:
            if not self._deadline or not self._deadline.expired():
                raise
        finally:
            self._ended.set()

    async def settled(self) -> None:
        """Wait until nothing is pending; for ever, where the log never works again."""
        await self._idle.wait()

    async def close(self, grace_s: float) -> list[Entry]:
        """Take nothing more, save what waits, let `run` end; return what was not saved.

        After `grace_s` seconds it gives up: some of what is returned may yet be in the log,
        where an append was under way.
        """
        self._closing = True
        self._work.set()
        if self._deadline and not self._ended.is_set():
            self._deadline.reschedule(asyncio.get_running_loop().time() + grace_s)
            await self._ended.wait()
        return [waiting.entry for waiting in self._queue]

    def _waiting(self, room: str) -> list[Entry]:
        return [waiting.entry for waiting in self._queue if waiting.entry.room == room]

    def _refuse_if_full(self) -> None:
        if self._closing:
            raise StoreFailed("The server is stopping and saves nothing more; connect again soon.")
        if len(self._queue) >= self._limit:
            raise StoreFailed(
                f"{self._limit} entries wait to be saved, which is the limit; "
                f"nothing more is taken until the log works again. {self._failure or ''}".rstrip()
            )

    async def _write(self) -> None:
        while True:
            while not self._queue:
                if self._closing:
                    return
                self._work.clear()
                await self._work.wait()
            pause_s = FIRST_PAUSE_S
            # Everything that came while the last append was under way goes into one.
            while batch := list(islice(self._queue, self._batch)):
                if await self._is_saved(batch):
                    break
                await self._sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            for waiting in batch:
                self._settle(waiting)
            if not self._queue:
                self._idle.set()

    def _settle(self, waiting: _Waiting) -> None:
        # What was given up meanwhile is not there any more; the rest stands as it stood.
        if not self._queue or self._queue[0] is not waiting:
            return
        self._queue.popleft()
        waiting.saved.set()
        waiting.room.pending -= 1
        if not waiting.room.pending:
            waiting.room.is_settled.set()
        self._forget_if_done(waiting.entry.room)

    async def _is_saved(self, batch: list[_Waiting]) -> bool:
        """Try to append once."""
        slow = asyncio.get_running_loop().call_later(self._patience_s, self._tell_slow)
        try:
            await self._log.append([waiting.entry for waiting in batch])
        except Fenced as error:
            # Nothing will ever let these in, and what stands behind them must not wait for it.
            for room in error.rooms:
                self._give_up(room)
            return False
        except StoreFailed as error:
            self._tell(error.message)
            return False
        finally:
            slow.cancel()
        self._tell(None)
        return True

    def _tell_slow(self) -> None:
        self._tell(f"The log has not answered for {self._patience_s:g} s; look at its disk.")

    def _tell(self, failure: str | None) -> None:
        if failure != self._failure:
            self._failure = failure
            waiting, self._failure_changed = self._failure_changed, asyncio.Event()
            waiting.set()

    def _forget_if_done(self, room: str) -> None:
        state = self._rooms.get(room)
        if state and state.is_left and not state.pending:
            del self._rooms[room]


def _continued(last: int, tail: list[Entry]) -> _Room:
    """Return the numbering that goes on after the log's newest entries."""
    state = _Room(last_number=last, last_at_ms=max((entry.at_ms for entry in tail), default=0))
    saved = asyncio.Event()
    saved.set()
    for entry in tail:
        state.remember(Saving(entry, saved))
    return state


def _key(body: Body) -> _Key | None:
    """Return what a replay of the body has in common with it; None for what is never replayed."""
    if isinstance(body, Segment | Withheld):
        return type(body), body.session, body.first_frame
    return None
