"""Keeps logs on a broker that several nodes share: a Redis stream for each room.

What is promised: once `append` has returned, the entries are in the broker's append-only file,
synced where `appendfsync always` is set. An entry's number is its place in the stream, so a number
is given once. A node whose lease on the room another one has taken is refused, however late it is
(the fence; see `parola.stores.redis_leases`).

An append of several rooms is not all or nothing: each room's part is.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from parola.broker import broker_errors, room_key
from parola.domain.errors import Fenced, StoreFailed
from parola.domain.log import (
    BEGIN_AND_END,
    Edit,
    Entry,
    RoomSummary,
    SessionPast,
    StateChange,
    is_switch,
    switch_in,
)
from parola.domain.transcript import Segment
from parola.ports import Forgotten
from parola.stores.bodies import encode, entry_of, kind_of
from parola.stores.redis_tickets import (
    COUNT,
    MOODS,
    OUTBOX,
    REFUSED,
    UNREAD,
    RedisTickets,
    line_key,
)

if TYPE_CHECKING:
    from redis.asyncio import Redis

ROOMS = "parola:rooms"

Rows = Any
"""What the client gives for a part of a stream, whatever its annotations say: pairs of an id and a
dict of fields, all bytes."""

PRUNED = "pruned"
"""A room's key that counts how often something was taken out, for whoever has a copy."""

REWRITE_TRIES, REWRITE_PAUSE_S = 60, 0.5
"""How long another rewriting of the broker's file is waited for."""

PAGE = 500
"""Changes of a room that are looked at together, the newest first."""

LAST = """
local function last_of(key)
    if redis.call('EXISTS', key) == 0 then return 0 end
    local told = redis.call('XINFO', 'STREAM', key)
    for at = 1, #told, 2 do
        if told[at] == 'last-generated-id' then
            return tonumber(string.match(told[at + 1], '^%d+'))
        end
    end
end
"""
"""A stream remembers its last number, also when its entries are gone."""

APPEND = (
    LAST
    + """
local fence = redis.call('GET', KEYS[1]) or '0'
if fence ~= ARGV[1] then return {'fenced', fence} end

local last = last_of(KEYS[2])
local planned, said, order = {}, {}, {}
for at = 2, #ARGV, 8 do
    local number, spoken = ARGV[at], ARGV[at + 3] .. ' ' .. ARGV[at + 4]
    local there = redis.call('XRANGE', KEYS[2], number .. '-0', number .. '-0')[1]
    local before = there and {there[2][2], there[2][4], there[2][6]} or planned[number]
    if before then
        if before[1] ~= ARGV[at + 1] or before[2] ~= ARGV[at + 2] or before[3] ~= ARGV[at + 5] then
            return {'taken', number}
        end
    elseif ARGV[at + 4] == '' or not said[spoken]
            and redis.call('HEXISTS', KEYS[3], spoken) == 0 then
        if tonumber(number) <= last then return {'taken', number} end
        last = tonumber(number)
        planned[number] = {ARGV[at + 1], ARGV[at + 2], ARGV[at + 5]}
        said[spoken] = ARGV[at + 4] ~= ''
        order[#order + 1] = at
    end
end

for _, at in ipairs(order) do
    local id, kind = ARGV[at] .. '-0', ARGV[at + 2]
    local fields = {'at', ARGV[at + 1], 'kind', kind, 'body', ARGV[at + 5]}
    redis.call('XADD', KEYS[2], id, unpack(fields))
    if kind == 'segment' then
        local session, frame = ARGV[at + 3], ARGV[at + 4]
        redis.call('HSET', KEYS[3], session .. ' ' .. frame, ARGV[at])
        local newest_of = redis.call('HGET', KEYS[4], session)
        if not newest_of or tonumber(string.match(newest_of, '^%d+')) < tonumber(frame) then
            redis.call('HSET', KEYS[4], session, frame .. ' ' .. ARGV[at])
        end
    elseif kind == 'state' then
        redis.call('XADD', KEYS[5], id, unpack(fields))
    elseif kind ~= 'withheld' then
        redis.call('XADD', KEYS[6], id, unpack(fields))
    end
    for more = 0, 1 do
        local line = ARGV[at + 6 + more]
        if line ~= '' then redis.call('ZADD', KEYS[7 + more], redis.call('INCR', KEYS[9]), line) end
    end
end
return {'kept', tostring(#order)}
"""
)
"""Checks everything, then keeps everything: the broker lets nobody in between."""

