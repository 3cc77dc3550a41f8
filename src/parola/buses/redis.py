"""Carries rooms' events between nodes over a broker.

Finals and changes come from the rooms' log streams: one blocking read a node over all its rooms,
from the last number on, so that nothing is lost whatever breaks. What is in no log – guesses,
states, and all that is off the record – goes by publish and subscribe, which the broker writes
nowhere; what is sent while a node does not hear is lost to its viewers, and the next one follows.

A node's own subscribers never wait for the broker.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from parola.broker import broker_errors, room_key
from parola.buses.local import LocalBus
from parola.buses.passing import Passing, decode, to_json
from parola.domain.errors import StoreFailed
from parola.domain.log import Entry
from parola.domain.transcript import Segment
from parola.ports import Answered, Asked, Numbered, Partial, RoomEvent, RoomState, Unrecorded

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

logger = logging.getLogger(__name__)

OUTGOING = 1000
"""Events that wait for the broker; then the oldest are dropped. None of them is in a log."""

READ_S = 0.25
"""How long one read waits for new finals; a room that is opened meanwhile is in the next one."""

BEAT_S = 1.0
"""How often a node says the states of the rooms it speaks, and hears itself."""

SILENT_S = 5.0
"""After so long without a beat the connection, or the node that spoke, is taken for gone."""

SUBSCRIBED_WITHIN_S = 1.0
"""How long a room's first subscriber waits to hear passing events too."""

GONE = RoomState(
    "recovering",
    "The server that heard this room does not answer; it goes on when another has taken over.",
)

SPOKEN = {"waiting", "listening", "recovering", "unsaved"}
"""The states in which somebody ought to be there."""


class Tail(Protocol):
    """What the bus needs of the rooms' logs."""

    async def last_number(self, room: str) -> int:
        """Return the greatest number."""

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return entries after a number."""

    async def newer(self, cursors: Mapping[str, int], wait_s: float) -> dict[str, list[Entry]]:
        """Return what is newer than each room's number, as soon as there is any."""


class Speaking(Protocol):
    """What it needs of the leases."""

    def holds(self, room: str) -> bool:
        """Return whether this node may speak into the room."""

    def fence(self, room: str) -> int:
        """Return the number under which it does."""


@dataclass(slots=True)
class _Room:
    """A room with subscribers here."""

    cursor: int
    """The newest number that was read from the log's stream."""

    given: int
    """The newest number that subscribers were given."""

    subscribers: int = 0
    fence: int = 0
    """The highest of a speaker's; what comes under a lower one comes too late."""

    finals: dict[str, int] = field(default_factory=dict)
    """Each session's newest final: guesses at it, or before it, come too late."""

    own: RoomState | None = None
    remote: RoomState | None = None
    heard_s: float = 0.0
    hears: asyncio.Event = field(default_factory=asyncio.Event)


