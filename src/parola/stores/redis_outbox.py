"""Remembers on a broker which finals still have to be sent on, whichever node said them."""

from collections.abc import Sequence

from parola.broker import broker_errors
from parola.domain.corrections import Standing
from parola.domain.log import Edit, Entry
from parola.ports import Outgoing, Refusal, Unsent
from parola.stores.redis_tickets import REFUSED, Ticket, Ticketed, rooms_lines

SETTLE = """
for at = 1, #ARGV, 2 do
    local line = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[at], ARGV[at])[1]
    if line then
        redis.call('ZREM', KEYS[1], line)
        if ARGV[at + 1] ~= '' then redis.call('HSET', KEYS[2], line, ARGV[at + 1]) end
    end
end
"""


class RedisOutbox(Ticketed):
    """An outbox for all nodes, of tickets that point into their rooms' logs."""

    async def waiting(self, limit: int) -> list[Outgoing]:
        """A line that was taken out of the log since is not sent: the log has the last word."""
        while tickets := await self._tickets.take(limit, "oldest"):
            found = await self._found(tickets)
            if found:
                return found
            # What leads nowhere would hold up all the others.
            await self.settle([ticket.id for ticket in tickets], [])
        return []

    async def _found(self, tickets: Sequence[Ticket]) -> list[Outgoing]:
        put = await self._log.at(rooms_lines(tickets))
        said = await self._log.at(
            [
                (ticket.room, _said(ticket, entry))
                for ticket, entry in zip(tickets, put, strict=True)
            ]
        )
        edits = await self._edits(tickets)
        lines = zip(tickets, put, said, strict=True)
        return [
            Outgoing(ticket.id, line, _edited(edits[ticket.room].standing(line.number), line))
            for ticket, entry, line in lines
            if entry and line
        ]

    async def settle(self, sent: Sequence[int], refused: Sequence[Refusal]) -> None:
        """One transaction."""
        arguments = [word for ticket in sent for word in (str(ticket), "")]
        for refusal in refused:
            arguments += [str(refusal.ticket), refusal.reason or "refused"]
        with broker_errors():
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.eval(SETTLE, 2, self._tickets.key, REFUSED, *arguments)
                self._tickets.leave(pipe)
                await pipe.execute()

    async def unsent(self) -> Unsent:
        """Of all nodes together: each of them says the same."""
        with broker_errors():
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.zcard(self._tickets.key)
                pipe.zrange(self._tickets.key, 0, 0, withscores=True)
                pipe.hlen(REFUSED)
                lines, first, refused = await pipe.execute()
        oldest = await self._log.at(rooms_lines([Ticket.of(*row) for row in first]))
        return Unsent(lines, oldest[0].at_ms if oldest and oldest[0] else None, refused)


def _said(ticket: Ticket, entry: Entry | None) -> int:
    """Return the number of the final that a ticket is about, which may name an edit of it."""
    return entry.body.of if entry and isinstance(entry.body, Edit) else ticket.line


def _edited(standing: Standing, line: Entry) -> Standing | None:
    return standing if standing.version != line.number else None
