"""Every room on this node: who speaks into it, who reads it, and what its log says."""

import asyncio
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from parola.beside import beside
from parola.domain.errors import (
    BadMessage,
    EngineFailed,
    NoEngine,
    Outdated,
    ParolaError,
    RoomBusy,
    RoomElsewhere,
    ServerFull,
    Stopping,
)
from parola.domain.key_phrases import with_names
from parola.domain.log import Body, Entry, SessionPast, StateChange
from parola.domain.room_settings import WHOLE_EVENT, RoomSettings, checked, version_of
from parola.domain.vocabulary import Language, RoomMode, RoomName
from parola.live.feed import Frame, View
from parola.live.intake import LINGER_S, Hold, Intake, session_frame, source_frame
from parola.live.options import check_options
from parola.live.ownership import Ownership
from parola.live.recorder import Saving
from parola.live.room import Plugs, Room
from parola.live.session import Session, SessionPlan, Sink
from parola.live.talk import Talk
from parola.live.tape import Tape
from parola.ports import (
    Answered,
    Asked,
    Bill,
    Engine,
    Forgotten,
    Metered,
    RoomState,
)

logger = logging.getLogger(__name__)

Work = Callable[[], Coroutine[None, None, None]]
"""What a talk's task does; made only once the task runs, for a task may never begin."""

WATCH_S = 1.0
"""How often alarms are looked at."""

SETTINGS_S = 2.0
"""How often settings are read anew that people may have made on another node."""

LEAVING_S = 1.0
"""How long a source waits for the one before it, which may be gone without our having read it."""

LEFT = RoomState("recovering", "This server has lost the room; the talk goes on in a moment.")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much this node takes on."""

    sessions: int = 32
    rooms: int = 1000
    viewers_per_room: int = 10_000
    linger_s: float = LINGER_S
    """How long a talk waits for a source that has lost its connection."""


Wish = Mapping[str, str | int]
"""What a node asks of another one, or answers."""


class Envoy(Protocol):
    """Asks other nodes, and answers them (parola.live.errands)."""

    async def ask(self, room: RoomName, wish: Wish) -> Wish:
        """Let the room's owner do something, and return what became of it.

        Raises:
            RoomElsewhere: no owner answers in time; whether it was done is not known.
            ParolaError: what it raised there.
        """

    def hear(self, room: Room, event: Asked | Answered) -> None:
        """Take another node's word."""


