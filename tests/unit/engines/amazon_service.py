"""A small real service that speaks Amazon Transcribe's WebSocket protocol, with faults on order.

It hears the marks of `parola.engines.scripted.marked_audio`, wherever they are in the stream, and
says their numbers: a partial for each, a final for each five, and a final when a pause comes.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from parola.audio.pcm import one_channel
from parola.domain.audio import FRAME_BYTES, to_seconds
from parola.engines.amazon_settings import AmazonSettings
from parola.engines.scripted import BLOCK_FRAMES, marked_audio
from parola.wire import eventstream, sigv4
from parola.wire.transcribe import (
    Alternative,
    BadRequest,
    Conflict,
    Item,
    Result,
    StreamParameters,
    TranscribeError,
    from_query,
    write_exception,
    write_refusal,
    write_transcript_event,
)

KEYS = sigv4.Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
REGION = "eu-central-1"
PATH = "/stream-transcription-websocket"

_MAGIC = marked_audio([0])[:8]
_MARK = struct.Struct("<4H")

WORDS_PER_FINAL = 5
PAUSE_FRAMES = 4 * BLOCK_FRAMES
"""A pause this long ends an utterance."""

Kind = Literal[
    "close", "going", "reset", "hole", "deaf", "deny", "mute", "speechless_end", "rude_end"
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with a connection."""

    what: Kind | TranscribeError
    after: int = 0
    """Blocks of audio it takes before."""


@dataclass(slots=True)
class Call:
    """One connection, as the service saw it."""

    asked: StreamParameters
    frames: int = 0
    sizes: list[int] = field(default_factory=list)
    """Frames of each chunk."""
    telephone: bytearray = field(default_factory=bytearray)
    """All samples, where they come at 8 kHz: no mark can be read in them."""
    ended: bool = False
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def channels(self) -> int:
        """How many are interleaved in what comes."""
        return self.asked.number_of_channels or 1

    def note(self, audio: bytes) -> None:
        """Remember what came."""
        frames = len(audio) // (FRAME_BYTES * self.channels)
        self.frames += frames
        self.sizes.append(frames)
        if self.asked.sample_rate_hz == 8_000:
            self.telephone += audio


