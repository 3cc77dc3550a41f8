"""What every access book promises, checked on each of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from parola.broker import open_broker
from parola.domain.access import AuditEntry, new_token
from parola.domain.errors import TokenNeeded
from parola.domain.vocabulary import room_name
from parola.ports import AccessBook
from parola.server import tokens
from parola.server.access import Access
from parola.stores.memory import MemoryAccessBook
from parola.stores.redis_books import RedisAccessBook
from parola.stores.sqlite_access import KEEP_EXPIRED_S, open_sqlite_access
from tests.broker import Broker

NOW_S = 1_800_000_000


@asynccontextmanager
async def _memory() -> AsyncIterator[AccessBook]:
    yield MemoryAccessBook()


@asynccontextmanager
async def _sqlite() -> AsyncIterator[AccessBook]:
    with TemporaryDirectory() as folder:
        async with open_sqlite_access(Path(folder), lambda: NOW_S) as book:
            yield book


@asynccontextmanager
async def _redis(broker: Broker) -> AsyncIterator[AccessBook]:
    async with open_broker(broker.url) as client:
        await client.flushall()
        yield RedisAccessBook(client, lambda: NOW_S)


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def book(request: pytest.FixtureRequest) -> AsyncIterator[AccessBook]:
    """Each access book there is, empty."""
    if request.param == "redis":
        opened = _redis(request.getfixturevalue("redis_server"))
    else:
        opened = _memory() if request.param == "memory" else _sqlite()
    async with opened as book:
        yield book


READER = new_token("b" * 12, 'Ada, "left"', {"read"}, room_name("Sala à"), NOW_S, 600)
OPERATOR = new_token("a" * 12, "Grace", {"operate", "speak"}, None, NOW_S, 600)


async def test_the_newest_key_signs_and_old_ones_go(book: AccessBook) -> None:
    """Keys come newest first; only as many stay as are to be believed."""
    assert await book.keys() == []
    for key in (b"one", b"two", b"three"):
        await book.add_key(key)
    assert await book.keys() == [b"three", b"two"]
    await book.add_key(b"four", keep=1)
    assert await book.keys() == [b"four"]


async def test_tokens_are_listed_oldest_first_until_they_are_revoked(book: AccessBook) -> None:
    """What was given out comes back as it was; revoked, it stays in the list, and is so again."""
    older = replace(OPERATOR, id="z" * 12, issued_at_s=NOW_S - 5)
    for token in (READER, OPERATOR, older):
        await book.add_token(token)
    assert await book.tokens() == [(older, False), (OPERATOR, False), (READER, False)]
    assert await book.revoke(READER.id)
    assert not await book.revoke("nobody's")
    assert await book.tokens() == [(older, False), (OPERATOR, False), (READER, True)]
    assert await book.revoke(READER.id)


async def test_the_audit_log_has_the_newest_first(book: AccessBook) -> None:
    """As many entries as are asked for, whatever is in them."""
    entries = [AuditEntry(n, "Ada\n", "a" * 12, "203.0.113.7", f"PUT /{n}", 200) for n in range(5)]
    for entry in entries:
        await book.note(entry)
    assert await book.audit(3) == entries[:1:-1]
    assert await book.audit(0) == []
    assert await book.audit(100) == entries[::-1]


async def test_what_is_long_over_is_forgotten_in_the_durable_book() -> None:
    """A month after its time a token leaves the list with the next one that is given."""
    async with _sqlite() as book:
        over_s = NOW_S - KEEP_EXPIRED_S
        gone = replace(READER, issued_at_s=over_s - 600, expires_at_s=over_s - 1)
        listed = replace(OPERATOR, issued_at_s=over_s - 600, expires_at_s=over_s)
        await book.add_token(gone)
        await book.add_token(listed)
        assert [token for token, _ in await book.tokens()] == [listed]


async def test_a_token_of_one_node_is_good_on_the_others_until_it_is_revoked(
    redis_server: Broker,
) -> None:
    """Nodes that start at once have one key; what one revokes the others refuse a second later."""
    async with _redis(redis_server), open_broker(redis_server.url) as client:
        books = [RedisAccessBook(client, lambda: NOW_S) for _ in range(3)]
        nodes = [Access("tokens", book, lambda: NOW_S) for book in books]
        await asyncio.gather(*(book.begin(tokens.new_key()) for book in books))
        (key,) = await books[0].keys()
        await books[1].add_token(READER)
        for node in nodes:
            await node.refresh()
            assert node.read(tokens.sign(READER, key)) == READER
        await books[2].revoke(READER.id)
        await nodes[0].refresh()
        with pytest.raises(TokenNeeded, match="revoked"):
            nodes[0].read(tokens.sign(READER, key))
