"""One talk's lines in its room: where it begins and ends in the log, and its segments."""

from dataclasses import replace
from typing import Protocol

from parola.domain.log import SessionPast, StateChange, Withheld
from parola.domain.transcript import Segment
from parola.live.recorder import Saving
from parola.live.session import SessionPlan
from parola.ports import RoomState


class Stage(Protocol):
    """A room, as a talk needs it."""

    async def show(self, segment: Segment) -> Saving | None:
        """Show a partial or a final; a final that is kept returns its promise."""

    async def change(self, change: StateChange) -> Saving:
        """Log and publish that something about the room changed; return its promise."""

    async def withhold(self, withheld: Withheld) -> None:
        """Keep what nobody is shown."""

    async def tell(self, state: RoomState) -> None:
        """Say how the session is doing."""


class Talk:
    """The sink of a session in a room.

    A talk that goes on after a crash is still open in the log: it does not begin again. One that
    had ended begins again only with new text, so that a source which merely missed the last
    acknowledgement leaves no trace.
    """

    def __init__(self, room: Stage, plan: SessionPlan, past: SessionPast | None = None) -> None:
        self._room = room
        self._plan = plan
        self._speaker = plan.speaker
        self._past = past or SessionPast()
        self._is_open = self._past.is_open

    async def begin(self) -> None:
        """Log that it begins, where the log does not know it yet."""
        if self._past == SessionPast():
            await self._open()

    async def show(self, segment: Segment) -> Saving | None:
        """Show a partial or a final in the room."""
        if segment.is_final and not segment.off_record:
            await self._open()
        return await self._room.show(replace(segment, speaker=segment.speaker or self._speaker))

    async def withhold(self, withheld: Withheld) -> None:
        """Keep it in the room's log, unless the talk is a replay of one that is over."""
        if self._is_open:
            await self._room.withhold(withheld)

    async def tell(self, state: RoomState) -> None:
        """Say in the room how the session is doing."""
        await self._room.tell(state)

    async def end(self) -> Saving | None:
        """Log that it is over; return the promise of that line, where one is needed."""
        if not self._is_open:
            return None
        self._is_open = False
        return await self._room.change(StateChange("session_ended", self._plan.session))

    async def _open(self) -> None:
        if not self._is_open:
            self._is_open = True
            change = StateChange("session_started", self._plan.session, self._plan.language)
            await self._room.change(change)
