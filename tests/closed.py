"""A server that needs tokens, and tokens for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from parola.domain.access import Role, Token, new_token
from parola.domain.vocabulary import RoomName
from parola.server import tokens
from parola.stores.sqlite_access import open_sqlite_access
from tests.servers import RunningServer, serving

PROXY = ("--no-open", "--trusted-proxy", "127.0.0.1")
"""With them a test can come from whatever address it says in X-Forwarded-For."""


@dataclass(slots=True)
class Closed:
    """A server that lets nobody in without a token."""

    server: RunningServer

    async def token(self, *roles: Role, room: str | None = None, life_s: int = 600) -> str:
        """Return a token; one with a negative life is past its time."""
        return (await self.both(*roles, room=room, life_s=life_s))[1]

    async def both(
        self, *roles: Role, room: str | None = None, life_s: int = 600
    ) -> tuple[Token, str]:
        """Return a token, and as people carry it."""
        now_s = int(time.time()) + min(life_s, 0) * 2
        name = None if room is None else RoomName(room)
        token = new_token(uuid4().hex[:12], "Anna", roles, name, now_s, abs(life_s))
        async with open_sqlite_access(self.server.data) as book:
            await book.add_token(token)
            return token, tokens.sign(token, (await book.keys())[0])

    async def revoke(self, token: Token) -> None:
        """Take a token back."""
        async with open_sqlite_access(self.server.data) as book:
            assert await book.revoke(token.id)

    async def headers(self, *roles: Role, room: str | None = None) -> dict[str, str]:
        """Return headers with a token."""
        return {"authorization": f"Bearer {await self.token(*roles, room=room)}"}


@contextmanager
def closed(folder: Path, *options: str) -> Iterator[Closed]:
    """Start a server that needs tokens; it is ended with the context."""
    with serving(folder / "data", "--engine", "scripted", "--no-gate", *PROXY, *options) as server:
        yield Closed(server)
