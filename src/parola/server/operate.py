"""What an operator does to a room over HTTP: correct, strike and restore its lines."""

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from parola.domain.errors import EditConflict
from parola.domain.vocabulary import RoomMode, RoomName, room_name
from parola.live.editing import Editing, Line, Target
from parola.live.recorder import Saving
from parola.server.deps import Services, http_status, services, visit
from parola.server.room_settings import Form, SpokenRoute

router = APIRouter(route_class=SpokenRoute, tags=["operating"])

Running = Annotated[Services, Depends(services)]

logger = logging.getLogger(__name__)

MAX_NAME = 60
"""Characters of an operator's name."""


async def actor(request: Request) -> str:
    """Return who asks, for the log: whom the token was made for, else a name the console sends."""
    if token := visit(request).token:
        return token.holder[:MAX_NAME]
    name = "".join(char for char in request.headers.get("x-operator", "") if char.isprintable())
    return name.strip()[:MAX_NAME]


Actor = Annotated[str, Depends(actor)]


class SeenForm(Form):
    """What the editor had seen of a line."""

    made_on: int = Field(
        ge=1, description="The line's version that was seen; its own number where it had no edit."
    )


class CorrectionForm(SeenForm):
    """A line's new words."""

    text: str


class ModeForm(Form):
    """What the operator lets be seen and kept."""

    mode: RoomMode


@router.put("/api/rooms/{room}/mode")
async def set_mode(running: Running, by: Actor, room: str, form: ModeForm) -> dict[str, Any]:
    """Pause a room's captions, take them off the record or off every screen, or let them flow."""
    name = room_name(room)
    await running.rooms.turn(name, form.mode)
    logger.info("room %r: mode %s, by %r", name, form.mode, by)
    return {"room": name, "mode": form.mode}


@router.get("/api/rooms/{room}/lines/{number}")
async def line(running: Running, room: str, number: int) -> dict[str, Any]:
    """Return how a line of the transcript stands: its text, version, and what was heard."""
    return _shown(await Editing(running.rooms).line(room_name(room), number))


@router.put("/api/rooms/{room}/lines/{number}")
async def correct(
    running: Running, by: Actor, room: str, number: int, form: CorrectionForm
) -> Response:
    """Put other words in a line's place, on every screen and in every file.

    409 with the line's present text where somebody else has changed it meanwhile.
    """
    editing, name = Editing(running.rooms), room_name(room)
    target = Target(number, form.made_on, by)
    try:
        return _saved(await editing.correct(name, target, form.text))
    except EditConflict as conflict:
        return await _conflict(editing, name, number, conflict)


@router.post("/api/rooms/{room}/lines/{number}/strike")
async def strike(running: Running, by: Actor, room: str, number: int, form: SeenForm) -> Response:
    """Take a line from every screen and out of every file."""
    editing, name = Editing(running.rooms), room_name(room)
    try:
        return _saved(await editing.strike(name, Target(number, form.made_on, by)))
    except EditConflict as conflict:
        return await _conflict(editing, name, number, conflict)


@router.post("/api/rooms/{room}/lines/{number}/restore")
async def restore(running: Running, by: Actor, room: str, number: int, form: SeenForm) -> Response:
    """Bring a struck line back."""
    editing, name = Editing(running.rooms), room_name(room)
    try:
        return _saved(await editing.restore(name, Target(number, form.made_on, by)))
    except EditConflict as conflict:
        return await _conflict(editing, name, number, conflict)


def _saved(saving: Saving) -> Response:
    return JSONResponse({"version": saving.entry.number, "saved": saving.durable})


async def _conflict(
    editing: Editing, room: RoomName, number: int, conflict: EditConflict
) -> Response:
    current = _shown(await editing.line(room, number))
    answer = {"detail": conflict.message, "code": conflict.code, "current": current}
    return JSONResponse(answer, http_status(conflict))


def _shown(now: Line) -> dict[str, Any]:
    return {
        "seq": now.of,
        "version": now.version,
        "text": now.text,
        "heard": now.heard,
        "struck": now.is_struck,
        "by": now.by,
    }
