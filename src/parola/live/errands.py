"""Runs errands between nodes: what somebody asks here of a room that is spoken elsewhere."""

import asyncio
import logging
from typing import cast, get_args
from uuid import uuid4

from parola.domain import errors
from parola.domain.errors import BadMessage, ParolaError, RoomElsewhere
from parola.domain.vocabulary import RoomMode, RoomName
from parola.live.editing import Editing, Kind, Target
from parola.live.recorder import Saving
from parola.live.room import Room
from parola.live.rooms import Rooms, Wish
from parola.ports import Answered, Asked

logger = logging.getLogger(__name__)

ANSWER_S = 3.0
"""How long the node that speaks a room may take; then it is taken for gone."""


class Errands:
    """One node's questions to others, over the bus, and its answers."""

    def __init__(self, rooms: Rooms, tasks: asyncio.TaskGroup) -> None:
        self._rooms = rooms
        self._editing = Editing(rooms)
        self._tasks = tasks
        self._asked: dict[str, asyncio.Future[Wish]] = {}

    async def ask(self, room: RoomName, wish: Wish) -> Wish:
        """Ask, and wait for the answer; the room is open here, so that it is heard."""
        question = Asked(uuid4().hex, wish)
        answer = self._asked[question.id] = asyncio.get_running_loop().create_future()
        try:
            await self._rooms.plugs.bus.publish(room, question)
            async with asyncio.timeout(ANSWER_S):
                return _done(await answer)
        except TimeoutError:
            raise RoomElsewhere(
                f"The node that speaks room {room!r} does not answer; try again in a moment."
            ) from None
        finally:
            del self._asked[question.id]

    def hear(self, room: Room, event: Asked | Answered) -> None:
        """Take an answer; do what is asked, where this is the node that speaks the room."""
        if isinstance(event, Answered):
            waiting = self._asked.get(event.id)
            if waiting and not waiting.done():
                waiting.set_result(event.answer)
        elif event.id not in self._asked and self._rooms.ownership.owns(room.name):
            self._tasks.create_task(self._answer(room, event))

    async def _answer(self, room: Room, question: Asked) -> None:
        try:
            answer = await self._do(room, question.wish)
        except ParolaError as error:
            answer = {"code": error.code, "message": error.message}
        except (KeyError, TypeError, ValueError):
            logger.exception("another node asked for what cannot be read")
            return
        await self._rooms.plugs.bus.publish(room.name, Answered(question.id, answer))

    async def _do(self, room: Room, wish: Wish) -> Wish:
        what = wish["do"]
        if what == "let go":
            await self._rooms.let_go(room, str(wish["session"]))
            return {}
        if what == "turn" and wish["mode"] in get_args(RoomMode):
            return _told(await self._rooms.turn(room.name, cast("RoomMode", wish["mode"])))
        if what in get_args(Kind):
            target = Target(int(wish["of"]), int(wish["made_on"]), str(wish["by"]))
            kind, words = cast("Kind", what), str(wish["words"])
            return _told(await self._editing.edit(room.name, target, kind, words))
        raise BadMessage(f"This node cannot {what!r}; let all nodes run the same Parola.")


def _told(saving: Saving) -> Wish:
    return {"number": saving.entry.number, "saved": int(saving.durable)}


def _done(answer: Wish) -> Wish:
    """Return an answer.

    Raises:
        ParolaError: it is the error that was raised there.
    """
    if "code" not in answer:
        return answer
    kinds = [ParolaError]
    for kind in kinds:
        kinds += [sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__]
        if kind.code == answer["code"]:
            raise kind(str(answer["message"]))
    raise ParolaError(str(answer["message"]))
