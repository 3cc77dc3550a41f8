"""The endpoints of the conversation pipeline's web app: several people speak in one call."""

import re
import unicodedata
from contextlib import aclosing
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse

from parola.audio.pcm import Resampler
from parola.beside import beside
from parola.domain.errors import BadMessage, ParolaError, StoreFailed
from parola.domain.vocabulary import DEFAULT_CALL, RoomName, language_tag, room_name
from parola.live.session import SessionPlan, refuse_half_frames
from parola.live.windows import BLANK
from parola.server.deps import Services, services
from parola.server.sockets import close, incoming, until_failed
from parola.wire import conversation

router = APIRouter(tags=["older systems"])

Running = Annotated[Services, Depends(services)]

CallId = Annotated[str, Query(alias="callId")]

NOBODY = "somebody"
"""The speaker of a client that names none. Source: the pipeline's own server."""

MAX_SPEAKER = 100
"""Characters of a speaker's name that are kept."""


@router.get("/api/stt/healthcheck", response_class=PlainTextResponse)
async def healthcheck() -> str:
    """Say that the server is there (conversation pipeline)."""
    return "Yes, I'm ok"


@router.websocket("/api/stt/connect")
async def connect(socket: WebSocket, running: Running, call_id: CallId = DEFAULT_CALL) -> None:
    """Send one viewer who it is, its call, and the call's last two minutes until it leaves."""
    await socket.accept()
    try:
        name = room_name(call_id)
        async with beside(_send_windows(socket, running, name)):
            async for _ in incoming(socket):
                pass  # viewers have nothing to say
    except ParolaError as error:
        await close(socket, error)


async def _send_windows(socket: WebSocket, running: Services, name: RoomName) -> None:
    try:
        # In this order: the web app's Start button waits for the first.
        await socket.send_text(conversation.told("callerId", str(uuid4())))
        await socket.send_text(conversation.told("callId", name))
        told = ""
        async with aclosing(running.windows.follow(name)) as messages:
            async for message in messages:
                await socket.send_text(message)
                mood = await _mood(running, name)
                if mood and mood != told:
                    told = mood
                    await socket.send_text(mood)
    except (WebSocketDisconnect, RuntimeError):
        return  # the viewer has gone; the reading side ends the rest


async def _mood(running: Services, name: RoomName) -> str:
    """Return how the call sounds as a message; "" where nothing was read, or may be shown.

    Its web app ignores kinds that it does not know.
    """
    room = next((room for room in running.rooms.open_rooms if room.name == name), None)
    if not running.moods or (room and room.feed.state.state == BLANK):
        return ""
    try:
        talk = await running.moods.newest(name)
    except StoreFailed:
        return ""  # the window is what the viewer came for
    if not sum(talk.counts.values()):
        return ""
    value = {"score": round(talk.score, 3), "label": talk.label, "intent": talk.intent}
    return conversation.told("mood", value)


@router.websocket("/api/stt/transcribe")
async def transcribe(
    socket: WebSocket,
    running: Running,
    call_id: CallId = DEFAULT_CALL,
    sample_rate: Annotated[int, Query(alias="sampleRate")] = 44_100,
    language: str = "en-US",
    username: str = NOBODY,
    region: str = "",  # noqa: ARG001 - taken and left: a visitor chooses no host of ours
) -> None:
    """Take one speaker's sound for a call: s16le, one channel; nothing is ever sent back."""
    await socket.accept()
    rooms = running.rooms
    try:
        name = room_name(call_id)
        plan = SessionPlan(
            str(uuid4()),
            language_tag(language),
            rate_hz=sample_rate,
            speaker=speaker_name(username),
        )
        resampler = Resampler(sample_rate)
        async with (
            rooms.enter(name) as room,
            rooms.speak(name, plan, joins=True) as session,
            # Such a client is sent nothing: it hears of a failure by the close.
            beside(until_failed(session)),
        ):
            async for frame in incoming(socket):
                if isinstance(frame, str):
                    raise BadMessage("This socket takes sound: binary frames of 16-bit samples.")
                refuse_half_frames(frame)
                await session.feed(resampler.feed(frame))
                room.note_audio()
            # Its Stop button only hangs up: the last sentence is still in the filter's hands.
            await session.feed(resampler.flush())
    except ParolaError as error:
        await close(socket, error)


def speaker_name(text: str) -> str:
    """Return a name as it is shown: on one line, without what cannot be seen, not too long."""
    seen = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFC", text)
        if char.isspace() or unicodedata.category(char)[0] != "C"
    )
    return re.sub(" +", " ", seen).strip()[:MAX_SPEAKER].strip() or NOBODY
