"""Opens what is kept and shared: in a data folder for a node that is alone, else on a broker."""

import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from parola.beside import beside
from parola.broker import open_broker
from parola.buses.local import LocalBus
from parola.buses.redis import RedisBus
from parola.ports import AccessBook, Bus, Forgets, Leases, Log, MoodBook, Outbox, RoomBook
from parola.server import tokens
from parola.stores.redis_archive import LetGo, RedisArchive
from parola.stores.redis_backup import refuse_if_restoring
from parola.stores.redis_books import RedisAccessBook, RedisRoomBook
from parola.stores.redis_checks import broker_troubles
from parola.stores.redis_leases import open_redis_leases
from parola.stores.redis_moods import RedisMoods
from parola.stores.redis_outbox import RedisOutbox
from parola.stores.redis_tickets import OUTBOX, UNREAD, RedisTickets
from parola.stores.sqlite import open_sqlite
from parola.stores.sqlite_access import open_sqlite_access
from parola.stores.sqlite_hold import held
from parola.stores.sqlite_mirror import open_mirror

logger = logging.getLogger(__name__)

LONGEST_ANSWER_S = 2.0
"""How long a call waits for the broker: a disk that syncs each write may be slow."""


class StoreSettings(Protocol):
    """The settings that say where things are."""

    data: Path
    cluster: str | None
    node: str | None
    cluster_lease_s: float
    pipeline_queue: str | None
    sentiment: Literal["local", "comprehend", "off"]
    wait_for_data_s: float


class Pruned(Log, Forgets, Protocol):
    """A log that old talks can be taken out of."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a node keeps things, and how it hears of the others."""

    log: Pruned
    book: RoomBook
    access: AccessBook
    bus: Bus
    outbox: Outbox | None = None
    moods: MoodBook | None = None
    leases: Leases | None = None
    follow: Callable[[LetGo], Coroutine[Any, Any, None]] | None = None
    """Hears, for ever, what other nodes take out of the log."""


@asynccontextmanager
async def open_stores(settings: StoreSettings) -> AsyncIterator[Stores]:
    """Open log, books and bus; with a broker, give back at the end what the node holds there.

    Raises:
        StoreFailed: they cannot be opened or reached; the message says why.
        NotFound: the broker's address or library is wrong.
    """
    async with AsyncExitStack() as stack:
        if settings.cluster is None:
            ships, reads = settings.pipeline_queue is not None, settings.sentiment != "off"
            wait_s = settings.wait_for_data_s
            kept = await stack.enter_async_context(
                open_sqlite(settings.data, ships=ships, reads=reads, wait_s=wait_s)
            )
            access = await stack.enter_async_context(open_sqlite_access(settings.data))
            yield Stores(kept.log, kept.book, access, LocalBus(), kept.outbox, kept.moods)
        else:
            # Uploads, recordings and jobs are each node's own.
            await stack.enter_async_context(held(settings.data, settings.wait_for_data_s))
            yield await _shared(settings.cluster, settings, stack)


async def _shared(url: str, settings: StoreSettings, stack: AsyncExitStack) -> Stores:
    answer_s = min(LONGEST_ANSWER_S, settings.cluster_lease_s / 8)
    client = await stack.enter_async_context(open_broker(url, LONGEST_ANSWER_S))
    await refuse_if_restoring(client)
    for trouble in await broker_troubles(client):
        logger.warning("%s", trouble)
    # Of its own: a lease must not wait for a slow append.
    lessor = await stack.enter_async_context(open_broker(url, answer_s))
    node = settings.node or socket.gethostname()
    leases = await stack.enter_async_context(
        open_redis_leases(lessor, node, settings.cluster_lease_s)
    )
    mirror = await stack.enter_async_context(open_mirror(settings.data))
    hold_s = settings.cluster_lease_s
    ships = RedisTickets(client, OUTBOX, hold_s) if settings.pipeline_queue else None
    reads = RedisTickets(client, UNREAD, hold_s) if settings.sentiment != "off" else None
    log = RedisArchive(client, mirror, leases.fence, ships, reads)
    outbox = RedisOutbox(client, ships, log) if ships else None
    moods = RedisMoods(client, reads, log) if reads else None
    bus = RedisBus(client, log, leases)
    await stack.enter_async_context(beside(bus.run()))
    access = RedisAccessBook(client)
    await access.begin(tokens.new_key())
    return Stores(log, RedisRoomBook(client), access, bus, outbox, moods, leases, follow=log.run)


@asynccontextmanager
async def open_access_book(settings: StoreSettings) -> AsyncIterator[AccessBook]:
    """Open only the keys and tokens, beside servers that run.

    Raises:
        StoreFailed, NotFound: see `open_stores`.
    """
    if settings.cluster is None:
        async with open_sqlite_access(settings.data) as book:
            yield book
    else:
        async with open_broker(settings.cluster, LONGEST_ANSWER_S) as client:
            yield RedisAccessBook(client)
