"""Connects to the broker that several nodes share: Redis or Valkey, with an append-only file."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import quote

from parola.domain.errors import NotFound, StoreFailed

if TYPE_CHECKING:
    from redis.asyncio import Redis

INSTALL = "The setting cluster needs more: pip install 'parola[cluster]'."


@asynccontextmanager
async def open_broker(url: str, answer_s: float = 2.0) -> "AsyncIterator[Redis]":
    """Open a client; it connects when it is first used, and again whenever it has to.

    Args:
        url: such as "redis://:password@host:6379/0", or "rediss://…" for TLS.
        answer_s: how long a call may take.

    Raises:
        NotFound: the library is not installed, or the address is none of a broker's.
    """
    if not find_spec("redis"):
        raise NotFound(INSTALL)
    from redis.asyncio import Redis  # noqa: PLC0415 - an extra
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.exceptions import ConnectionError as Lost  # noqa: PLC0415

    try:
        client = Redis.from_url(
            url,
            protocol=2,
            socket_timeout=answer_s,
            socket_connect_timeout=answer_s,
            # Once more at once: after a restart of the broker each kept connection is dead.
            retry=Retry(NoBackoff(), 1, supported_errors=(Lost,)),
        )
    except ValueError as error:
        raise NotFound(f"The broker's address cannot be used: {error}") from error
    try:
        yield client
    finally:
        await client.aclose()


@contextmanager
def broker_errors() -> Iterator[None]:
    """Say what the broker does wrong as a failure of the store.

    Raises:
        StoreFailed: it cannot be reached, did not answer in time, or refused.
    """
    from redis.exceptions import RedisError  # noqa: PLC0415 - an extra

    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    # uvloop says RuntimeError where a connection has just been closed under the library.
    except (RedisError, OSError, RuntimeError) as error:
        why = str(error) or type(error).__name__
        raise StoreFailed(f"The broker does not do it ({why}); look at it and its disk.") from error
    finally:
        # The library sends by `wait_for`, which before Python 3.12 swallows a cancellation that
        # comes just as it is done (python/cpython#86296): who loops for ever would do so.
        if task and task.cancelling() > before:
            raise asyncio.CancelledError


def room_key(room: str, what: str) -> str:
    """Return a key of a room; what is in braces keeps all of a room's keys in one place."""
    return f"parola:{{{quote(room, safe='')}}}:{what}"