class RedisBus:
    """The bus of one node; `run` belongs into its owner's TaskGroup."""

    def __init__(self, client: "Redis", log: Tail, leases: Speaking) -> None:
        self._client = client
        self._log = log
        self._leases = leases
        self._node = uuid4().hex
        self._local = LocalBus()
        self._rooms: dict[str, _Room] = {}
        self._outgoing: deque[tuple[str, str]] = deque(maxlen=OUTGOING)
        self._has_outgoing = asyncio.Event()
        self._has_rooms = asyncio.Event()
        self._pubsub: PubSub | None = None
        self._connecting = asyncio.Lock()
        """Held while rooms are subscribed to: two at once would each open a connection."""
        self._heard_itself_s = 0.0

    async def publish(self, room: str, event: RoomEvent) -> None:
        held = self._leases.holds(room)
        state = self._rooms.get(room)
        if isinstance(event, RoomState) and state:
            if not held and state.remote:
                return  # whoever speaks there knows better
            state.own, state.remote = event, None
        if isinstance(event, Numbered):
            await self._give(room, event.entry)
            return
        if held or isinstance(event, Asked | Answered):
            self._send(room, event)
        await self._local.publish(room, event)

    @asynccontextmanager
    async def subscribe(self, room: str) -> AsyncIterator[AsyncIterator[RoomEvent]]:
        """The first subscriber of a room waits for the broker.

        Raises:
            StoreFailed: it cannot be asked where the room's log ends.
        """
        if room not in self._rooms:
            last = await self._log.last_number(room)
            self._rooms.setdefault(room, _Room(last, last))
        state = self._rooms[room]
        state.subscribers += 1
        try:
            async with self._local.subscribe(room) as events:
                self._has_rooms.set()
                await self._hear(room, state)
                yield events
        finally:
            state.subscribers -= 1
            if not state.subscribers:
                del self._rooms[room]
                await self._hear_no_more(room)

    async def run(self) -> None:
        """Carry events, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_for_ever())
            tasks.create_task(self._read_finals())
            tasks.create_task(self._listen())
            tasks.create_task(self._beat())

    async def _give(self, room: str, entry: Entry) -> None:
        """Give an entry to the subscribers here, after those before it that are missing."""
        state = self._rooms.get(room)
        if state and entry.number > state.given + 1:
            with suppress(StoreFailed):
                for missed in await self._log.read(
                    room, state.given, entry.number - state.given - 1
                ):
                    if state.given < missed.number < entry.number:
                        await self._local.publish(room, Numbered(missed))
        if state:
            state.given = max(state.given, entry.number)
        await self._local.publish(room, Numbered(entry))

    def _send(self, room: str, event: Passing) -> None:
        message = to_json(self._node, self._leases.fence(room), event)
        self._outgoing.append((room_key(room, "passing"), message))
        self._has_outgoing.set()

    async def _send_for_ever(self) -> None:
        while True:
            await self._has_outgoing.wait()
            self._has_outgoing.clear()
            waiting = list(self._outgoing)
            self._outgoing.clear()
            try:
                with broker_errors():
                    async with self._client.pipeline(transaction=False) as pipe:
                        for channel, message in waiting:
                            pipe.publish(channel, message)
                        await pipe.execute()
            except StoreFailed as error:
                logger.debug("%d passing events did not go out: %s", len(waiting), error.message)

    async def _read_finals(self) -> None:
        while True:
            while not self._rooms:
                self._has_rooms.clear()
                await self._has_rooms.wait()
            cursors = {room: state.cursor for room, state in self._rooms.items()}
            try:
                found = await self._log.newer(cursors, READ_S)
            except StoreFailed as error:
                logger.debug("finals cannot be read: %s", error.message)
                await asyncio.sleep(READ_S)
                continue
            for room, entries in found.items():
                for entry in entries:
                    await self._take_final(room, entry)

    async def _take_final(self, room: str, entry: Entry) -> None:
        state = self._rooms.get(room)
        if state is None or entry.number <= state.cursor:
            return
        state.cursor, state.given = entry.number, max(state.given, entry.number)
        if isinstance(entry.body, Segment):
            state.finals[entry.body.session] = entry.body.number
        await self._local.publish(room, Numbered(entry))

    async def _hear(self, room: str, state: _Room) -> None:
        async with self._connecting:
            if self._pubsub:
                with suppress(StoreFailed), broker_errors():
                    await self._pubsub.subscribe(room_key(room, "passing"))
        with suppress(TimeoutError):
            async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
                await state.hears.wait()

    async def _hear_no_more(self, room: str) -> None:
        if self._pubsub:
            with suppress(StoreFailed), broker_errors():
                await self._pubsub.unsubscribe(room_key(room, "passing"))

    async def _listen(self) -> None:
        """Hear passing events; with a new connection whenever the last one has gone quiet."""
        while True:
            self._pubsub = self._client.pubsub()
            try:
                with broker_errors():
                    await self._listen_on(self._pubsub)
            except StoreFailed as error:
                logger.debug("passing events are not heard: %s", error.message)
            pubsub, self._pubsub = self._pubsub, None
            with suppress(StoreFailed), broker_errors():
                await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(READ_S)

    async def _listen_on(self, pubsub: "PubSub") -> None:
        now_s = asyncio.get_running_loop().time
        async with self._connecting:
            rooms = [room_key(room, "passing") for room in self._rooms]
            await pubsub.subscribe(self._own_channel, *rooms)
        self._heard_itself_s = now_s()
        while now_s() - self._heard_itself_s < SILENT_S:
            message = await pubsub.get_message(timeout=BEAT_S)
            if message is not None:
                await self._take_message(message)

    async def _take_message(self, message: Mapping[str, Any]) -> None:
        channel = message["channel"].decode()
        if channel == self._own_channel:
            self._heard_itself_s = asyncio.get_running_loop().time()
            return
        found = [room for room in self._rooms if room_key(room, "passing") == channel]
        if not found:
            return
        if message["type"] == "subscribe":
            self._rooms[found[0]].hears.set()
        elif message["type"] == "message":
            try:
                fields = json.loads(message["data"])
                event, fence, node = decode(fields), int(fields["fence"]), fields["node"]
            except (ValueError, TypeError, KeyError) as error:
                logger.warning("another node sent what cannot be read: %s", error)
                return
            if node != self._node:
                await self._take_passing(found[0], fence, event)

    async def _take_passing(self, room: str, fence: int, event: Passing) -> None:
        state = self._rooms[room]
        if isinstance(event, Asked | Answered):
            await self._local.publish(room, event)
            return
        if fence < state.fence or self._leases.holds(room):
            return
        state.fence, state.heard_s = fence, asyncio.get_running_loop().time()
        if isinstance(event, RoomState):
            if event == state.remote:
                return
            state.remote = event
        if isinstance(event, Partial | Unrecorded):
            segment = event.segment
            if segment.number <= state.finals.get(segment.session, 0):
                return
        await self._local.publish(room, event)

    async def _beat(self) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            self._outgoing.append((self._own_channel, ""))
            self._has_outgoing.set()
            for room, state in list(self._rooms.items()):
                if self._leases.holds(room):
                    if state.own:
                        self._send(room, state.own)
                elif _is_spoken(state.remote) and now_s() - state.heard_s > SILENT_S:
                    state.remote = GONE
                    await self._local.publish(room, GONE)
            await asyncio.sleep(BEAT_S)

    @property
    def _own_channel(self) -> str:
        return f"parola:node:{self._node}"


def _is_spoken(state: RoomState | None) -> bool:
    """Return whether somebody ought to be there."""
    return state is not None and state.state in SPOKEN and state != GONE
