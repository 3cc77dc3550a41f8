"""Streams sound into a room of a server, and knows how much of it is safely written down."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, Literal
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)

from parola.audio.pcm import level_dbfs
from parola.blocking import batches
from parola.client.source_messages import (
    Ack,
    Ready,
    end_message,
    read_server_message,
    refusal,
    start_message,
)
from parola.domain.audio import RATE_HZ, AudioChunk, to_seconds
from parola.domain.errors import BadMessage, ParolaError
from parola.domain.vocabulary import Language, RoomName
from parola.wire.messages import Start

AHEAD_FRAMES = 90 * RATE_HZ
"""How far `fast` goes ahead of what is acknowledged.

At two minutes the server would stop reading, and would not see our answers to its pings.
"""

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Unreachable(ParolaError):  # noqa: N818 - said of the server
    """No server answers there, or it broke off; the message names the address."""

    code: ClassVar[str] = "unreachable"


@dataclass(frozen=True, slots=True)
class Uplink:
    """Where sound goes and how."""

    server: str
    """Such as "ws://127.0.0.1:8000"; http:// and https:// mean the same place."""

    room: RoomName
    language: Language
    real_time: bool = True
    """At the pace of the clock; else as fast as the server takes it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How far it is."""

    sent_frame: int = 0
    """The first frame that is not sent yet."""

    safe_frame: int = 0
    """The first frame whose text is not known to be in the server's log (or to be none)."""

    level_dbfs: float = float("-inf")
    """Of the newest chunk."""


def socket_url(server: str, path: str, query: str = "") -> str:
    """Return the address of a socket on a server.

    Raises:
        BadMessage: the server's address is not like ws://127.0.0.1:8000.
    """
    kinds = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
    try:
        parts = urlsplit(server if "://" in server else f"ws://{server}")
        usable = parts.scheme in kinds and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise BadMessage(f"{server!r} is no server's address; write it like ws://127.0.0.1:8000.")
    whole = f"{parts.path.rstrip('/')}{path}"
    return urlunsplit((kinds[parts.scheme], parts.netloc, whole, query, ""))


@asynccontextmanager
async def socket_to(url: str) -> AsyncIterator[ClientConnection]:
    """Open a socket, and say in one sentence why it cannot be had or went away.

    Raises:
        Unreachable: nobody answers, not with a WebSocket, or the connection broke.
        ParolaError: the server closed it with one of our codes as the reason.
    """
    try:
        # A proxy could not reach this computer's own addresses.
        proxy: Literal[True] | None = None if urlsplit(url).hostname in LOOPBACK else True
        socket = await connect(url, compression=None, max_size=2**20, proxy=proxy)
    except InvalidStatus as error:
        status = error.response.status_code
        raise Unreachable(f"{_host(url)} refused the socket ({status}); is it Parola?") from error
    except (InvalidHandshake, InvalidURI, EOFError) as error:
        raise Unreachable(f"{_host(url)} does not answer as a Parola server does.") from error
    except OSError as error:
        raise Unreachable(
            f"No server at {_host(url)} ({_why(error)}); start one with `parola serve`,"
            " or name another with --server."
        ) from error
    try:
        async with socket:
            yield socket
    except ConnectionClosed as error:
        raise _closed(url, error) from error


async def stream(
    chunks: Iterator[AudioChunk],
    uplink: Uplink,
    on_progress: Callable[[Sent], None] = lambda _: None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Sent:
    """Send all chunks (they start at frame 0, without gaps); return when the last text is safe.

    Cancelled, the server takes what came until then as the whole talk.

    Raises:
        Unreachable: there is no server, or the connection broke.
        RoomBusy, NoEngine, BadLanguage and so on: the server refused, in its own words.
        BadAudio, NotFound: the chunks cannot be read.
    """
    sender = _Sender(uplink, on_progress, monotonic, sleep)
    url = socket_url(uplink.server, f"/ws/audio/{quote(uplink.room, safe='')}")
    async with socket_to(url) as socket:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(sender.read(socket))
                await sender.send(socket, chunks)
        except BaseExceptionGroup as group:
            # Both halves notice that a socket closes; what the server said tells more.
            said = sorted(group.exceptions, key=lambda error: isinstance(error, ConnectionClosed))
            raise said[0] from None
    return sender.progress


class _Sender:
    """One session's two halves: what goes up, and what is said of it."""

    def __init__(
        self,
        uplink: Uplink,
        on_progress: Callable[[Sent], None],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._uplink = uplink
        self._on_progress = on_progress
        self._monotonic = monotonic
        self._sleep = sleep
        self._ready = asyncio.Event()
        self._safer = asyncio.Event()
        self._ended = False
        self.progress = Sent()

    async def read(self, socket: ClientConnection) -> None:
        """Take what the server says, until it closes after the end of the talk.

        Raises:
            Unreachable: it closed in order, but too early.
        """
        async for frame in socket:
            said = read_server_message(frame) if isinstance(frame, str) else None
            if isinstance(said, Ready):
                self._ready.set()
            elif isinstance(said, Ack):
                self._tell(replace(self.progress, safe_frame=said.position))
                self._safer.set()
        if not self._ended:
            raise Unreachable("The server closed the connection before the end; try again.")

    async def send(self, socket: ClientConnection, chunks: Iterator[AudioChunk]) -> None:
        """Send the talk from its start message to its end message."""
        start = Start(str(uuid4()), self._uplink.language)
        await socket.send(start_message(start))
        await self._ready.wait()
        began = self._monotonic()
        async for batch in batches(chunks):
            for chunk in batch:
                await self._wait_for_turn(chunk, began)
                await socket.send(chunk.pcm)
                level = level_dbfs(chunk.pcm)
                self._tell(replace(self.progress, sent_frame=chunk.end_frame, level_dbfs=level))
        self._ended = True
        await socket.send(end_message())

    async def _wait_for_turn(self, chunk: AudioChunk, began: float) -> None:
        if self._uplink.real_time:
            wait_s = began + to_seconds(chunk.end_frame) - self._monotonic()
            if wait_s > 0:
                await self._sleep(wait_s)
            return
        while chunk.end_frame - self.progress.safe_frame > AHEAD_FRAMES:
            self._safer.clear()
            await self._safer.wait()

    def _tell(self, progress: Sent) -> None:
        self.progress = progress
        self._on_progress(progress)


def _closed(url: str, error: ConnectionClosed) -> ParolaError:
    """Return the reason of a close frame as our error: "code: message" if the server is ours."""
    reason = error.rcvd.reason if error.rcvd else ""
    code, colon, message = reason.partition(": ")
    if colon:
        return refusal(code, message)
    return Unreachable(f"The connection to {_host(url)} broke; see that the server still runs.")


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    # The event loop's own words tell addresses twice; a failed look-up has no errno of the system.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


def _host(url: str) -> str:
    """Return scheme, host and port, without the password that an address may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
