"""Keeps how lines sound on a broker, for all nodes, and which lines are still to be read."""

import json
from collections.abc import Sequence
from typing import Any

from parola.broker import broker_errors, room_key
from parola.domain.mood import LineMood, newest_conversation
from parola.domain.transcript import Segment
from parola.ports import Unread
from parola.stores.redis_tickets import MOODS, Ticketed, line_key, rooms_lines
from parola.stores.sqlite_moods import MOST

PAGE = 500
"""Lines that are looked at together, the newest first."""

SETTLE = """
local ticket = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ticket or tonumber(ticket) ~= tonumber(ARGV[2]) then return end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], ARGV[3], ARGV[3])
local there = redis.call('XRANGE', KEYS[3], ARGV[3] .. '-0', ARGV[3] .. '-0')
if ARGV[4] ~= '' and #there == 1 then redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4]) end
"""
"""A talk may have been deleted meanwhile: nothing of it is kept."""


class RedisMoods(Ticketed):
    """A mood book for all nodes: for each room its lines' moods, by number."""

    async def unread(self, limit: int) -> list[Unread]:
        """The newest first: who looks now wants to see now."""
        tickets = await self._tickets.take(limit, "newest")
        entries = await self._log.at(rooms_lines(tickets))
        edits = await self._edits(tickets)
        found: list[Unread] = []
        for ticket, entry in zip(tickets, entries, strict=True):
            now = edits[ticket.room].read(entry) if entry else None
            segment = now.body if now and isinstance(now.body, Segment) else None
            at_ms = entry.at_ms if entry else 0
            found.append(Unread(ticket.id, ticket.room, ticket.line, at_ms, segment))
        return found

    async def settle(self, lines: Sequence[Unread], moods: Sequence[LineMood]) -> None:
        """One transaction. A line that was edited, or settled by another node, since is left."""
        read = {(mood.room, mood.number): mood for mood in moods}
        with broker_errors():
            async with self._client.pipeline(transaction=True) as pipe:
                for line in lines:
                    mood = read.get((line.room, line.number))
                    keys = [room_key(line.room, part) for part in (MOODS, "log")]
                    own = (line_key(line.room, line.number), str(line.ticket), str(line.number))
                    told = encode(mood) if mood else ""
                    pipe.eval(SETTLE, 3, self._tickets.key, *keys, *own, told)
                self._tickets.leave(pipe)
                await pipe.execute()

    async def moods(self, room: str, session: str | None = None) -> list[LineMood]:
        """Walks the room's newest lines, for its newest conversation no further than that."""
        found: list[LineMood] = []
        below = "+inf"
        while len(found) < MOST:
            page = await self._page(room, below)
            found += [mood for mood in page if session in {None, mood.session}]
            begins = session is None and len(newest_conversation(found[::-1])) < len(found)
            if begins or len(page) < PAGE:
                break
            below = f"({page[-1].number}"
        lines = found[:MOST][::-1]
        return lines if session is not None else list(newest_conversation(lines))

    async def _page(self, room: str, below: str) -> list[LineMood]:
        with broker_errors():
            rows: Any = await self._client.zrevrangebyscore(
                room_key(room, MOODS), below, "-inf", start=0, num=PAGE
            )
        return [decode(room, row) for row in rows]


def encode(mood: LineMood) -> str:
    """Return a mood as it is kept among its room's."""
    told = (mood.number, mood.session, mood.at_ms, mood.first_frame)
    return json.dumps([*told, mood.score, mood.intent, mood.read_by])


def decode(room: str, kept: bytes) -> LineMood:
    """Return the mood that `encode` wrote."""
    return LineMood(room, *json.loads(kept))
