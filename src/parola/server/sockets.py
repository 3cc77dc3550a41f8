"""The two sockets of a room: sound goes in, text comes out. docs/reference/protocol.md."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, WebSocket, WebSocketDisconnect

from parola.audio.pcm import Resampler
from parola.domain.audio import FRAME_BYTES, RATE_HZ
from parola.domain.errors import BadMessage, BadRoomName, ParolaError
from parola.domain.vocabulary import RoomName, language_tag, room_name
from parola.live.beside import beside
from parola.live.feed import View
from parola.live.rooms import Rooms
from parola.live.session import Session, SessionPlan, acknowledgements
from parola.live.troubles import troubles
from parola.server.deps import Services, close_code, services
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
        async with beside(_send_all(socket, running.rooms, name, view)):
            async for _ in incoming(socket):
                pass  # viewers have nothing to say
    except ParolaError as error:
        await close(socket, error)


async def _send_all(socket: WebSocket, rooms: Rooms, name: RoomName, view: View) -> None:
    async with aclosing(rooms.watch(name, view)) as frames:
        async for frame in frames:
            try:
                await socket.send_text(frame)
            except (WebSocketDisconnect, RuntimeError):
                return  # the viewer has gone; the reading side ends the rest


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
        beside(_until_failed(session)),
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
    resampler = Resampler(start.rate_hz)
    clock = _SourceClock(start)
    plan = SessionPlan(
        start.session,
        start.language,
        clock.first_frame,
        options=start.engine_options,
        rate_hz=start.rate_hz,
    )
    async with rooms.enter(name) as room, rooms.speak(name, plan) as session:
        await _say(socket, messages.ready_message(start.session, start.position))
        async with (
            beside(_acknowledge(socket, session, clock)),
            beside(_tell_trouble(socket, session)),
        ):
            async for frame in frames:
                room.note_audio()
                if isinstance(frame, bytes):
                    clock.note(frame)
                    await session.feed(resampler.feed(frame))
                elif isinstance(messages.read_source_message(frame), messages.End):
                    await session.feed(resampler.flush())
                    clock.end()
                    await _bring_home(rooms, session)
                    break
                else:
                    raise BadMessage('A socket carries one session; "start" came twice.')
        if session.is_ending:
            await _say(socket, messages.ack_message(clock.safe_position(session)))
            await socket.close()


async def _bring_home(rooms: Rooms, session: Session) -> None:
    """Wait until the last final is out and saved."""
    session.end()
    await session.finished()
    await rooms.plugs.recorder.settled()


async def _acknowledge(socket: WebSocket, session: Session, clock: "_SourceClock") -> None:
    async for _ in acknowledgements(session, ACK_EVERY_S):
        await _say(socket, messages.ack_message(clock.safe_position(session)))


async def _tell_trouble(socket: WebSocket, session: Session) -> None:
    async for state in troubles(session, ACK_EVERY_S):
        await _say(socket, messages.trouble_message(state.state, state.detail))


async def _until_failed(session: Session) -> None:
    async for _ in troubles(session, ACK_EVERY_S):
        pass


class _SourceClock:
    """Counts a source's own frames, whatever its rate, beside the session's."""

    def __init__(self, start: messages.Start) -> None:
        self._start = start
        self._bytes = 0
        self._ended = False
        self.first_frame = start.position * RATE_HZ // start.rate_hz
        """Where the session's own clock starts."""

    def note(self, pcm: bytes) -> None:
        """Count what came."""
        self._bytes += len(pcm)

    def end(self) -> None:
        """Remember that the session was fed everything that came."""
        self._ended = True

    def safe_position(self, session: Session) -> int:
        """Return the source's frame up to which all text is safe, never beyond what it sent."""
        received = self._start.position + self._bytes // FRAME_BYTES
        safe = session.durable_frame
        # The resampler's length is right to one frame only: the end is the end, exactly.
        if self._ended and safe == session.fed_frame:
            return received
        ahead = (safe - self.first_frame) * self._start.rate_hz // RATE_HZ
        return min(self._start.position + ahead, received)


async def _say(socket: WebSocket, frame: str) -> None:
    # The source has gone; reading notices it.
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.send_text(frame)
