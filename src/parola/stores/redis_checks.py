"""Looks whether a broker keeps what it says it has kept."""

from typing import TYPE_CHECKING, Any

from parola.broker import broker_errors
from parola.domain.errors import StoreFailed

if TYPE_CHECKING:
    from redis.asyncio import Redis

WANTED = {"appendonly": "yes", "appendfsync": "always"}

NEVER_EVICTS = "noeviction"


async def broker_troubles(client: "Redis") -> list[str]:
    """Return a sentence for each way in which the broker may lose what it has acknowledged.

    Raises:
        StoreFailed: it cannot be reached.
    """
    with broker_errors():
        await client.exists("parola:rooms")
    try:
        with broker_errors():
            found: Any = await client.config_get(*WANTED, "maxmemory", "maxmemory-policy")
    except StoreFailed as error:
        sentence = (
            f"The broker does not tell how it keeps things ({error.message}); see in its settings"
            " that it writes each command to disk before it answers."
        )
        return [sentence]
    troubles = [
        f"The broker has {name} {found.get(name, 'unknown')!r}: finals that viewers have seen may"
        f" be lost with it. Set `{name} {value}`."
        for name, value in WANTED.items()
        if found.get(name) != value
    ]
    policy = found.get("maxmemory-policy", NEVER_EVICTS)
    if found.get("maxmemory", "0") != "0" and policy != NEVER_EVICTS:
        troubles.append(
            f"The broker throws away what is old when its memory is full ({policy}); set"
            f" `maxmemory-policy {NEVER_EVICTS}`."
        )
    return troubles
