"""The endpoints that the older systems' unchanged clients call. docs/reference/predecessors.md."""

import asyncio
from contextlib import suppress
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, Response

from parola.beside import beside
from parola.domain.access import Rights
from parola.domain.errors import BadMessage, ParolaError, TooLarge
from parola.domain.log import Withheld
from parola.domain.transcript import Segment
from parola.domain.vocabulary import Language, RoomName, language_tag, room_name
from parola.live.player import Player
from parola.live.session import SessionPlan
from parola.ports import RoomState
from parola.server.deps import Services, rights, services
from parola.server.form import OnlyAudio
from parola.server.http import refuse_large
from parola.server.sockets import close, incoming
from parola.server.uploads import receive_multipart

router = APIRouter(tags=["older systems"])

Running = Annotated[Services, Depends(services)]

MAX_NAMES = 100
"""Names a client of `/stream` may send ahead."""


@router.get("/api/sale")
async def sale(running: Running, may: Annotated[Rights, Depends(rights)]) -> dict[str, list[str]]:
    """Return the rooms with at least one display (conference system)."""
    rooms = running.rooms.open_rooms
    return {
        "sale": [room.name for room in rooms if room.feed.viewers and may.allow("read", room.name)]
    }


@router.post(
    "/audio",
    openapi_extra={
        "requestBody": {
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {"file": {"type": "string", "format": "binary"}},
                    }
                }
            }
        }
    },
)
async def upload(request: Request, running: Running) -> Response:
    """Take an audio file; the answer is the name that `/stream` accepts (tutorial)."""
    refuse_large(request, running.max_upload_bytes)
    content_type = request.headers.get("content-type", "")
    try:
        name = await receive_multipart(request.stream(), content_type, running.uploads)
    except OnlyAudio as error:
        return JSONResponse({"detail": error.message}, 400)
    return JSONResponse(name)


@router.websocket("/stream")
async def stream(socket: WebSocket, running: Running, lang: str = "", room: str = "") -> None:
    """Transcribe uploaded files by name; every partial and final is one bare text frame.

    With a room, its settings hold: language, the talk's own words, replacements, blocked words.
    """
    await socket.accept()
    names: asyncio.Queue[str] = asyncio.Queue(MAX_NAMES)
    try:
        language = language_tag(lang) if lang else running.default_language
        as_in = room_name(room) if room else None
        async with beside(_transcribe_all(socket, running, names, language, as_in)):
            async for frame in incoming(socket):
                if isinstance(frame, bytes):
                    raise BadMessage("Send the name of an uploaded file as text.")
                if names.full():
                    raise TooLarge(f"{MAX_NAMES} names are waiting already; let some finish first.")
                names.put_nowait(frame.strip())
    except ParolaError as error:
        await close(socket, error)


async def _transcribe_all(
    socket: WebSocket,
    running: Services,
    names: asyncio.Queue[str],
    language: Language,
    as_in: RoomName | None,
) -> None:
    while name := await names.get():
        path = running.uploads.open(name)
        plan = SessionPlan(str(uuid4()), language)
        player = Player(
            path,
            real_time=running.stream_in_real_time,
            monotonic=running.rooms.plugs.monotonic,
        )
        async with running.rooms.transcribe(plan, BareFrames(socket), as_in) as session:
            await player.play(session)
            session.end()
            await session.finished()
    # A frame of white space is the tutorial's way to say goodbye.
    await socket.close(1000, "")


class BareFrames:
    """Sends one asker the bare text of every partial and final."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def show(self, segment: Segment) -> None:
        """Send the text; a withdrawn partial has none."""
        if not segment.text:
            return
        # The asker has gone; the reading side ends the session.
        with suppress(RuntimeError, WebSocketDisconnect):
            await self._socket.send_text(segment.text)

    async def withhold(self, withheld: Withheld) -> None:
        """Bare frames have no place for what was not said."""

    async def tell(self, state: RoomState) -> None:
        """Bare frames have no place for states; a failure closes the socket with a reason."""
