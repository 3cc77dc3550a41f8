"""The two sockets of a room: sound goes in, text comes out. docs/reference/protocol.md."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, WebSocket, WebSocketDisconnect

from parola.beside import beside
from parola.domain.errors import BadMessage, BadRoomName, ParolaError, Stopping
from parola.domain.vocabulary import RoomName, language_tag, room_name
from parola.live.feed import View
from parola.live.intake import Hold, Intake
from parola.live.room import Room
from parola.live.rooms import Rooms
from parola.live.session import Session, SessionPlan, acknowledgements
from parola.live.troubles import troubles
from parola.server.deps import Services, close_code, services
from parola.server.viewers import show_on_socket
from parola.wire import messages
from parola.wire.engine_options import from_query

router = APIRouter()

ACK_EVERY_S = 0.5
"""How often a source hears how much of its audio is safe, and of trouble with it."""

Running = Annotated[Services, Depends(services)]


async def close(socket: WebSocket, error: ParolaError) -> None:
    """Close the socket with the error's code and as much of its message as fits."""
    # The peer was faster.
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(close_code(error), messages.close_reason(error))


async def incoming(socket: WebSocket) -> AsyncGenerator[bytes | str]:
    """Yield the peer's frames until it has gone."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes")
        yield data if data is not None else message["text"]


@router.websocket("/ws/transcript/{room}")
async def transcript(
    socket: WebSocket,
    running: Running,
    room: str,
    *,
    partial: bool = False,
    after: Annotated[int | None, Query(ge=0)] = None,
    v: Annotated[int, Query(ge=0)] = 0,
) -> None:
    """Send a room's text to one viewer until it leaves."""
    view = View(after, partials=partial, extras=v >= 1)
    try:
        name = room_name(room)
    except BadRoomName as error:
        # A browser sees a reason only after the handshake; the conference system answers 403.
        if view.extras:
            await socket.accept()
        await close(socket, error)
        return
    await socket.accept()
    try:
        await show_on_socket(socket, running.rooms, name, view)
    except ParolaError as error:
        await close(socket, error)


@router.websocket("/ws/audio/{room}")
async def audio(
    socket: WebSocket,
    running: Running,
    room: str,
    lang: str = "it-IT",
    engine_option: Annotated[tuple[str, ...], Query()] = (),
) -> None:
    """Take sound for a room.

    A source that begins with a binary frame is one of the conference system's: s16le, one
    channel, 16 kHz, and nothing is ever sent to it. One that begins with a JSON text frame is
    told how far its audio is safe.
    """
    await socket.accept()
    resumable = False
    try:
        name = room_name(room)
        frames = incoming(socket)
        async with aclosing(frames):
            first = await anext(frames, None)
            resumable = isinstance(first, str)
            if isinstance(first, str):
                await _take_numbered(socket, running.rooms, name, first, frames)
            elif first is not None:
                options = from_query(engine_option)
                plan = SessionPlan(str(uuid4()), language_tag(lang), options=options)
                await _take_bare(running.rooms, name, plan, first, frames)
    except ParolaError as error:
        if resumable:
            await _say(socket, messages.error_message(error))
        await close(socket, error)


async def _take_bare(
    rooms: Rooms,
    name: RoomName,
    plan: SessionPlan,
    first: bytes,
    frames: AsyncIterator[bytes | str],
) -> None:
    async with (
        rooms.enter(name) as room,
        rooms.speak(name, plan) as session,
        # Such a source is sent nothing: it hears of a failure by the close.
        beside(until_failed(session)),
    ):
        await session.feed(first)
        async for frame in frames:
            if isinstance(frame, str):
                raise BadMessage("This socket began with sound; it takes no text any more.")
            await session.feed(frame)
            room.note_audio()


async def _take_numbered(
    socket: WebSocket, rooms: Rooms, name: RoomName, first: str, frames: AsyncIterator[bytes | str]
) -> None:
    start = messages.read_source_message(first)
    if isinstance(start, messages.End):
        raise BadMessage('A source says {"type":"start",…} before {"type":"end"}.')
    options = start.engine_options
    plan = SessionPlan(
        start.session,
        start.language,
        own_terms=start.terms,
        options=options,
        rate_hz=start.rate_hz,
        channels=start.channels,
    )
    async with rooms.enter(name) as room, rooms.attend(name, plan, start.position) as hold:
        ready = messages.ready_message(
            start.session, hold.intake.received, keeps_sound=room.settings.keep_recordings
        )
        await _say(socket, ready)
        try:
            async with (
                beside(_acknowledge(socket, hold.intake)),
                beside(_move_on(rooms, hold)),
                beside(_tell_trouble(socket, hold.session)),
                beside(_tell_record(socket, hold.intake)),
            ):
                ended = await _take_all(frames, room, hold)
        except Stopping:
            await _tell_the_last(socket, hold)
            raise
        if ended:
            await _say(socket, messages.ack_message(hold.intake.safe_position))
            await socket.close()


async def _take_all(frames: AsyncIterator[bytes | str], room: Room, hold: Hold) -> bool:
    """Take a source's sound until it goes; return whether it has ended, and all text is saved."""
    async for frame in frames:
        room.note_audio()
        if isinstance(frame, bytes):
            await hold.feed(frame)
        elif isinstance(messages.read_source_message(frame), messages.End):
            hold.end()
            await hold.intake.saved()
            return True
        else:
            raise BadMessage('A socket carries one session; "start" came twice.')
    return False


async def _move_on(rooms: Rooms, hold: Hold) -> None:
    """Wait until the talk has to go on at another server.

    Raises:
        Stopping: it has to.
    """
    await hold.intake.over()
    if rooms.stopping and not hold.intake.is_ended:
        raise Stopping("The server is about to restart; connect again to go on.")


async def _tell_the_last(socket: WebSocket, hold: Hold) -> None:
    """Say how far all is safe once the sentence is finished, so that little is sent again."""
    if not hold.is_lost:
        await hold.intake.saved()
        await _say(socket, messages.ack_message(hold.intake.safe_position))


async def _acknowledge(socket: WebSocket, intake: Intake) -> None:
    async for _ in acknowledgements(intake.session, ACK_EVERY_S):
        await _say(socket, messages.ack_message(intake.safe_position))


async def _tell_trouble(socket: WebSocket, session: Session) -> None:
    async for state in troubles(session, ACK_EVERY_S):
        await _say(socket, messages.trouble_message(state.state, state.detail))


async def _tell_record(socket: WebSocket, intake: Intake) -> None:
    async for switch in intake.session.record.words():
        position = intake.position_of(switch.frame)
        await _say(socket, messages.record_message(position, is_off=switch.is_off))


async def until_failed(session: Session) -> None:
    """Wait until the session has failed for good, for a source that is told nothing else.

    Raises:
        ParolaError: it has; the message says why.
    """
    async for _ in troubles(session, ACK_EVERY_S):
        pass


async def _say(socket: WebSocket, frame: str) -> None:
    # The source has gone; reading notices it.
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.send_text(frame)