class Service:
    """Takes connections; each one gets the next fault, and none when there are no more."""

    def __init__(self, faults: list[Fault] | None = None) -> None:
        self.faults = faults or []
        self.calls: list[Call] = []
        self.running: set[str] = set()
        self.port = 0
        self.ahead = timedelta()
        """How far its clock is ahead of ours."""
        self.rewrite: Callable[[Result], Result] = lambda result: result
        self.door: asyncio.Event | None = None
        """While set to an event that is clear, whoever calls waits until the stream opens."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"ws://127.0.0.1:{self.port}"

    async def check(self, _: ServerConnection, request: Request) -> Response | None:
        """Refuse what is not signed as it should be, as the service does: before the stream."""
        if self.door:
            await self.door.wait()
        if self.faults and self.faults[0].what == "deny":
            self.faults.pop(0)
            return Response(503, "Service Unavailable", Headers(), b"come back later")
        url = urlsplit(request.path)
        signed = sigv4.SignedRequest(
            "GET", url.path, url.query, (("host", request.headers["Host"]),)
        )
        try:
            sigv4.verify_query(signed, {KEYS.access_key: KEYS}, datetime.now(UTC), REGION)
            assert url.path == PATH
        except TranscribeError as error:
            status, headers, body = write_refusal(error)
            headers.append(("date", format_datetime(datetime.now(UTC) + self.ahead, usegmt=True)))
            # `websockets` clients read a body by its length.
            headers.append(("content-length", str(len(body))))
            return Response(status, error.name, Headers(headers), body)
        return None

    async def take(self, connection: ServerConnection) -> None:
        """Serve one connection."""
        fault = self.faults.pop(0) if self.faults else None
        assert connection.request
        query = urlsplit(connection.request.path).query
        try:
            asked = from_query(parse_qsl(query))
            assert asked.session_id
            if asked.session_id in self.running:
                raise Conflict("Another stream has the session id.")
        except TranscribeError as error:
            await connection.send(write_exception(error))
            return
        self.running.add(asked.session_id)
        call = Call(asked)
        self.calls.append(call)
        try:
            await self._listen(connection, call, fault)
        except ConnectionClosed:
            pass
        finally:
            self.running.discard(asked.session_id)
            call.closed.set()

    async def _listen(self, connection: ServerConnection, call: Call, fault: Fault | None) -> None:
        if fault and fault.what == "mute":
            _answer_no_pings(connection)
        ears = [Ear(f"ch_{n}" if call.channels > 1 else None) for n in range(call.channels)]
        is_deaf = False
        while True:
            due = fault is not None and call.frames >= fault.after * BLOCK_FRAMES
            if fault and due and await self._fail(connection, fault.what):
                return
            is_deaf = is_deaf or (due and fault is not None and fault.what == "deaf")
            data = await connection.recv()
            assert isinstance(data, bytes)
            message = eventstream.decode(data)
            if not message.payload:
                call.ended = True
                if not (fault and fault.what == "speechless_end"):
                    for result in [one for ear in ears for one in ear.end()]:
                        await self._say(connection, result)
                if fault and fault.what == "rude_end":
                    connection.transport.abort()
                return
            call.note(message.payload)
            results = [
                result
                for number, ear in enumerate(ears)
                for result in ear.hear(one_channel(message.payload, len(ears), number))
            ]
            for result in [] if is_deaf else results:
                await self._say(connection, result)

    async def _say(self, connection: ServerConnection, result: Result) -> None:
        payload = write_transcript_event([self.rewrite(result)])
        await connection.send(eventstream.encode(eventstream.event("TranscriptEvent", payload)))

    async def _fail(self, connection: ServerConnection, what: Kind | TranscribeError) -> bool:
        """Do the fault; return whether the connection is over."""
        if isinstance(what, TranscribeError):
            await connection.send(write_exception(what))
        elif what == "going":
            await connection.close(1001)
        elif what == "reset":
            # A header that promises more than comes.
            connection.transport.write(b"\x82\x7e\x10\x00half a frame")
            connection.transport.abort()
        elif what == "hole":
            connection.transport.pause_reading()
            await connection.wait_closed()
        else:
            return what == "close"
        return True


def _answer_no_pings(connection: ServerConnection) -> None:
    send_frame = connection.protocol.send_frame

    def send_frame_but_pongs(frame: Frame) -> None:
        if frame.opcode is not Opcode.PONG:
            send_frame(frame)

    connection.protocol.send_frame = send_frame_but_pongs  # type: ignore[method-assign]


class Ear:
    """Finds marks in a stream of audio."""

    def __init__(self, channel_id: str | None = None) -> None:
        self._channel_id = channel_id
        self._audio = b""
        self._at = 0
        """The frame that the kept audio starts with."""
        self._words: list[tuple[int, int]] = []
        """Number and first frame of the words without a final."""
        self._count = 0

    def hear(self, audio: bytes) -> Iterator[Result]:
        """Yield what is now to be said."""
        self._audio += audio
        while (found := self._audio.find(_MAGIC)) >= 0:
            if found + BLOCK_FRAMES * FRAME_BYTES > len(self._audio):
                break
            parts = _MARK.unpack_from(self._audio, found + len(_MAGIC))
            shifts = (0, 15, 30, 45)
            number = sum(part << shift for part, shift in zip(parts, shifts, strict=True))
            self._words.append((number, self._at + found // FRAME_BYTES))
            self._drop(found + BLOCK_FRAMES * FRAME_BYTES)
            yield self._result(is_partial=len(self._words) < WORDS_PER_FINAL)
        if found < 0:
            self._drop(max(len(self._audio) - len(_MAGIC), 0) // 2 * 2)
        if self._words and self._at - self._words[-1][1] > PAUSE_FRAMES:
            yield from self.end()

    def end(self) -> Iterator[Result]:
        """Yield the last final."""
        if self._words:
            yield self._result(is_partial=False)

    def _drop(self, size: int) -> None:
        self._audio = self._audio[size:]
        self._at += size // FRAME_BYTES

    def _result(self, *, is_partial: bool) -> Result:
        items = tuple(
            Item(
                str(number),
                to_seconds(first),
                to_seconds(first + BLOCK_FRAMES),
                confidence=None if is_partial else 0.9,
                stable=True,
                speaker=None if is_partial else "1",
            )
            for number, first in self._words
        )
        result = Result(
            f"result-{self._channel_id}-{self._count}",
            items[0].start_s,
            items[-1].end_s,
            is_partial,
            (Alternative(" ".join(item.content for item in items), items),),
            self._channel_id,
        )
        if not is_partial:
            self._words.clear()
            self._count += 1
        return result


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[Service]:
    """Run a service on a free port."""
    async with serve(
        service.take,
        "127.0.0.1",
        0,
        process_request=service.check,
        compression=None,
        ping_interval=None,
        close_timeout=0.2,
    ) as server:
        service.port = _port(server)
        yield service


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


def settings_for(service: Service, **more: object) -> AmazonSettings:
    """Return settings for a service on this machine, and for tests that do not wait."""
    fast: dict[str, object] = {
        "region": REGION,
        "endpoint_url": service.url,
        "catch_up_speed": 10_000.0,
        "starts_per_s": 10_000.0,
        "ping_s": 0.2,
        "settle_s": 2.0,
        "patience_s": 4.0,
    }
    return AmazonSettings(**(fast | more))  # type: ignore[arg-type]


__all__ = ["KEYS", "PATH", "REGION", "BadRequest", "Call", "Fault", "Service", "running"]
