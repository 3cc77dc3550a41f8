"""Keeps what is still to be done with lines on a broker, for all nodes, by one of them at a time.

A ticket names a line. It is put in by the very script that appends to the log
(`parola.stores.redis_log`), and stays until it is settled. Whoever takes tickets holds all there
are, and goes on holding them by coming again in time; what a node that died had taken the next one
takes. Nobody holds what is empty, so the next line's ticket is taken by whoever comes first.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import uuid4

from parola.broker import broker_errors
from parola.domain.corrections import Edits
from parola.domain.log import Entry
from parola.stores.news import News

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

OUTBOX = "parola:outbox"
REFUSED = "parola:outbox:refused"
"""What the queue will never take: a hash of lines, with the reasons."""

UNREAD = "parola:unread"
MOODS = "moods"
"""How a room's lines sound, among its keys: by number."""

COUNT = "parola:tickets"
"""How many tickets were ever given, of all kinds: none is given twice."""

LOOK_S = 0.5
"""How often a node looks for what others have put in, or have left."""

TAKE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return {} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return redis.call(ARGV[4], KEYS[1], 0, ARGV[3] - 1, 'WITHSCORES')
"""

LEAVE = """
if redis.call('EXISTS', KEYS[1]) == 0 and redis.call('GET', KEYS[2]) == ARGV[1] then
    redis.call('DEL', KEYS[2])
end
"""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One line with which something is to be done."""

    id: int
    room: str
    line: int
    """The line's number in the room's log."""

    @classmethod
    def of(cls, key: bytes, ticket: bytes | float) -> "Ticket":
        """Return the ticket that the broker has for a line's key."""
        number, _, room = key.decode().partition(" ")
        return cls(int(ticket), room, int(number))


def line_key(room: str, line: int) -> str:
    """Return what a line is called among those of all rooms."""
    return f"{line} {room}"


class Lines(Protocol):
    """What is needed of the log that tickets point into."""

    async def at(self, places: Sequence[tuple[str, int]]) -> list[Entry | None]:
        """Return the entries of rooms with these numbers."""

    async def edits(self, room: str) -> list[Entry]:
        """Return every edit of a room."""


class RedisTickets(News):
    """The tickets of one kind, as one node sees them."""

    def __init__(self, client: "Redis", key: str, hold_s: float = 10.0) -> None:
        """Begin without a ticket.

        Args:
            client: the broker.
            key: the kind.
            hold_s: after how long without a sign another node takes what this one has taken.
        """
        super().__init__()
        self._client = client
        self.key = key
        self._node = uuid4().hex
        self._hold_ms = int(hold_s * 1000)

    async def news(self) -> None:
        """Wait for this node's own log, or for a moment: others tell nobody."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await super().news()

    async def take(self, limit: int, order: Literal["oldest", "newest"]) -> list[Ticket]:
        """Return some tickets, and again until they are settled; none while another node has them.

        Raises:
            StoreFailed: the broker does not do it now.
        """
        if limit <= 0:
            return []
        given = (self._node, str(self._hold_ms), str(limit))
        look = {"oldest": "ZRANGE", "newest": "ZREVRANGE"}[order]
        with broker_errors():
            answer: Any = self._client.eval(TAKE, 2, self.key, self._holder, *given, look)
            rows: list[bytes] = await answer
        return [Ticket.of(*row) for row in zip(rows[::2], rows[1::2], strict=True)]

    def leave(self, pipe: "Pipeline") -> None:
        """Let other nodes take what comes next, if nothing is left here; the caller executes."""
        pipe.eval(LEAVE, 2, self.key, self._holder, self._node)

    @property
    def _holder(self) -> str:
        return f"{self.key}:holder"


class Ticketed:
    """What is kept of lines that tickets name, for all nodes."""

    def __init__(self, client: "Redis", tickets: RedisTickets, log: Lines) -> None:
        self._client = client
        self._tickets = tickets
        self._log = log

    async def news(self) -> None:
        await self._tickets.news()

    async def _edits(self, tickets: Sequence[Ticket]) -> dict[str, Edits]:
        """Return what people have changed in each room that tickets name."""
        rooms = {ticket.room for ticket in tickets}
        return {room: Edits(await self._log.edits(room)) for room in rooms}


def rooms_lines(tickets: Sequence[Ticket]) -> list[tuple[str, int]]:
    """Return which lines the tickets name."""
    return [(ticket.room, ticket.line) for ticket in tickets]