class Rooms:
    """The rooms that are in use; opened with `open_rooms`."""

    def __init__(self, plugs: Plugs, limits: Limits, tasks: asyncio.TaskGroup) -> None:
        self.plugs = plugs
        self._limits = limits
        self._tasks = tasks
        self._rooms: dict[RoomName, Room] = {}
        self._sessions: set[Session] = set()
        self._talks: set[asyncio.Task[None]] = set()
        """Running until the last line of a talk is numbered."""
        self._following: dict[RoomName, asyncio.Task[None]] = {}
        self._setting = asyncio.Lock()
        """Held from the look at a room's settings to the new ones."""
        self.is_closed = False
        """Whether no new talk is taken; those that run go on."""
        self.stopping = False
        self.event = RoomSettings()
        """What holds for every room, beside its own."""
        self.envoy: Envoy | None = None
        """None for a node that is alone."""
        self.ownership = Ownership(
            plugs.leases, plugs.recorder, self._read_again, self._ask_to_let_go
        )

    @property
    def open_rooms(self) -> list[Room]:
        """Every room in use, by name."""
        return [self._rooms[name] for name in sorted(self._rooms)]

    @property
    def running(self) -> int:
        """How many talks are being recognised."""
        return len(self._sessions)

    @property
    def sessions(self) -> frozenset[str]:
        """The ids of the talks that go on, those whose source is away for a moment too."""
        return frozenset(
            session.plan.session for room in self.open_rooms for session in room.speaking
        )

    def forget(self, gone: Forgotten) -> None:
        """Let go of talks that were taken out of the log."""
        for room in self.open_rooms:
            sessions = {session for name, session in gone.talks if name == room.name}
            if sessions:
                room.feed.forget(sessions)
                self.plugs.recorder.forget(room.name, sessions)

    def bill(self, name: RoomName) -> Bill | None:
        """Return what a room's talks have cost since the start; None where no engine costs."""
        bills = [one.bill(name) for one in self.plugs.engines if isinstance(one, Metered)]
        if not bills:
            return None
        return Bill(
            sum(bill.streams for bill in bills),
            sum(bill.seconds for bill in bills),
            sum((bill.money for bill in bills), Decimal(0)),
        )

    def engine_for(self, language: Language) -> Engine:
        """Return the best engine for the language.

        Raises:
            NoEngine: none of them knows it.
        """
        for engine in self.plugs.engines:
            if engine.knows(language):
                return engine
        have = ", ".join(engine.name for engine in self.plugs.engines) or "none"
        raise NoEngine(
            f"No engine here knows {language} (engines: {have}). "
            "Choose a language one of them knows, see /api/about."
        )

    @asynccontextmanager
    async def enter(self, name: RoomName) -> AsyncIterator[Room]:
        """Hold a room open; it is made when the first one enters and goes with the last.

        Raises:
            StoreFailed: its log cannot be read now.
            ServerFull: too many rooms are in use.
        """
        room = self._rooms.get(name)
        if room is None:
            if len(self._rooms) >= self._limits.rooms:
                raise ServerFull(f"{self._limits.rooms} rooms are in use, which is the limit here.")
            room = self._rooms[name] = Room(name, self.plugs)
            self._following[name] = self._tasks.create_task(self._follow(room))
        room.users += 1
        try:
            await self._until_ready(room)
            yield room
        finally:
            self._leave(room)

    async def _follow(self, room: Room) -> None:
        """Keep a room's feed up to date. Subscribe first, then read the past: no gap."""
        try:
            async with self.plugs.bus.subscribe(room.name) as events:
                await self._read_past(room)
                await room.tell_again()
                room.feed.ready.set()
                async for event in events:
                    if not isinstance(event, Asked | Answered):
                        room.feed.apply(event)
                    elif self.envoy:
                        self.envoy.hear(room, event)
        except ParolaError as error:
            room.feed.failure = error
        finally:
            room.feed.ready.set()

    async def _read_past(self, room: Room) -> None:
        await self.plugs.recorder.open_room(room.name)
        await room.feed.load()
        room.edits = room.feed.edits.copy()
        room.settings = await self.plugs.book.read(room.name)
        room.curtain.mode = room.settings.mode
        self.event = await self.plugs.book.read(WHOLE_EVENT)
        room.take_up(await self.plugs.recorder.newest_switch(room.name))

    async def _read_again(self, name: str) -> None:
        if room := self._rooms.get(RoomName(name)):
            self.plugs.recorder.abandon(name)
            await self._read_past(room)

    async def _until_ready(self, room: Room) -> None:
        await room.feed.ready.wait()
        if room.feed.failure:
            # The next one to enter tries again.
            self._rooms.pop(room.name, None)
            self._following.pop(room.name, None)
            raise room.feed.failure

    @asynccontextmanager
    async def speak(
        self, name: RoomName, plan: SessionPlan, *, joins: bool = False
    ) -> AsyncIterator[Session]:
        """Open a session into a room; leaving the context ends it, its last finals still come.

        Args:
            name: the room.
            plan: what the source asks for.
            joins: it is one voice of a conversation, and others that join may speak beside it.

        Raises:
            RoomBusy: another source is speaking into the room, and not in a conversation.
            NoEngine: no engine knows the language; the room's viewers are told too.
            BadMessage: the engine does not take the plan's options.
            Stopping: the server takes nothing new.
            ServerFull: as many sessions run as this node takes.
            StoreFailed: the room's log cannot be read.
        """
        async with self.enter(name) as room, self.owning(room, plan.session):
            await self._until_free(room, joins=joins)
            plan = _planned(replace(plan, room=name), room.settings, self.event)
            engine, talk = await self._engine_or_tell(room, plan.language), Talk(room, plan)
            check_options(engine, plan)
            session = self._session(plan, engine, talk, tape=self._tape(room, plan))
            self._begin(room, session, lambda: self._talk(room, session, talk), joins=joins)
            try:
                await room.follow_suit(session)
                yield session
            finally:
                session.end()

    def _begin(self, room: Room, session: Session, work: Work, *, joins: bool = False) -> None:
        room.take(session, joins=joins)
        room.feed.language, room.feed.engine = session.plan.language, session.engine
        room.note_audio()
        # The room stays open until the last final is out, whoever has left by then.
        room.users += 1
        room.owners += 1
        talk = self._tasks.create_task(self._run_in_room(room, session, work))
        for talks in (self._talks, room.talks):
            talks.add(talk)
            talk.add_done_callback(talks.discard)

    @asynccontextmanager
    async def owning(self, room: Room, session: str = "") -> AsyncIterator[None]:
        """Keep other nodes from speaking into an open room, see `Ownership.take`.

        Raises:
            RoomElsewhere, RoomBusy: another node speaks it.
            StoreFailed: whose it is cannot be known now.
        """
        await self.ownership.take(room, session)
        room.owners += 1
        try:
            yield
        finally:
            self._disown(room)

    def _disown(self, room: Room) -> None:
        room.owners -= 1
        if room.owners or self.plugs.leases is None:
            return
        room.users += 1
        leaving = self._tasks.create_task(self._give_back(room))
        self._talks.add(leaving)
        leaving.add_done_callback(self._talks.discard)

    async def _give_back(self, room: Room) -> None:
        try:
            await self.ownership.give_back(room)
        finally:
            self._leave(room)

    async def _ask_to_let_go(self, room: str, session: str) -> None:
        if self.envoy:
            await self.envoy.ask(RoomName(room), {"do": "let go", "session": session})

    async def let_go(self, room: Room, session: str) -> None:
        """Leave a room to another node, at which the source of a session is now.

        Raises:
            RoomBusy: another source is speaking into the room here.
        """
        if all(one.plan.session != session for one in room.everybody()):
            self._refuse_if_busy(room)
        await self.ownership.let_go(room)
        self._catch_up_later(room)

    async def leave_lost_rooms(self) -> None:
        """End what is spoken into rooms that are not this node's any more, for ever."""
        async for name in self.ownership.lost():
            if room := self._rooms.get(RoomName(name)):
                self.ownership.break_off(room)
                await self.plugs.bus.publish(room.name, LEFT)
                self._catch_up_later(room)

    def _catch_up_later(self, room: Room) -> None:
        room.users += 1
        self._tasks.create_task(self._catch_up(room))

    async def _catch_up(self, room: Room) -> None:
        try:
            await self.ownership.catch_up(room)
        finally:
            self._leave(room)

    @asynccontextmanager
    async def attend(self, name: RoomName, plan: SessionPlan, position: int) -> AsyncIterator[Hold]:
        """Open a talk whose source numbers its sound, or go on with it in its last one's place.

        `Hold.intake.received` says from which of the source's frames on sound is wanted. Leaving
        the context without `Hold.end` keeps the talk for `Limits.linger_s` seconds.

        Raises:
            RoomBusy, NoEngine, Stopping, ServerFull, StoreFailed: see `speak`.
        """
        async with self.enter(name) as room:
            async with room.door:
                async with self.owning(room, plan.session):
                    intake = await self._intake(room, plan, position)
                hold = intake.take_over()
                room.note_audio()
            try:
                yield hold
            finally:
                intake.leave(hold)

    async def _intake(self, room: Room, plan: SessionPlan, position: int) -> Intake:
        intake = room.intake
        if self.stopping or not (intake and intake.session.plan.session == plan.session):
            self._refuse_if_stopping()
        if intake and intake.session.plan.session == plan.session:
            if _goes_on(intake, plan, position):
                return intake
            intake.session.end()
            await intake.over()
        past = await self.plugs.recorder.past(room.name, plan.session)
        self._refuse_if_busy(room)
        position = max(position, source_frame(past.end_frame, plan.rate_hz))
        plan = replace(plan, room=room.name, first_frame=session_frame(position, plan.rate_hz))
        plan = _planned(plan, room.settings, self.event)
        engine, talk = await self._engine_or_tell(room, plan.language), Talk(room, plan, past)
        check_options(engine, plan)
        session = self._session(plan, engine, talk, past, self._tape(room, plan))
        intake = room.intake = Intake(session, plan.rate_hz, position)
        self._begin(room, session, lambda: self._numbered_talk(room, intake, talk))
        await room.follow_suit(session)
        return intake

    async def _engine_or_tell(self, room: Room, language: Language) -> Engine:
        try:
            return self.engine_for(language)
        except NoEngine as error:
            await room.tell(RoomState("failed", error.message))
            raise

    async def set_up(self, name: RoomName, settings: RoomSettings, seen: str | None = None) -> None:
        """Set everything for a room anew but its mode; a talk that goes on there goes on by it.

        Args:
            name: the room.
            settings: what holds from now on.
            seen: the version that was looked at; None to overwrite whatever there is.

        Raises:
            Outdated: somebody else has set it anew since; what was set before stays.
            NoEngine: no engine knows the language.
            BadMessage: it would stand beside itself.
            TooLarge: more than a room takes; the message says of what.
            StoreFailed: it cannot be kept now; what was set before stays.
        """
        if settings.language:
            self.engine_for(settings.language)
        if settings.beside == name:
            raise BadMessage(f"{name!r} cannot stand beside itself; name another room.")
        settings = await self._set(name, settings, seen)
        if room := self._rooms.get(name):
            room.settings = settings
            await self._renew(room)

    async def set_up_event(self, settings: RoomSettings, seen: str | None = None) -> None:
        """Set the replacements and blocked words of all rooms anew; talks go on by them.

        Raises:
            Outdated, TooLarge, StoreFailed: see `set_up`.
        """
        self.event = await self._set(WHOLE_EVENT, settings, seen)
        for room in self.open_rooms:
            await self._renew(room)

    async def _set(self, name: str, settings: RoomSettings, seen: str | None) -> RoomSettings:
        checked(settings)

        def change(before: RoomSettings) -> RoomSettings:
            if seen not in {None, version_of(before)}:
                raise Outdated("Somebody else has set this anew meanwhile; look at it again.")
            # What the operator lets be seen is set elsewhere, and not by whoever sends the words.
            return replace(settings, mode=before.mode)

        return await self._change(name, change)

    async def _change(
        self, name: str, change: Callable[[RoomSettings], RoomSettings]
    ) -> RoomSettings:
        """Keep what `change` makes of what is set, and return it; of writers at once, one is first.

        The lock is for those here; for those on other nodes it is tried on what they have set.
        """
        async with self._setting:
            while True:
                before = await self.plugs.book.read(name)
                settings = change(before)
                if await self.plugs.book.write(name, settings, before):
                    return settings

    async def turn(self, name: RoomName, mode: RoomMode) -> Saving:
        """Set what a room lets be seen and kept; it holds at once, and outlives a restart.

        Raises:
            StoreFailed: it cannot be kept now; nothing was changed.
            ServerFull: too many rooms are in use.
        """
        async with self.enter(name) as room:
            try:
                async with self.owning(room):
                    room.settings = await self._change(name, lambda set_: replace(set_, mode=mode))
                    return await room.turn(mode)
            except RoomElsewhere:
                if self.envoy is None:
                    raise
                answer = await self.envoy.ask(name, {"do": "turn", "mode": mode})
                return done_elsewhere(name, StateChange("mode", "", mode), answer)

    async def _renew(self, room: Room) -> None:
        for session in room.speaking:
            if session.tape:
                session.tape.is_on = room.settings.keep_recordings
            if session.is_ending:
                continue
            plan = _planned(session.plan, room.settings, self.event)
            engine = self.engine_for(plan.language)
            session.renew(plan, engine)
            if plan.language != room.feed.language:
                room.feed.language, room.feed.engine = plan.language, engine.name
                await room.change(StateChange("language", plan.session, plan.language))

    def refuse_if_busy(self, name: RoomName) -> None:
        """Do nothing, if a source could speak into the room now.

        Raises:
            RoomBusy: another source is speaking into the room.
            Stopping: the server takes nothing new.
        """
        if room := self._rooms.get(name):
            self._refuse_if_busy(room)

    async def _until_free(self, room: Room, *, joins: bool) -> None:
        """Wait a moment for a source that has left: its socket is closed before that is read here.

        Raises:
            RoomBusy: it has not left.
        """
        clock = asyncio.get_running_loop().time
        until_s = clock() + LEAVING_S
        while True:
            try:
                return self._refuse_if_busy(room, joins=joins)
            except RoomBusy:
                if clock() >= until_s:
                    raise
            await asyncio.sleep(LEAVING_S / 20)

    def _refuse_if_busy(self, room: Room, *, joins: bool = False) -> None:
        self._refuse_if_stopping()
        speaking = any(not session.is_ending for session in room.speaking)
        if speaking and not room.is_stale and not (joins and room.voices):
            raise RoomBusy(
                f"Another source is speaking into {room.name!r}. Stop it, or take another room."
            )

    def _refuse_if_stopping(self) -> None:
        if self.is_closed or self.stopping:
            raise Stopping("The server is about to restart; please connect again in a moment.")

    def _tape(self, room: Room, plan: SessionPlan) -> Tape | None:
        if self.plugs.recordings is None:
            return None
        recording = self.plugs.recordings.open(room.name, plan.session)
        return Tape(recording, is_on=room.settings.keep_recordings)

    def _session(
        self,
        plan: SessionPlan,
        engine: Engine,
        sink: Sink,
        past: SessionPast | None = None,
        tape: Tape | None = None,
    ) -> Session:
        if len(self._sessions) >= self._limits.sessions:
            raise ServerFull(
                f"{self._limits.sessions} sessions are running, which is the limit here; "
                "wait for one to end."
            )
        gate = self.plugs.make_gate() if engine.gated else None
        session = Session(plan, engine, gate, sink, past=past, tape=tape)
        self._sessions.add(session)
        return session

    async def _run_in_room(self, room: Room, session: Session, work: Work) -> None:
        try:
            await self._supervised(session, work)
        finally:
            room.release(session)
            self._disown(room)
            room.counts.withheld_words += session.withheld_words
            self._leave(room)

    async def _talk(self, room: Room, session: Session, talk: Talk) -> None:
        await talk.begin()
        await session.run()
        await talk.end()
        if room.speaking == (session,) and session.failure is None:
            await room.tell(RoomState("idle"))

    async def _numbered_talk(self, room: Room, intake: Intake, talk: Talk) -> None:
        """Run a talk whose source may come back, here or to the process after this one."""
        session = intake.session
        last_line: Saving | None = None
        try:
            await talk.begin()
            async with beside(intake.end_when_left(self._limits.linger_s)):
                await session.run()
            # A failed talk, and one that is moved, stays open: its source comes back with the rest.
            if not session.failure and (intake.is_ended or not self.stopping):
                last_line = await talk.end()
        finally:
            intake.close(last_line)
        if room.speaking == (session,) and session.failure is None:
            await room.tell(RoomState("idle"))

    async def _supervised(self, session: Session, work: Work) -> None:
        """Run a session's work; a bug or a full store in one never ends the others."""
        try:
            await work()
        except ParolaError as error:
            logger.warning("session %s: %s: %s", session.plan.session, error.code, error.message)
            session.fail(error)
        except Exception:
            # The border between one session and all others.
            logger.exception("session %s: unexpected", session.plan.session)
            session.fail(
                EngineFailed("Something unexpected went wrong; the server's log says what.")
            )
        finally:
            self._sessions.discard(session)

    def _leave(self, room: Room) -> None:
        room.users -= 1
        if room.users == 0 and self._rooms.get(room.name) is room:
            del self._rooms[room.name]
            self._following.pop(room.name).cancel()
            self.plugs.recorder.close_room(room.name)

    @asynccontextmanager
    async def transcribe(
        self, plan: SessionPlan, sink: Sink, as_in: RoomName | None = None
    ) -> AsyncIterator[Session]:
        """Open a session whose text goes to one asker only: no room, no log.

        Leaving the context ends it at once; wait for `Session.finished` to have all its text.

        Args:
            plan: what the asker wants.
            sink: where its text goes.
            as_in: the room whose language, words, replacements and blocked words hold for it
                too; without one, those of the whole event.

        Raises:
            StoreFailed: the settings cannot be read now.
            NoEngine: no engine knows the language.
            BadMessage: the engine does not take the plan's options.
            Stopping: the server takes nothing new.
            ServerFull: as many sessions run as this node takes.
        """
        self._refuse_if_stopping()
        book = self.plugs.book
        settings = await book.read(as_in) if as_in else RoomSettings()
        plan = _planned(plan, settings, await book.read(WHOLE_EVENT))
        engine = self.engine_for(plan.language)
        check_options(engine, plan)
        session = self._session(plan, engine, sink)
        task = self._tasks.create_task(self._supervised(session, session.run))
        try:
            yield session
        finally:
            session.end()
            task.cancel()

    async def watch(self, name: RoomName, view: View) -> AsyncGenerator[str]:
        """Yield a viewer's frames as text, see `follow`."""
        async with aclosing(self.follow(name, view)) as frames:
            async for frame in frames:
                yield frame.text

    async def follow(self, name: RoomName, view: View) -> AsyncGenerator[Frame]:
        """Yield a viewer's frames, see `Feed.follow`.

        Raises:
            StoreFailed: the room's log cannot be read now.
            ServerFull: too many viewers or rooms.
        """
        async with self.view(name) as room:
            async for frame in room.feed.follow(view, self.plugs.now_ms()):
                yield frame

    @asynccontextmanager
    async def view(self, name: RoomName) -> AsyncIterator[Room]:
        """Hold a room open as one of its viewers.

        Raises:
            StoreFailed: the room's log cannot be read now.
            ServerFull: too many viewers or rooms.
        """
        async with self.enter(name) as room:
            if room.feed.viewers >= self._limits.viewers_per_room:
                raise ServerFull(f"The room has {room.feed.viewers} viewers, the limit here.")
            room.feed.viewers += 1
            try:
                yield room
            finally:
                room.feed.viewers -= 1

    async def watch_over(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look after every room's alarms once a second, for ever."""
        while True:
            await sleep(WATCH_S)
            for room in self.open_rooms:
                await room.watch_over()

    async def keep_settings_fresh(self) -> None:
        """Look for what people have set on other nodes, for ever; talks here go on by it."""
        while True:
            await asyncio.sleep(SETTINGS_S)
            try:
                await self._look_at_settings()
            except ParolaError as error:
                logger.warning("settings made on other nodes may be missing: %s", error.message)

    async def _look_at_settings(self) -> None:
        speaking = [room for room in self.open_rooms if room.speaking]
        event = await self.plugs.book.read(WHOLE_EVENT) if speaking else self.event
        is_new = event != self.event
        self.event = event
        for room in speaking:
            settings = await self.plugs.book.read(room.name)
            # The mode is the owner's own affair.
            settings = replace(settings, mode=room.settings.mode)
            if is_new or settings != room.settings:
                room.settings = settings
                await self._renew(room)

    async def pass_on_failures(self) -> None:
        """Tell every room, for ever, when the store goes down and when it is back."""
        async for failure in self.plugs.recorder.failures():
            if failure:
                logger.error("transcripts are not being saved: %s", failure)
            for room in self.open_rooms:
                await room.tell_again()

    async def empty(self) -> None:
        """Take no new talk from now on, and wait until those that run are over."""
        self.is_closed = True
        while self._sessions or self._talks:
            for session in tuple(self._sessions):
                await session.stopped()
            if self._talks:
                await asyncio.wait(self._talks)
            await asyncio.sleep(0)  # a session has ended a little before it is let go

    async def drain(self, within_s: float) -> None:
        """Take nothing new, end every session, and wait for the last finals and their saving.

        Calling it again changes nothing.
        """
        if self.stopping:
            return
        self.stopping = True
        running = tuple(self._sessions)
        intakes = [room.intake for room in self.open_rooms if room.intake]
        moving = {intake.session for intake in intakes if not intake.is_ended}
        for session in running:
            session.end(moves=session in moving)
        try:
            async with asyncio.timeout(within_s):
                for session in running:
                    await session.stopped()
                if self._talks:
                    await asyncio.wait(self._talks)
                await self.plugs.recorder.settled()
        except TimeoutError:
            logger.warning("stopped before every final was out")


def done_elsewhere(room: RoomName, body: Body, answer: Wish) -> Saving:
    """Return what another node has numbered as if it had been done here."""
    saved = asyncio.Event()
    if answer["saved"]:
        saved.set()
    return Saving(Entry(room, int(answer["number"]), 0, body), saved)


def _planned(plan: SessionPlan, settings: RoomSettings, event: RoomSettings) -> SessionPlan:
    """Return what a source asked for as far as the room's settings leave it open."""
    return replace(
        plan,
        language=settings.language or plan.language,
        terms=with_names(plan.own_terms.joined(settings.terms)),
        replacements=settings.replacements + event.replacements,
        blocked=settings.blocked + event.blocked,
    )


def _goes_on(intake: Intake, plan: SessionPlan, position: int) -> bool:
    """Return whether a source that comes back can go on in the session it had."""
    session = intake.session
    if session.failure or position > intake.received:
        return False
    if (plan.rate_hz, plan.channels) != (intake.rate_hz, session.plan.channels):
        return False
    return intake.is_ended or not session.is_ending
