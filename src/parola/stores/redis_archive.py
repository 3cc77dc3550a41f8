"""Makes the logs on a broker searchable, from a copy of its own that follows them.

The broker's streams stay the only truth. Before each question it is asked what is new, so that an
answer has every line that was saved before, on whichever node, and none that was taken out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from parola.broker import broker_errors, room_key
from parola.domain.errors import StoreFailed
from parola.domain.log import Entry
from parola.domain.search import Phrase
from parola.domain.talks import Talk
from parola.ports import Forgotten
from parola.stores.redis_log import LAST, PRUNED, ROOMS, RedisLog, number_of
from parola.stores.redis_tickets import RedisTickets
from parola.stores.sqlite_mirror import Followed, Mirror, Row

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger(__name__)

NAME = "parola:name"
"""A name that a broker's content has until it is gone: a copy of other content is worthless."""

FOLLOW_S = 2.0
"""How often a node looks although nobody asks: what was taken out goes from its files too."""

READY_S = 8.0
"""How long a question waits for a copy that is behind, as a new node's is."""

PAGE = 200
"""Entries that are copied in one transaction."""

IDS = 5000
"""Numbers that are asked for at once."""

STATE = (
    LAST
    + """
local told = {}
for at = 1, #KEYS, 2 do
    told[at] = last_of(KEYS[at])
    told[at + 1] = tonumber(redis.call('GET', KEYS[at + 1]) or '0')
end
return told
"""
)
"""Each room's last number, and how often something was taken out of it."""

NUMBERS = """
local ids = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
for at, row in ipairs(ids) do ids[at] = row[1] end
return ids
"""


LetGo = Callable[[Forgotten], Awaitable[None]]
"""Is told what has been taken out, on whichever node, before this node's copy lets it go."""


class RedisArchive(RedisLog):
    """A log on a broker in which can be searched; `run` belongs into its owner's TaskGroup."""

    def __init__(
        self,
        client: "Redis",
        mirror: Mirror,
        fence: Callable[[str], int] = lambda _: 0,
        outbox: RedisTickets | None = None,
        unread: RedisTickets | None = None,
    ) -> None:
        super().__init__(client, fence, outbox, unread)
        self._mirror = mirror
        self._following = asyncio.Lock()
        self._begun, self._done = 0, 0
        """How often a look at the broker has begun, and the newest one that has succeeded."""
        self._let_go: LetGo | None = None

    async def search(
        self, phrases: Sequence[Phrase], room: str | None = None, limit: int = 50
    ) -> list[Entry]:
        """One look at what is new, and one into the copy."""
        if not phrases:
            return []
        await self._be_ready()
        return await self._mirror.search(phrases, room, limit)

    async def talks(self) -> list[Talk]:
        """One look at what is new, and one into the copy."""
        await self._be_ready()
        return await self._mirror.talks()

    async def forget(self, before_ms: int, spare: Collection[str] = ()) -> Forgotten:
        """Take it out of the broker, and then out of the copy; other nodes' copies follow."""
        gone = await super().forget(before_ms, spare)
        try:
            await self.follow()
            await self._mirror.scrub()
        except StoreFailed as error:
            logger.warning("deleted talks are in this node's index still: %s", error.message)
        return gone

    async def run(self, let_go: LetGo) -> None:
        """Follow the broker, for ever."""
        self._let_go = let_go
        told = ""
        while True:
            try:
                await self.follow()
                await self._mirror.scrub()
                told = ""
            except StoreFailed as error:
                if error.message != told:
                    logger.warning("the index does not follow the broker: %s", error.message)
                told = error.message
            await asyncio.sleep(FOLLOW_S)

    async def follow(self) -> None:
        """Copy what is new, and take out what is gone; cancelled, it is gone on with later.

        Raises:
            StoreFailed: the broker cannot be read, or the copy not be written.
        """
        asked = self._begun
        async with self._following:
            if self._done > asked:
                return  # one that began since has seen all that was there then
            self._begun += 1
            await self._follow()
            self._done = self._begun

    async def _follow(self) -> None:
        name, rooms = await self._name_and_rooms()
        if not name:
            # Only now, so that a broker that takes no writes can be searched all the same.
            with broker_errors():
                await self._client.set(NAME, uuid4().hex, nx=True)
            name, rooms = await self._name_and_rooms()
        followed = await self._mirror.begin(name)
        if gone := followed.keys() - rooms:
            await self._mirror.drop(gone)
        for room, there in (await self._state(rooms)).items():
            if followed.get(room) != there:
                await self._follow_room(room, followed.get(room, Followed()), there)

    async def _name_and_rooms(self) -> tuple[str, list[str]]:
        with broker_errors():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.get(NAME)
                pipe.smembers(ROOMS)
                name, members = await pipe.execute()
        return (name or b"").decode(), sorted(member.decode() for member in members)

    async def _follow_room(self, room: str, known: Followed, there: Followed) -> None:
        at = known.number
        if known.pruned > there.pruned:
            # The broker has lost that it was told to.
            await self._mirror.drop([room])
            at = 0
        elif at and known.pruned < there.pruned:
            stays = await self._numbers(room, at)
            if self._let_go:
                await self._let_go(await self._mirror.talks_without(room, at, stays))
            await self._mirror.forget_all_but(room, Followed(at, there.pruned), stays)
        while True:
            rows = await self._rows(room, at)
            is_all = len(rows) < PAGE
            # The newest entries may be gone, and the number they had counts all the same.
            newest = max(rows[-1][0] if rows else 0, there.number if is_all else 0)
            if not await self._mirror.take(room, at, rows, Followed(newest, there.pruned)):
                # The broker has lost what it had, and begun anew.
                await self._mirror.drop([room])
                at = 0
            elif is_all:
                return
            else:
                at = newest

    async def _be_ready(self) -> None:
        try:
            async with asyncio.timeout(READY_S):
                await self.follow()
        except TimeoutError:
            raise StoreFailed(
                "This node is still copying what was said before, to search in it; try again in"
                " a moment."
            ) from None

    async def _state(self, rooms: Sequence[str]) -> Mapping[str, Followed]:
        if not rooms:
            return {}
        keys = [room_key(room, part) for room in rooms for part in ("log", PRUNED)]
        with broker_errors():
            answer: Any = self._client.eval_ro(STATE, len(keys), *keys)
            told = await answer
        return dict(zip(rooms, map(Followed, told[::2], told[1::2]), strict=True))

    async def _rows(self, room: str, from_number: int) -> list[Row]:
        with broker_errors():
            found: Any = await self._client.xrange(
                room_key(room, "log"), min=f"{max(from_number, 1)}-0", count=PAGE
            )
        return [
            (number_of(key), int(row[b"at"]), row[b"kind"].decode(), row[b"body"].decode())
            for key, row in found
        ]

    async def _numbers(self, room: str, until: int) -> set[int]:
        numbers: set[int] = set()
        first = 1
        while True:
            with broker_errors():
                answer: Any = self._client.eval_ro(
                    NUMBERS, 1, room_key(room, "log"), f"{first}-0", f"{until}-0", str(IDS)
                )
                found = list(map(number_of, await answer))
            numbers.update(found)
            if len(found) < IDS:
                return numbers
            first = found[-1] + 1
