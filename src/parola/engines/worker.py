"""Runs a blocking recogniser in a process of its own, one a stream, behind `EngineStream`.

Recognisers hold the interpreter's lock for milliseconds at a time, and some end the whole
process on a bad model: here they can do neither to the server. What a recogniser must offer is
`parola.engines.worker_process.Recogniser`.
"""

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import weakref
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from parola.domain.audio import RATE_HZ, AudioChunk
from parola.domain.errors import EngineFailed
from parola.engines import worker_messages as messages
from parola.engines.worker_process import CLOSE, CONTROL, OPEN
from parola.ports import EngineEvent, StreamRequest

MAX_BEHIND = 2 * RATE_HZ
"""Frames a worker may have to work off; `send` waits beyond that."""

MAX_UNREAD = 200
"""Events nobody has fetched; beyond that the worker is not listened to, and `send` waits."""

START_S = 60.0
"""How long a worker may take to be ready, the building of its model included."""

_PIECE = RATE_HZ
"""Frames. Longer chunks travel in pieces, so that the bound above holds for any chunk."""

FORKING = "parola.engines.worker_process"
"""The host that forks a worker for each stream."""

# The parent's module path, so that the worker finds what the parent would find; no main program.
_BOOT = (
    "import json,socket,sys;sys.path[:]=json.loads(sys.argv[1]);"
    "from importlib import import_module;"
    "main=import_module(sys.argv[4]).main;"
    "main(socket.socket(fileno=int(sys.argv[2])),sys.argv[3])"
)


class Workers:
    """One recogniser's processes: a forge that holds the model, and a worker for each stream.

    The forge starts with the first stream (or with `start`) and ends with `close`, when this
    object is forgotten, or when this program ends, however it ends. A forge that died is replaced
    by the next `open`.
    """

    def __init__(self, name: str, maker: str, host: str = FORKING) -> None:
        """Say what runs in the processes.

        Args:
            name: the recogniser's, for messages.
            maker: what the host's `main` is given; the forking one takes "package.module:name".
            host: the module whose `main` serves the streams, forking or not.
        """
        self.name = name
        self._maker = maker
        self._host = host
        self._forge: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._end: weakref.finalize[[subprocess.Popen[bytes], socket.socket], Workers] | None = None
        self._numbers = itertools.count(1)

    @property
    def forge_pid(self) -> int | None:
        """The process id of the forge, None while there is none."""
        return self._forge.pid if self._forge else None

    def start(self) -> None:
        """Start the forge now, so that the first stream need not wait for the model.

        Raises:
            EngineFailed: the system lets no new process start.
        """
        if self._forge and self._forge.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        path = json.dumps([entry or os.getcwd() for entry in sys.path])  # noqa: PTH109
        command = [sys.executable, "-c", _BOOT, path, str(theirs.fileno()), self._maker, self._host]
        try:
            with theirs:
                self._forge = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
        except OSError as error:
            ours.close()
            raise EngineFailed(f"{self.name} cannot start a process: {error}.") from error
        self._control = ours
        self._end = weakref.finalize(self, _end_forge, self._forge, ours)

    def close(self) -> None:
        """End the forge and with it every worker; a later `open` starts anew."""
        if self._end:
            self._end()
        self._forge = self._control = self._end = None

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator["WorkerStream"]:
        """Open a stream with a worker of its own; leaving the context kills the worker.

        Raises:
            EngineFailed: the worker cannot start; the message says why.
        """
        self.start()
        number = next(self._numbers)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._order(OPEN, number, [theirs.fileno()])
            loop = asyncio.get_running_loop()
            transport, stream = await loop.create_unix_connection(
                lambda: WorkerStream(self.name), sock=ours
            )
        except BaseException:
            ours.close()
            raise
        try:
            await stream.begin(request)
            yield stream
        finally:
            transport.abort()
            self._order(CLOSE, number)
            await stream.lost.wait()

    def _order(self, order: bytes, number: int, fds: list[int] | None = None) -> None:
        """Tell the forge; one that is gone took its workers along."""
        if not self._control:
            return
        try:
            socket.send_fds(self._control, [CONTROL.pack(order, number)], fds or [])
        except ConnectionError:
            # The stream's own socket ends then, and says so.
            return