PARTS = ("fence", "log", "said", "ends", "changes", "edits")
"""A room's keys, as the script counts them: who may append, every entry, which segments there are,
each session's newest one, and the two kinds of entries that are looked for among all others."""

SHARED = (OUTBOX, UNREAD, COUNT)
"""The keys of all rooms that it counts after those: where tickets go, and how many there were."""


class RedisLog:
    """A log in streams, one a room."""

    def __init__(
        self,
        client: "Redis",
        fence: Callable[[str], int] = lambda _: 0,
        outbox: RedisTickets | None = None,
        unread: RedisTickets | None = None,
    ) -> None:
        """Append to the rooms of a broker.

        Args:
            client: the broker.
            fence: gives the number under which a room is appended to: the lease's, 0 without one.
            outbox: gets a ticket for each final and each edit, in the step that keeps it.
            unread: gets one for each line that is new or edited, likewise.
        """
        self._client = client
        self._fence = fence
        self._outbox = outbox
        self._unread = unread

    async def append(self, entries: Sequence[Entry]) -> None:
        """One script a room, all in one round. What other rooms have is kept where one fails.

        Raises:
            Fenced: another node holds some of the rooms; nothing of those was kept.
            StoreFailed: something is not kept now; trying again is safe.
        """
        rooms = [(room, list(own)) for room, own in groupby(_by_room(entries), key=_room)]
        if not rooms:
            return
        calls = [(room, self._arguments(room, own)) for room, own in rooms]
        with broker_errors():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.sadd(ROOMS, *(room for room, _ in rooms))
                for room, arguments in calls:
                    keys = [*(room_key(room, part) for part in PARTS), *SHARED]
                    pipe.eval(APPEND, len(keys), *keys, *arguments)
                answers: list[Any] = (await pipe.execute(raise_on_error=False))[1:]
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        told = {room: answer for (room, _), answer in zip(calls, answers, strict=True)}
        for room, (word, number) in told.items():
            if word == b"taken":
                raise StoreFailed(
                    f"Entry {int(number)} of room {room!r} is there with other content; "
                    "see that only one server writes into the room."
                )
        if fenced := frozenset(room for room, (word, _) in told.items() if word == b"fenced"):
            names = ", ".join(sorted(fenced))
            raise Fenced(f"Another server has taken over {names}; this one is too late.", fenced)
        for tickets in (self._outbox, self._unread):
            if tickets:
                tickets.tell()

    def _arguments(self, room: str, entries: Sequence[Entry]) -> list[str | bytes]:
        arguments: list[str | bytes] = [str(self._fence(room))]
        for entry in entries:
            body = entry.body
            frame = str(body.first_frame) if isinstance(body, Segment) else ""
            arguments += [str(entry.number), str(entry.at_ms), kind_of(body)]
            arguments += [_spoken(body.session), frame, encode(body)]
            line = body.of if isinstance(body, Edit) else entry.number
            for tickets, about in ((self._outbox, entry.number), (self._unread, line)):
                is_given = tickets and isinstance(body, Segment | Edit)
                arguments.append(line_key(room, about) if is_given else "")
        return arguments

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """One look into the stream."""
        if limit <= 0:
            return []
        with broker_errors():
            rows = await self._client.xrange(
                room_key(room, "log"), min=f"{after + 1}-0", count=limit
            )
        return _entries(room, rows)

    async def at(self, places: Sequence[tuple[str, int]]) -> list[Entry | None]:
        """Return the entries of rooms with these numbers, None where there is none, in one round.

        Raises:
            StoreFailed: the log cannot be read now.
        """
        with broker_errors():
            async with self._client.pipeline(transaction=False) as pipe:
                for room, number in places:
                    pipe.xrange(room_key(room, "log"), f"{number}-0", f"{number}-0")
                found = await pipe.execute()
        rows = zip(places, found, strict=True)
        return [next(iter(_entries(room, row)), None) for (room, _), row in rows]

    async def newer(self, cursors: Mapping[str, int], wait_s: float) -> dict[str, list[Entry]]:
        """Return what is newer than each room's number, as soon as there is any, or {}.

        Args:
            cursors: for each room the number that is known.
            wait_s: how long the broker may wait for something; less than a call's limit.

        Raises:
            StoreFailed: the log cannot be read now.
        """
        keys = {room_key(room, "log").encode(): room for room in cursors}
        wanted = {room_key(room, "log"): f"{after}-0" for room, after in cursors.items()}
        with broker_errors():
            found: Any = await self._client.xread(
                wanted,  # type: ignore[arg-type] # its dict does not take a dict of str
                count=PAGE,
                block=int(wait_s * 1000),
            )
        return {keys[key]: _entries(keys[key], rows) for key, rows in found or ()}

    async def edits(self, room: str) -> list[Entry]:
        """The edits have a stream of their own."""
        with broker_errors():
            rows = await self._client.xrange(room_key(room, "edits"))
        return _entries(room, rows)

    async def last_number(self, room: str) -> int:
        """Look at the stream's end, which counts what was taken out too."""
        with broker_errors():
            answer: Any = self._client.eval(
                f"{LAST} return last_of(KEYS[1])", 1, room_key(room, "log")
            )
            return int(await answer)

    async def past(self, room: str, session: str) -> SessionPast:
        """Read the session's newest segment, and all changes of the room: a few a talk."""
        segments, end_frame, is_open = 0, 0, False
        with broker_errors():
            newest: Any = await self._client.hget(room_key(room, "ends"), _spoken(session))
            changes = await self._client.xrange(room_key(room, "changes"))
        if newest:
            number = int(newest.split()[1])
            for entry in await self.read(room, number - 1, 1):
                if isinstance(entry.body, Segment):
                    segments, end_frame = entry.body.number, entry.body.end_frame
        own = [entry for entry in _entries(room, changes) if entry.body.session == session]
        for entry in own:
            body = entry.body
            if isinstance(body, StateChange) and body.change in BEGIN_AND_END:
                is_open = body.change == "session_started"
        switches = tuple(switch for entry in own if (switch := switch_in(entry)))
        return SessionPast(segments, end_frame, is_open, switches)

    async def newest_switch(self, room: str) -> Entry | None:
        """Walk the room's changes, the newest first."""
        until = "+"
        while True:
            with broker_errors():
                rows = await self._client.xrevrange(
                    room_key(room, "changes"), max=until, count=PAGE
                )
            found = _entries(room, rows)
            for entry in found:
                if is_switch(entry):
                    return entry
            if len(found) < PAGE:
                return None
            until = f"({found[-1].number}-0"

    async def forget(self, before_ms: int, spare: Collection[str] = ()) -> Forgotten:
        """Reads every room; then has the broker write its file anew, without what is gone."""
        talks: set[tuple[str, str]] = set()
        lines = 0
        for summary in await self.rooms():
            doomed = await self._doomed(summary.room, before_ms, spare)
            talks |= {(entry.room, entry.body.session) for entry in doomed if entry.body.session}
            lines += len(doomed)
            if doomed:
                await self._delete(summary.room, doomed)
        if lines:
            await self._write_file_anew()
        return Forgotten(frozenset(talks), lines)

    async def _write_file_anew(self) -> None:
        for _ in range(REWRITE_TRIES):
            try:
                with broker_errors():
                    await self._client.bgrewriteaof()
            except StoreFailed as error:
                why = error.message
            else:
                return
            # One that is under way began before, and may hold what is gone.
            await asyncio.sleep(REWRITE_PAUSE_S)
        raise StoreFailed(f"The talks are gone, but traces are in the broker's file: {why}")

    async def _doomed(self, room: str, before_ms: int, spare: Collection[str]) -> list[Entry]:
        entries: list[Entry] = []
        while page := await self.read(room, entries[-1].number if entries else 0):
            entries += page
        newest: dict[str, int] = {}
        for entry in entries:
            newest[entry.body.session] = max(entry.at_ms, newest.get(entry.body.session, 0))
        switch = await self.newest_switch(room)
        spare = {*spare, *await self._running(room, entries)}
        # What belongs to no talk goes by its own age.
        return [
            entry
            for entry in entries
            if (newest[entry.body.session] if entry.body.session else entry.at_ms) < before_ms
            and entry.body.session not in spare
            and entry != switch
        ]

    async def _running(self, room: str, entries: Sequence[Entry]) -> set[str]:
        """Return the talks that go on in a room, on whichever node."""
        with broker_errors():
            is_held: Any = await self._client.exists(room_key(room, "lease"))
        running: set[str] = set()
        for entry in entries if is_held else ():
            body = entry.body
            if isinstance(body, StateChange) and body.change == "session_started":
                running.add(body.session)
            elif isinstance(body, StateChange) and body.change == "session_ended":
                running.discard(body.session)
        return running

    async def _delete(self, room: str, doomed: Sequence[Entry]) -> None:
        ids = [f"{entry.number}-0" for entry in doomed]
        sessions = [_spoken(entry.body.session) for entry in doomed]
        said = [
            _spoken(entry.body.session) + f" {entry.body.first_frame}".encode()
            for entry in doomed
            if isinstance(entry.body, Segment)
        ]
        with broker_errors():
            async with self._client.pipeline(transaction=True) as pipe:
                for part in "log", "changes", "edits":
                    pipe.xdel(room_key(room, part), *ids)
                pipe.hdel(room_key(room, "ends"), *sessions)
                if said:
                    pipe.hdel(room_key(room, "said"), *said)
                pipe.incr(room_key(room, PRUNED))
                lines = [line_key(room, entry.number) for entry in doomed]
                pipe.zrem(OUTBOX, *lines)
                pipe.zrem(UNREAD, *lines)
                for entry in doomed:
                    pipe.zremrangebyscore(room_key(room, MOODS), entry.number, entry.number)
                pipe.hdel(REFUSED, *lines)
                await pipe.execute()

    async def rooms(self) -> list[RoomSummary]:
        """Ask for each room's length, beginning and end in one round."""
        with broker_errors():
            members: Any = await self._client.smembers(ROOMS)
            names = sorted(name.decode() for name in members)
            async with self._client.pipeline(transaction=False) as pipe:
                for name in names:
                    key = room_key(name, "log")
                    pipe.xlen(key)
                    pipe.xrange(key, count=1)
                    pipe.xrevrange(key, count=1)
                answers = await pipe.execute()
        found = zip(names, answers[::3], answers[1::3], answers[2::3], strict=True)
        return [
            RoomSummary(name, length, int(first[0][1][b"at"]), int(last[0][1][b"at"]))
            for name, length, first, last in found
            if length
        ]


def _room(entry: Entry) -> str:
    return entry.room


def _by_room(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with each room's together; a room's stay in order."""
    return sorted(entries, key=_room)


def _spoken(session: str) -> bytes:
    return session.encode("utf-8", "surrogatepass")


def number_of(key: bytes) -> int:
    """Return the entry's number that is its id in the stream."""
    return int(key.partition(b"-")[0])


def _entries(room: str, rows: Rows) -> list[Entry]:
    return [
        entry_of(
            room, number_of(key), int(row[b"at"]), row[b"kind"].decode(), row[b"body"].decode()
        )
        for key, row in rows or ()
    ]
