"""Brings a talk's sound to a server, over as many connections as it takes."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from parola.beside import tasks_beside
from parola.client.connection import Unreachable, socket_to, socket_url
from parola.client.source_messages import (
    Ack,
    Ready,
    Record,
    Trouble,
    end_message,
    read_server_message,
    start_message,
)
from parola.client.sources import Heard, heard
from parola.client.spool import MEMORY_FRAMES, READ_FRAMES, Span
from parola.client.spool_folder import Kept
from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk, to_seconds
from parola.domain.errors import BadInput, NoEngine, ParolaError, RoomBusy, ServerFull, Stopping
from parola.domain.terms import Terms
from parola.domain.vocabulary import RoomName
from parola.wire.messages import Start

AHEAD_FRAMES = 90 * RATE_HZ
"""How far sending goes ahead of what is acknowledged.

At two minutes the server would stop reading, and would not see our answers to its pings.
"""

READY_WITHIN_S = 20.0
"""How long a server may take to answer a talk's start: the log may be slow, an engine too."""

FIRST_WAIT_S = 0.25
MOST_WAIT_S = 10.0
"""Waits between attempts double from the first to the most, and are then shortened by up to half
at random: the clients of a server that comes back do not come all at once."""


@dataclass(frozen=True, slots=True)
class Uplink:
    """Where sound goes."""

    server: str
    """Such as "ws://127.0.0.1:8000"; http:// and https:// mean the same place."""

    room: RoomName
    engine_options: Mapping[str, str] = field(default_factory=dict)
    """What is asked of the server's engine, of an earlier talk that is brought home, too."""

    terms: Terms = field(default_factory=Terms)
    """The talk's own words."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How far it is."""

    end_frame: int = 0
    """The first frame that the source has not given yet."""

    sent_frame: int = 0
    """The first frame that is not sent yet, over the present connection."""

    safe_frame: int = 0
    """The first frame whose text is not known to be in the server's log (or to be none)."""

    level_dbfs: float = float("-inf")
    """Of the newest sound."""

    is_clipping: bool = False
    """Whether the newest sound was too loud to be written down as it was."""

    is_connected: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """Whoever wants to know how it goes."""

    progress: Callable[[Sent], None] = lambda _: None
    news: Callable[[str], None] = lambda _: None
    """Takes sentences for people."""


