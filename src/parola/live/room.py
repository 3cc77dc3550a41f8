"""One room: the sink of its sessions, and what is known of it while somebody is in it."""

import asyncio
from collections.abc import (
    Callable,
    Sequence,
)
from dataclasses import dataclass, replace

from parola.audio.gate import Gate
from parola.domain.audio import RATE_HZ
from parola.domain.corrections import Edits
from parola.domain.errors import (
    EditConflict,
)
from parola.domain.log import Body, Change, Edit, Entry, StateChange, Withheld
from parola.domain.room_settings import RoomSettings
from parola.domain.transcript import Segment
from parola.domain.vocabulary import RoomMode, RoomName
from parola.live.curtain import STATES, UNKEPT, Curtain
from parola.live.feed import Feed
from parola.live.intake import Intake
from parola.live.ownership import refuse_if_elsewhere
from parola.live.recorder import Recorder, Saving
from parola.live.session import Session
from parola.ports import (
    Alarm,
    Bus,
    Engine,
    Leases,
    Log,
    Numbered,
    Partial,
    Recordings,
    RoomBook,
    RoomState,
    Unrecorded,
)

SAVE_GRACE_S = 0.25
"""How long a final may wait for the log before it is shown (docs/why/003)."""

STALE_S = 5.0
"""A source that has sent nothing for this long may be replaced by another one."""


@dataclass(frozen=True, slots=True)
class Plugs:
    """What the rooms are built on."""

    engines: Sequence[Engine]
    """In order of preference."""

    make_gate: Callable[[], Gate | None]
    log: Log
    book: RoomBook
    recorder: Recorder
    bus: Bus
    now_ms: Callable[[], int]
    """Wall-clock time, milliseconds since 1970."""

    monotonic: Callable[[], float]
    """Seconds; for measuring how long a source has been silent."""

    recordings: Recordings | None = None
    """Where the sound of talks is kept, in rooms that want it."""

    leases: Leases | None = None
    """None for a node that is alone: it owns every room."""


@dataclass(slots=True)
class Counts:
    """What has happened in a room since somebody entered it."""

    words: int = 0
    """Shown as final."""

    withheld_words: int = 0
    """Of talks that are over; the running one counts its own."""

    breaks: int = 0
    """How often an engine broke off or was long in starting."""