def _end_forge(forge: "subprocess.Popen[bytes]", control: socket.socket) -> None:
    # The forge ends its workers when the socket ends; killed at once, it could not.
    control.close()
    try:
        forge.wait(timeout=2)
    except subprocess.TimeoutExpired:
        # It is still building its model, and has no workers yet.
        forge.kill()
        forge.wait()


class WorkerStream(asyncio.Protocol):
    """An `EngineStream` whose recogniser is in another process.

    Bounded both ways: `send` waits while the worker is `MAX_BEHIND` frames behind, and the
    worker waits while `MAX_UNREAD` events are not fetched.
    """

    def __init__(self, name: str) -> None:
        self.pid = 0
        """The worker's process id."""
        self.lost = asyncio.Event()
        """Set when the socket is closed."""
        self._name = name
        self._reader = messages.MessageReader()
        self._events: deque[EngineEvent] = deque()
        self._behind = 0
        self._done = False
        self._failure = ""
        self._news = asyncio.Event()
        """Set when the iteration (or `begin`) may have something to do."""
        self._room = asyncio.Event()
        """Set when `send` may go on."""
        self._writable = True
        self._transport: asyncio.Transport | None = None

    async def begin(self, request: StreamRequest) -> None:
        """Say what is wanted and wait until the worker listens."""
        self._write(messages.of_request(request))
        try:
            async with asyncio.timeout(START_S):
                while not self.pid:
                    await self._wait(self._news)
        except TimeoutError as error:
            raise EngineFailed(f"{self._name} was not ready within {START_S:.0f} s.") from error

    async def send(self, chunk: AudioChunk) -> None:
        """Pass the chunk on; waits while the worker is `MAX_BEHIND` frames behind."""
        while chunk.frames:
            piece, chunk = chunk.cut(chunk.first_frame + _PIECE)
            while self._behind + piece.frames > MAX_BEHIND or not self._writable:
                await self._wait(self._room)
            self._behind += piece.frames
            self._write(messages.of_audio(piece))

    async def end(self) -> None:
        """Let the recogniser finish."""
        self._write(messages.message(messages.END))

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        while True:
            while self._events:
                event = self._events.popleft()
                if self._transport and len(self._events) < MAX_UNREAD // 2:
                    self._transport.resume_reading()
                yield event
            if self._done:
                return
            await self._wait(self._news)

    async def _wait(self, change: asyncio.Event) -> None:
        """Wait for the next change, unless the worker broke off."""
        if self._failure:
            raise EngineFailed(self._failure)
        change.clear()
        await change.wait()

    def _write(self, data: bytes) -> None:
        if self._failure:
            raise EngineFailed(self._failure)
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the worker's socket (called by asyncio, as the methods below)."""
        # Not checked by isinstance: uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def pause_writing(self) -> None:
        """Let `send` wait: the socket's buffer is full."""
        self._writable = False

    def resume_writing(self) -> None:
        """Let `send` go on."""
        self._writable = True
        self._room.set()

    def data_received(self, data: bytes) -> None:
        """Read what the worker says."""
        try:
            for kind, body in self._reader.add(data):
                self._take(kind, body)
        except messages.Garbage as garbage:
            self._fail(f"{self._name}'s worker sent something unreadable: {garbage}.")
        if self._transport and len(self._events) >= MAX_UNREAD:
            self._transport.pause_reading()
        self._news.set()
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the worker's going for a failure, unless it had finished."""
        self.lost.set()
        if not self._done:
            said = f" ({exc})" if exc else ""
            self._fail(f"{self._name}'s worker process ended unexpectedly{said}.")

    def _take(self, kind: bytes, body: bytes) -> None:
        if kind == messages.EVENT:
            self._events.append(messages.to_event(body))
        elif kind == messages.TOOK:
            self._behind -= messages.to_number(body)
        elif kind == messages.READY:
            self.pid = messages.to_number(body)
        elif kind == messages.DONE:
            self._done = True
        elif kind == messages.FAILED:
            self._fail(f"{self._name} failed: {body.decode(errors='replace')}")
        else:
            raise messages.Garbage(f"a message of kind {kind!r}")

    def _fail(self, sentence: str) -> None:
        """Remember the first failure; whoever waits is told."""
        self._failure = self._failure or sentence
        self._news.set()
        self._room.set()
        if self._transport:
            self._transport.abort()
