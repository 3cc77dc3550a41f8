"""Keeps what all nodes share beside the logs on the broker: rooms' settings, keys and tokens."""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from parola.broker import broker_errors
from parola.domain.access import AuditEntry, Token, claims, token_of
from parola.domain.room_settings import RoomSettings
from parola.stores.sqlite_access import KEEP_EXPIRED_S, MAX_AUDIT
from parola.stores.sqlite_room_book import decoded, encode

if TYPE_CHECKING:
    from redis.asyncio import Redis

SETTINGS = "parola:settings"
KEYS = "parola:access:keys"
TOKENS = "parola:access:tokens"
REVOKED = "parola:access:revoked"
AUDIT = "parola:access:audit"


CHANGE = """
local now = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if now ~= ARGV[2] and now ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""
"""Sets a room's settings where they are what the asker has seen. What is there already counts as
done: after a break the client asks again, and cannot know that the first time was heard."""


class RedisRoomBook:
    """A room book in one hash."""

    def __init__(self, client: "Redis") -> None:
        self._client = client

    async def read(self, room: str) -> RoomSettings:
        """One look into the hash."""
        return decoded(room, await self._text(room))

    async def write(
        self, room: str, settings: RoomSettings, before: RoomSettings | None = None
    ) -> bool:
        """One field of the hash; of nodes that write what they made of the same, one does."""
        if before is None:
            with broker_errors():
                await self._client.hset(SETTINGS, room, encode(settings))
            return True
        # Compared as it lies there: older settings have fewer fields than they would be given now.
        text = await self._text(room)
        if decoded(room, text) != before:
            return False
        with broker_errors():
            answer: Any = self._client.eval(CHANGE, 1, SETTINGS, room, text or "", encode(settings))
            return bool(await answer)

    async def _text(self, room: str) -> str | None:
        with broker_errors():
            text: Any = await self._client.hget(SETTINGS, room)
        return None if text is None else text.decode()


class RedisAccessBook:
    """An access book for all nodes: whoever can read the broker can sign tokens."""

    def __init__(self, client: "Redis", now_s: Callable[[], float] = time.time) -> None:
        self._client = client
        self._now_s = now_s

    async def begin(self, key: bytes) -> None:
        """Add a first key where there is none; of nodes that begin at once, one does."""
        script = (
            "if redis.call('LLEN', KEYS[1]) == 0 then redis.call('LPUSH', KEYS[1], ARGV[1]) end"
        )
        with broker_errors():
            answer: Any = self._client.eval(script, 1, KEYS, key)
            await answer

    async def keys(self) -> list[bytes]:
        with broker_errors():
            found: Any = await self._client.lrange(KEYS, 0, -1)
        return list(found)

    async def add_key(self, key: bytes, keep: int = 2) -> None:
        with broker_errors():
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.lpush(KEYS, key)
                pipe.ltrim(KEYS, 0, keep - 1)
                await pipe.execute()

    async def add_token(self, token: Token) -> None:
        long_over = self._now_s() - KEEP_EXPIRED_S
        over = [old.id for old, _ in await self.tokens() if old.expires_at_s < long_over]
        with broker_errors():
            async with self._client.pipeline(transaction=True) as pipe:
                if over:
                    pipe.hdel(TOKENS, *over)
                    pipe.srem(REVOKED, *over)
                pipe.hset(TOKENS, token.id, json.dumps(claims(token)))
                await pipe.execute()

    async def tokens(self) -> list[tuple[Token, bool]]:
        with broker_errors():
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.hvals(TOKENS)
                pipe.smembers(REVOKED)
                texts, revoked = await pipe.execute()
        found = [token_of(json.loads(text)) for text in texts]
        ordered = sorted(found, key=lambda token: (token.issued_at_s, token.id))
        return [(token, token.id.encode() in revoked) for token in ordered]

    async def revoke(self, token_id: str) -> bool:
        with broker_errors():
            is_there: Any = await self._client.hexists(TOKENS, token_id)
            if is_there:
                await self._client.sadd(REVOKED, token_id)
        return bool(is_there)

    async def note(self, entry: AuditEntry) -> None:
        await self.note_all([entry])

    async def note_all(self, entries: Iterable[AuditEntry]) -> None:
        """Add several to the audit log, oldest first."""
        with broker_errors():
            async with self._client.pipeline(transaction=False) as pipe:
                for entry in entries:
                    pipe.xadd(
                        AUDIT,
                        {"entry": json.dumps(astuple(entry))},
                        maxlen=MAX_AUDIT,
                        approximate=True,
                    )
                await pipe.execute()

    async def audit(self, limit: int) -> list[AuditEntry]:
        if limit <= 0:
            return []
        with broker_errors():
            rows: Any = await self._client.xrevrange(AUDIT, count=limit)
        return [AuditEntry(*json.loads(row[b"entry"])) for _, row in rows]

    async def all_notes(self, page: int = 500) -> AsyncIterator[list[AuditEntry]]:
        """Yield the whole audit log in parts, oldest first."""
        after = "-"
        while True:
            with broker_errors():
                rows: Any = await self._client.xrange(AUDIT, min=after, count=page)
            if not rows:
                return
            yield [AuditEntry(*json.loads(row[b"entry"])) for _, row in rows]
            after = f"({rows[-1][0].decode()}"