class Sender:
    """Sends one talk; `take` and `end` are its source's, `run` belongs into a task."""

    def __init__(
        self,
        uplink: Uplink,
        kept: Kept,
        listener: Listener,
        *,
        is_live: bool,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Send what is `kept` and what is taken.

        A sender of live sound waits for a server that cannot be reached at first.
        `jitter` gives numbers from 0 to 1.
        """
        self._kept = kept
        self._uplink = uplink
        self._listener = listener
        self._is_live = is_live
        self._sleep = sleep
        self._jitter = jitter
        self._url = socket_url(uplink.server, f"/ws/audio/{quote(uplink.room, safe='')}")
        self._changed = asyncio.Event()
        self._ending = False
        self._was_ready = False
        self._attempts = 0
        self._told = ""
        spool = kept.spool
        self.progress = Sent(spool.end_frame, spool.first_frame, spool.first_frame)

    def take(self, heard: Heard) -> None:
        """Keep sound until it is safe; what has to be given up for it is told."""
        spool = self._kept.spool
        was_on_disk = spool.trouble is None
        given_up = spool.append(heard.pcm)
        if given_up:
            self._listener.news(_given_up(given_up))
        if spool.trouble and was_on_disk:
            reason = spool.trouble.strerror or spool.trouble
            minutes = MEMORY_FRAMES // RATE_HZ // 60
            self._listener.news(
                f"Sound cannot be kept on the disk ({reason}); up to {minutes} minutes are kept"
                " in memory instead."
            )
        self._tell(
            end_frame=spool.end_frame, level_dbfs=heard.level_dbfs, is_clipping=heard.is_clipping
        )
        self._changed.set()

    async def room_for_more(self) -> None:
        """Wait while so much is on its way that a recording had better wait."""
        while self._kept.spool.end_frame - self.progress.safe_frame > AHEAD_FRAMES:
            await self._change()

    def end(self) -> None:
        """Say that no more sound comes."""
        self._ending = True
        self._changed.set()

    async def run(self) -> None:
        """Send until `end` was said and the text of everything is safe; connects for ever.

        Cancelled, it leaves at once; the server keeps what it has, the spool the rest.

        Raises:
            ParolaError: the server refuses, and would again; or it cannot be reached at first,
                and the sound is a recording's.
        """
        while not (self._ending and self.progress.safe_frame >= self._kept.spool.end_frame):
            try:
                async with socket_to(self._url) as socket:
                    await self._one_connection(socket)
            except ParolaError as error:
                self._tell(is_connected=False)
                if not self._is_worth_another(error):
                    raise
                await self._wait_before_another(error)

    def _is_worth_another(self, error: ParolaError) -> bool:
        if isinstance(error, BadInput | NoEngine):
            return False
        if self._was_ready or self._kept.was_there:
            return True
        # A room that is busy at first is somebody else's.
        return self._is_live and not isinstance(error, RoomBusy | ServerFull)

    async def _wait_before_another(self, error: ParolaError) -> None:
        if error.message != self._told:
            self._told = error.message
            self._listener.news(f"{error.message} Sound is kept, and sent as soon as it can be.")
        # A server that stops in order has another beside it, or will be back at once.
        wait_s = 0.0 if isinstance(error, Stopping) and not self._attempts else FIRST_WAIT_S
        wait_s = min(wait_s * 2**self._attempts, MOST_WAIT_S)
        self._attempts = min(self._attempts + 1, 16)
        await self._sleep(wait_s * (1 - self._jitter() / 2))

    async def _one_connection(self, socket: ClientConnection) -> None:
        talk = self._kept.talk
        first = self._kept.spool.first_frame
        start = Start(
            talk.session,
            talk.language,
            position=first,
            engine_options=self._uplink.engine_options,
            terms=self._uplink.terms,
        )
        await socket.send(start_message(start))
        cursor = await _ready_position(socket)
        self._note_ready(cursor)
        async with tasks_beside(_telling) as tasks:
            reading = tasks.create_task(self._read(socket))
            await self._send(socket, cursor)
            await reading

    def _note_ready(self, cursor: int) -> None:
        spool = self._kept.spool
        if cursor > spool.end_frame and self._is_live:
            # A power cut took sound from the disk that the server has: its clock goes on there.
            self.take(heard(bytes((cursor - spool.end_frame) * FRAME_BYTES)))
        self._was_ready = True
        if self._told or (self._kept.was_there and not self.progress.is_connected):
            waiting_s = to_seconds(max(spool.end_frame - cursor, 0))
            self._listener.news(f"Connected; {waiting_s:.1f} s of kept sound are sent now.")
        self._told = ""
        self._tell(is_connected=True, sent_frame=cursor)

    async def _read(self, socket: ClientConnection) -> None:
        """Take what the server says, until it closes after the end of the talk.

        Raises:
            Unreachable: it closed in order, but too early.
        """
        async for frame in socket:
            said = read_server_message(frame) if isinstance(frame, str) else None
            if isinstance(said, Trouble):
                self._listener.news(f"The engine: {said.state}. {said.detail}".rstrip())
            elif isinstance(said, Record):
                self._note_record(said)
            elif isinstance(said, Ack):
                self._attempts = 0
                self._kept.note_safe(said.position)
                self._tell(safe_frame=max(self.progress.safe_frame, said.position))
                self._changed.set()
        if not self._ending or self.progress.safe_frame < self._kept.spool.end_frame:
            raise Unreachable("The server closed the connection before the end; try again.")

    def _note_record(self, said: Record) -> None:
        spool = self._kept.spool
        if said.is_off and not spool.is_off_record:
            spool.go_off_record(said.position)
            self._listener.news("The room is off the record: its sound is kept in memory only.")
        elif spool.is_off_record and not said.is_off:
            spool.go_on_record(said.position)
            self._listener.news("The room is on the record again.")

    async def _send(self, socket: ClientConnection, cursor: int) -> None:
        """Send from the cursor on, as it comes, to the end message."""
        while True:
            chunk = self._next(cursor)
            if chunk and chunk.end_frame - self.progress.safe_frame <= AHEAD_FRAMES:
                await socket.send(chunk.pcm)
                cursor = chunk.end_frame
                self._tell(sent_frame=cursor)
            elif self._ending and not chunk:
                await socket.send(end_message())
                return
            else:
                await self._change()

    def _next(self, cursor: int) -> AudioChunk | None:
        missing = min(self._kept.spool.first_frame - cursor, READ_FRAMES)
        if missing > 0:
            # What was given up is silence: times after it stay right.
            return AudioChunk(cursor, bytes(missing * FRAME_BYTES))
        return self._kept.spool.read(cursor)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _tell(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of Sent
        self.progress = replace(self.progress, **changes)
        self._listener.progress(self.progress)


def _telling(errors: Sequence[BaseException]) -> BaseException:
    """Return what the server said: both halves notice that a socket closes, which tells less."""
    return min(errors, key=lambda error: isinstance(error, ConnectionClosed))


async def _ready_position(socket: ClientConnection) -> int:
    """Return the frame from which the server wants sound.

    Raises:
        Unreachable: it does not say so in time.
        ParolaError: it refuses.
    """
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            async for frame in socket:
                said = read_server_message(frame) if isinstance(frame, str) else None
                if isinstance(said, Ready):
                    return said.position
    except TimeoutError:
        raise Unreachable("The server takes the socket, but not the talk; is it Parola?") from None
    raise Unreachable("The server closed the connection before the end; try again.")


def _given_up(span: Span) -> str:
    return (
        f"The spool is full: sound from {clock(span.first_frame)} to {clock(span.end_frame)} of"
        " this talk is lost. Free the network or raise --spool-mb."
    )


def clock(frame: int) -> str:
    """Return a frame's time for people, such as "1:02:03.4"."""
    minutes, seconds = divmod(frame / RATE_HZ, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{seconds:04.1f}" if hours else f"{minutes}:{seconds:04.1f}"