class Room:
    """A named place people speak and read in: the sink of its sessions."""

    def __init__(self, name: RoomName, plugs: Plugs) -> None:
        self.name = name
        self.feed = Feed(name, plugs.recorder, is_shared=plugs.leases is not None)
        self.edits = Edits()
        """As they are numbered here, before viewers hear of them."""
        self.settings = RoomSettings()
        self.curtain = Curtain()
        self.session: Session | None = None
        """The newest one that speaks."""
        self.voices: list[Session] = []
        """A conversation's sessions, oldest first: those who may speak at once (docs/why/019)."""
        self.intake: Intake | None = None
        """The newest talk whose source numbers its sound."""
        self.door = asyncio.Lock()
        """Held while a numbered source is let in: it may come twice at once."""
        self.ownership = asyncio.Lock()
        """Held while it is taken from other nodes, or given back."""
        self.owners = 0
        """How many talks and commands need it to be this node's."""
        self.talks: set[asyncio.Task[None]] = set()
        """Running until the last line of each is numbered."""
        self.users = 0
        """How many sessions, viewers and requests hold it open."""
        self.counts = Counts()
        self._plugs = plugs
        self._state = RoomState("idle")
        self._heard_at = plugs.monotonic()
        self._alarms: tuple[Alarm, ...] = ()
        self.is_off_record = False
        """Whether what is said now is shown and kept nowhere."""
        self._switched_ms = 0

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What is wrong with its sound or words, as it was last published."""
        return self._alarms

    @property
    def is_stale(self) -> bool:
        """Whether the speaking source has been silent long enough to be replaced."""
        return self._plugs.monotonic() - self._heard_at > STALE_S

    @property
    def withheld_words(self) -> int:
        """How many words of all its talks were not shown for want of speech under them."""
        running = self.session.withheld_words if self.session else 0
        return self.counts.withheld_words + running

    @property
    def speaking(self) -> tuple[Session, ...]:
        """Everybody who may speak into it now."""
        return tuple(self.voices) or ((self.session,) if self.session else ())

    def everybody(self) -> tuple[Session, ...]:
        """Return every session of the room, its newest numbered one among them."""
        return (*self.speaking, *((self.intake.session,) if self.intake else ()))

    def take(self, session: Session, *, joins: bool) -> None:
        """Let a session speak: beside the conversation's others, else in everybody's place."""
        for before in () if joins and self.voices else self.speaking:
            before.end()
        if not joins:
            self.voices.clear()
        else:
            self.voices.append(session)
        self.session = session

    def release(self, session: Session) -> None:
        """Let go of a session that is over."""
        if session in self.voices:
            self.voices.remove(session)
        if self.session is session:
            self.session = self.voices[-1] if self.voices else None

    def note_audio(self) -> None:
        """Remember that the source sent something just now."""
        self._heard_at = self._plugs.monotonic()

    async def show(self, segment: Segment) -> Saving | None:
        """Publish a segment; a final goes to the log first, within the grace."""
        if not self.curtain.shows(segment):
            return None
        self._refuse_if_elsewhere()
        if not segment.is_final:
            await self._plugs.bus.publish(self.name, Partial(segment))
            return None
        if segment.off_record:
            await self._plugs.bus.publish(self.name, Unrecorded(segment))
            return None
        saving = self._submit(segment)
        if not saving.replayed:
            self.counts.words += len(segment.text.split())
        await self._publish_saved(saving)
        return saving

    async def change(self, change: StateChange) -> Saving:
        """Log and publish that something about the room changed."""
        saving = self._submit(change)
        await self._publish_saved(saving)
        return saving

    async def edit(self, edit: Edit) -> Saving:
        """Log and publish an edit of a final.

        Raises:
            EditConflict: it was made on another version than the newest; nothing was changed.
            StoreFailed: as many entries wait to be saved as may.
        """
        # From the look at the version to the new one nobody else has a turn.
        if edit.made_on != self.edits.standing(edit.of).version:
            raise EditConflict("Somebody else has changed this line meanwhile; look at it again.")
        saving = self._submit(edit)
        self.edits.add(saving.entry)
        await self._publish_saved(saving)
        return saving

    def take_up(self, switched: Entry | None) -> None:
        """Go on as the log has it, from what took the room off the record or back on last."""
        self._switched_ms = switched.at_ms if switched else 0
        self.is_off_record = self.curtain.mode in UNKEPT

    async def switch(self, *, is_off: bool) -> list[Saving]:
        """Go off the record, or back on, with the sound to come; return what will be logged.

        Everybody who speaks has the word before anything is waited for.
        """
        if is_off == self.is_off_record:
            return []
        now_ms = self._plugs.now_ms()
        self.is_off_record, self._switched_ms = is_off, now_ms
        switches = [
            (session.plan.session, switch)
            for session in self.speaking
            if (switch := session.switch(now_ms, is_off=is_off))
        ]
        word: Change = "off_record" if is_off else "on_record"
        changes = [StateChange(word, session, str(switch.frame)) for session, switch in switches]
        savings = [self._submit(change, now_ms) for change in changes or [StateChange(word, "")]]
        for saving in savings:
            await self._plugs.bus.publish(self.name, Numbered(saving.entry))
        return savings

    async def follow_suit(self, session: Session) -> None:
        """Bring a session that begins, or goes on after a break, to the room's own word."""
        was_off = session.record.newest is not None and session.record.newest.is_off
        if was_off == self.is_off_record:
            return
        now_ms = self._plugs.now_ms()
        # Back on the record while the session was away: sound from after that is kept.
        said_ms = now_ms if self.is_off_record else self._switched_ms
        if switch := session.switch(said_ms, is_off=self.is_off_record):
            word: Change = "off_record" if switch.is_off else "on_record"
            change = StateChange(word, session.plan.session, str(switch.frame))
            saving = self._submit(change, now_ms)
            await self._plugs.bus.publish(self.name, Numbered(saving.entry))

    async def withhold(self, withheld: Withheld) -> None:
        """Log what nobody is shown; no viewer hears of it."""
        self._submit(withheld)

    async def turn(self, mode: RoomMode) -> Saving:
        """Change what is seen and kept from now on; log and publish that it was changed."""
        self.curtain.turn(mode)
        await self.switch(is_off=mode in UNKEPT)
        session = self.session.plan.session if self.session else ""
        await self.tell_again()
        return await self.change(StateChange("mode", session, mode))

    def _submit(self, body: Body, now_ms: int | None = None) -> Saving:
        self._refuse_if_elsewhere()
        at_ms = self._plugs.now_ms() if now_ms is None else now_ms
        return self._plugs.recorder.submit(self.name, body, at_ms)

    def _refuse_if_elsewhere(self) -> None:
        # The last look at the clock before anything is said: this process may have stood still.
        refuse_if_elsewhere(self._plugs.leases, self.name)

    async def _publish_saved(self, saving: Saving) -> None:
        # A store that is known to be behind delays nobody.
        grace_s = 0.0 if self._plugs.recorder.failure else SAVE_GRACE_S
        await saving.wait(grace_s)
        self._refuse_if_elsewhere()
        await self._plugs.bus.publish(self.name, Numbered(saving.entry))

    async def tell(self, state: RoomState) -> None:
        """Publish what the room is doing."""
        self.counts.breaks += state.state == "recovering"
        self._state = state
        await self.tell_again()

    async def watch_over(self) -> None:
        """Publish the state again where its alarms have changed."""
        now_s = self._plugs.monotonic()
        session = self.session
        alarms = session.alarms.now(now_s, now_s - self._heard_at) if session else ()
        alarms += tuple(
            Alarm("recording", speaking.tape.failure)
            for speaking in self.speaking
            if speaking.tape and speaking.tape.failure
        )
        if alarms != self._alarms:
            self._alarms = alarms
            await self.tell_again()

    async def tell_again(self) -> None:
        """Publish the state, or that the log cannot be written, whichever matters more."""
        failure = self._plugs.recorder.failure
        unsaved = RoomState("unsaved", f"The transcript cannot be saved at the moment: {failure}")
        hides = failure and self._state.state not in {"failed", "idle"}
        state = unsaved if hides else self._state
        state = STATES.get(self.curtain.mode, state)
        await self._plugs.bus.publish(self.name, replace(state, alarms=self._alarms))


def lag_s(session: Session) -> float:
    """Return how far the text is behind the audio."""
    return round(session.lag_frames / RATE_HZ, 1)
