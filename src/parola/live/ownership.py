"""Sees that a room is spoken by one node: takes it, hands it over, and leaves it in time.

A node that is alone has no leases and owns every room.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from parola.domain.errors import RoomElsewhere, StoreFailed
from parola.live.recorder import Recorder
from parola.live.session import Session
from parola.ports import Leases

LAST_SAVES_S = 2.0
"""How long what waits may hold up the handing over of a room whose source is elsewhere already."""

GIVING_BACK_S = (0.05, 0.15)
"""Pauses after which a room that is another node's is tried again, before that one is asked."""


class Owned(Protocol):
    """A room, as far as it is owned."""

    talks: set[asyncio.Task[None]]
    ownership: asyncio.Lock
    owners: int

    @property
    def name(self) -> str:
        """What it is called."""

    def everybody(self) -> tuple[Session, ...]:
        """Return every session of the room, its newest numbered one among them."""


class Ownership:
    """One node's rooms as the leases have them."""

    def __init__(
        self,
        leases: Leases | None,
        recorder: Recorder,
        read_again: Callable[[str], Awaitable[None]],
        ask_to_let_go: Callable[[str, str], Awaitable[None]],
    ) -> None:
        """Begin with nothing.

        Args:
            leases: None for a node that is alone.
            recorder: whose entries are saved before a room is given back.
            read_again: reads all that is known of a room's past anew.
            ask_to_let_go: asks a room's owner to leave it to the source of a session.
        """
        self._leases = leases
        self._recorder = recorder
        self._read_again = read_again
        self._ask_to_let_go = ask_to_let_go

    def owns(self, room: str) -> bool:
        """Return whether this node may speak into the room at this very moment."""
        return self._leases is None or self._leases.holds(room)

    async def take(self, room: Owned, session: str = "") -> None:
        """Own a room until it is given back, or lost.

        Args:
            room: it is open.
            session: of the source that is here now, if one is: its talk goes on here.

        Raises:
            RoomElsewhere, RoomBusy: another node speaks it, and goes on.
            StoreFailed: whose it is, or its past, cannot be known now.
        """
        if self._leases is None:
            return
        async with room.ownership:
            if await self._is_new(self._leases, room.name, session):
                try:
                    await self._read_again(room.name)
                except BaseException:
                    await self._leases.give_back(room.name)
                    raise

    async def _is_new(self, leases: Leases, room: str, session: str) -> bool:
        # Whoever has just ended a talk there still saves its last line.
        for pause_s in GIVING_BACK_S:
            with suppress(RoomElsewhere):
                return await leases.take(room)
            await asyncio.sleep(pause_s)
        if session:
            with suppress(RoomElsewhere):
                await self._ask_to_let_go(room, session)
        return await leases.take(room)

    async def give_back(self, room: Owned) -> None:
        """Give back a room that nobody here speaks any more, once all its entries are saved."""
        await self._recorder.saved(room.name)
        async with room.ownership:
            if not room.owners and self._leases:
                await self._leases.give_back(room.name)

    async def let_go(self, room: Owned) -> None:
        """Break off what is spoken into a room, so that it goes on elsewhere from what is saved."""
        if self._leases is None:
            return
        self.break_off(room)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SAVES_S):
                await self._recorder.saved(room.name)
        async with room.ownership:
            self._recorder.abandon(room.name)
            await self._leases.give_back(room.name)

    def break_off(self, room: Owned) -> None:
        """End what is spoken into a room, at once and without a last word; sources come back."""
        for session in room.everybody():
            if not session.failure:
                session.fail(_left(room.name))
        for talk in tuple(room.talks):
            talk.cancel()

    async def catch_up(self, room: Owned, pause_s: float = 1.0) -> None:
        """Read a room anew that was left: what was shown here and not saved is in no log."""
        while True:
            async with room.ownership:
                if self.owns(room.name):
                    return  # it was taken again, and read
                self._recorder.abandon(room.name)
                try:
                    await self._read_again(room.name)
                except StoreFailed:
                    pass
                else:
                    return
            await asyncio.sleep(pause_s)

    async def lost(self) -> AsyncIterator[str]:
        """Yield the rooms that this node has to leave alone, for ever."""
        if self._leases is not None:
            async for name in self._leases.lost():
                self._recorder.abandon(name)
                yield name


def refuse_if_elsewhere(leases: Leases | None, room: str) -> None:
    """Do nothing, if this node may speak into the room at this very moment.

    Raises:
        RoomElsewhere: it may not, or not any more.
    """
    if leases is not None and not leases.holds(room):
        raise _left(room)


def _left(room: str) -> RoomElsewhere:
    return RoomElsewhere(
        f"Room {room!r} goes on at another server, or here in a moment; connect again."
    )
