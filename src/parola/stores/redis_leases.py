"""Lends rooms to nodes on a broker: a key that runs out, and a number that only grows.

The node that takes a room gets the next number of the room's fence, and the log takes entries
under the newest number only, so that whoever comes late is refused (`parola.stores.redis_log`).
The broker measures how long a lease lasts; the node measures, from before it asked, when it has to
stop. Neither reads the other's clock, and the node stops at three quarters of the time.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from parola.beside import beside
from parola.broker import broker_errors, room_key
from parola.domain.errors import RoomElsewhere, StoreFailed

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger(__name__)

SPEAK_FOR = 0.75
"""The part of a lease in which its holder speaks: the rest is for clocks that run differently."""

RENEW_EVERY = 0.15
"""The part after which it is renewed: there are four tries before the holder has to stop."""

TAKE = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return {0, owner} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {redis.call('INCR', KEYS[2]), ARGV[1]}
"""

RENEW = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] or redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
"""A lease that has run out and that nobody has taken since is good again."""

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
    redis.call('INCR', KEYS[2])
end
"""
"""Counted too: a renewal that comes after it must not take the room again."""


def monotonic() -> float:
    """Return seconds that no clock setting moves, and that go on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


@dataclass(slots=True)
class _Lease:
    fence: int
    until_s: float


@asynccontextmanager
async def open_redis_leases(
    client: "Redis", node: str, lease_s: float, now_s: Callable[[], float] = monotonic
) -> "AsyncIterator[RedisLeases]":
    """Renew what is held while the body runs; then give everything back.

    Args:
        client: the broker, whose calls take less than an eighth of the time.
        node: the name by which others are told of this node.
        lease_s: how long a lease lasts that is not renewed.
        now_s: seconds on a clock that is never set.
    """
    leases = RedisLeases(client, node, lease_s, now_s)
    async with beside(leases.run()):
        yield leases
    for room in leases.held:
        await leases.give_back(room)


class RedisLeases:
    """The leases of one node, from its start to its end; made by `open_redis_leases`."""

    def __init__(
        self, client: "Redis", node: str, lease_s: float, now_s: Callable[[], float] = monotonic
    ) -> None:
        self._client = client
        self._owner = f"{node}|{uuid4().hex}"
        self._lease_s = lease_s
        self._now_s = now_s
        self._held: dict[str, _Lease] = {}
        self._lost: dict[str, None] = {}
        """In the order in which they were lost; at most as many as there are rooms."""
        self._has_lost = asyncio.Event()

    @property
    def held(self) -> list[str]:
        """What it holds."""
        return list(self._held)

    def holds(self, room: str) -> bool:
        lease = self._held.get(room)
        return lease is not None and self._now_s() < lease.until_s

    def fence(self, room: str) -> int:
        """Return the number under which the room may be written into; none is below 0."""
        lease = self._held.get(room)
        return lease.fence if lease else -1

    async def take(self, room: str) -> bool:
        if self.holds(room):
            return False
        asked_s = self._now_s()
        with broker_errors():
            fence, owner = await self._call(TAKE, room, self._owner, self._lasts_ms)
        if not fence:
            name = owner.decode(errors="replace").partition("|")[0]
            raise RoomElsewhere(
                f"Room {room!r} is spoken on node {name!r}, or was until just now;"
                " connect again in a moment."
            )
        self._lost.pop(room, None)
        self._held[room] = _Lease(int(fence), self._until_s(asked_s))
        return True

    async def give_back(self, room: str) -> None:
        if self._held.pop(room, None) is None:
            return
        try:
            with broker_errors():
                await self._call(RELEASE, room, self._owner)
        except StoreFailed as error:
            logger.warning("room %r is free only when its lease has run out: %s", room, error)

    async def lost(self) -> AsyncGenerator[str]:
        while True:
            while self._lost:
                room = next(iter(self._lost))
                del self._lost[room]
                yield room
            self._has_lost.clear()
            await self._has_lost.wait()

    async def run(self) -> None:
        """Renew, and notice in time what could not be renewed, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew_for_ever())
            tasks.create_task(self._watch())

    @property
    def _lasts_ms(self) -> int:
        return int(self._lease_s * 1000)

    def _until_s(self, asked_s: float) -> float:
        return asked_s + SPEAK_FOR * self._lease_s

    async def _call(self, script: str, room: str, *arguments: str | int) -> Any:  # noqa: ANN401 - as the client
        keys = [room_key(room, "lease"), room_key(room, "fence")]
        given = [str(argument) for argument in arguments]
        answer: Any = self._client.eval(script, len(keys), *keys, *given)
        return await answer

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY * self._lease_s)
            held = dict(self._held)
            if not held:
                continue
            asked_s = self._now_s()
            try:
                answers = await self._renew(held)
            except StoreFailed as error:
                logger.warning("leases cannot be renewed: %s", error.message)
                continue
            for (room, lease), is_ours in zip(held.items(), answers, strict=True):
                if self._held.get(room) is not lease:
                    continue
                if is_ours:
                    lease.until_s = self._until_s(asked_s)
                else:
                    self._lose(room)

    async def _renew(self, held: dict[str, _Lease]) -> list[int]:
        with broker_errors():
            async with self._client.pipeline(transaction=False) as pipe:
                for room, lease in held.items():
                    keys = [room_key(room, "lease"), room_key(room, "fence")]
                    own = (self._owner, str(self._lasts_ms), str(lease.fence))
                    pipe.eval(RENEW, 2, *keys, *own)
                return [int(answer) for answer in await pipe.execute()]

    async def _watch(self) -> None:
        while True:
            for room in self.held:
                if not self.holds(room):
                    self._lose(room)
            await asyncio.sleep(RENEW_EVERY * self._lease_s / 4)

    def _lose(self, room: str) -> None:
        logger.warning("room %r has to be left alone: its lease is over", room)
        del self._held[room]
        self._lost[room] = None
        self._has_lost.set()
