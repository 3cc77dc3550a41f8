"""Files that are being played into rooms, at most one per room."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from parola.domain.errors import NotFound, ParolaError, RoomBusy
from parola.domain.vocabulary import RoomName
from parola.live.player import Player
from parola.live.rooms import Rooms
from parola.live.session import SessionPlan
from parola.ports import RoomState

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recording:
    """A file to be played."""

    path: Path
    title: str
    """What people call it."""

    seconds: float | None
    """How long it is, where the file says so."""


class Playbacks:
    """Plays recordings into rooms as if somebody were speaking there."""

    def __init__(self, rooms: Rooms, tasks: asyncio.TaskGroup) -> None:
        self._rooms = rooms
        self._tasks = tasks
        self._playing: dict[RoomName, tuple[Recording, Player, asyncio.Task[None]]] = {}

    def playing(self, room: RoomName) -> tuple[Recording, float] | None:
        """Return what is being played into the room and the position in seconds."""
        found = self._playing.get(room)
        return (found[0], found[1].position_s) if found else None

    def refuse_if_busy(self, room: RoomName) -> None:
        """Do nothing, if something could be played into the room now.

        Raises:
            RoomBusy: somebody speaks, or something is being played into the room.
            Stopping: the server takes nothing new.
        """
        if room in self._playing:
            raise RoomBusy("Something is being played into this room. Stop it first.")
        self._rooms.refuse_if_busy(room)

    async def start(
        self, room: RoomName, recording: Recording, plan: SessionPlan, *, real_time: bool = True
    ) -> None:
        """Begin to play; returns when the room has taken the session.

        Raises:
            RoomBusy: somebody speaks, or something is being played into the room.
            NoEngine, BadMessage: no engine knows the language, or it does not take the options.
            Stopping, ServerFull, StoreFailed: see `Rooms.speak`.
        """
        self.refuse_if_busy(room)
        player = Player(recording.path, real_time=real_time, monotonic=self._rooms.plugs.monotonic)
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = self._tasks.create_task(self._play(room, player, plan, started))
        self._playing[room] = (recording, player, task)
        task.add_done_callback(lambda _: self._playing.pop(room, None))
        await started

    async def _play(
        self, room: RoomName, player: Player, plan: SessionPlan, started: asyncio.Future[None]
    ) -> None:
        try:
            async with self._rooms.enter(room) as entered, self._rooms.speak(room, plan) as session:
                if not started.done():
                    started.set_result(None)
                try:
                    await player.play(session, entered.note_audio)
                except ParolaError as error:
                    logger.warning("playing into %r: %s", room, error.message)
                    await entered.tell(RoomState("failed", error.message))
        except ParolaError as error:
            if not started.done():
                started.set_exception(error)
        finally:
            if not started.done():
                started.cancel()

    async def stop(self, room: RoomName) -> None:
        """Stop what is being played; its last words still come.

        Raises:
            NotFound: nothing is being played into the room.
        """
        found = self._playing.get(room)
        if found is None:
            raise NotFound("Nothing is being played into this room.")
        found[2].cancel()
        await asyncio.wait({found[2]})

    def stop_all(self) -> None:
        """Stop every playback; their sessions end as if the source had left."""
        for _, _, task in self._playing.values():
            task.cancel()
