"""What is said of a broker that may lose what it has acknowledged."""

from pathlib import Path

import pytest

from parola.broker import open_broker
from parola.cli.checks import check_broker
from parola.domain.errors import NotFound, StoreFailed
from parola.stores.redis_checks import broker_troubles
from tests.broker import Broker, running_broker


async def test_a_durable_broker_is_fine(redis_server: Broker) -> None:
    """As docs/howto/several-nodes.md sets it."""
    async with open_broker(redis_server.url) as client:
        assert await broker_troubles(client) == []


async def test_each_way_to_lose_something_is_named(tmp_path: Path) -> None:
    """No append-only file, one that is synced later, and memory that is thrown away."""
    options = ["--appendonly", "no", "--appendfsync", "everysec"]
    options += ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]
    with running_broker(tmp_path, options=tuple(options)) as broker:
        async with open_broker(broker.url) as client:
            told = await broker_troubles(client)
    remedies = ("appendonly yes", "appendfsync always", "noeviction")
    assert [remedy in sentence for remedy, sentence in zip(remedies, told, strict=True)] == 3 * [
        True
    ]
    with pytest.raises(StoreFailed):
        async with open_broker(broker.url) as client:
            await broker_troubles(client)


async def test_an_address_of_something_else_is_refused() -> None:
    """Before anything is asked."""
    with pytest.raises(NotFound, match="address"):
        async with open_broker("http://127.0.0.1:1"):
            pass


def test_the_doctor_looks_at_a_broker_that_is_set(
    monkeypatch: pytest.MonkeyPatch, redis_server: Broker
) -> None:
    """Only then; a broker that is not there is a failure."""
    monkeypatch.delenv("PAROLA_CLUSTER", raising=False)
    assert list(check_broker()) == []
    monkeypatch.setenv("PAROLA_CLUSTER", redis_server.url)
    assert [finding.verdict for finding in check_broker()] == ["ok"]
    monkeypatch.setenv("PAROLA_CLUSTER", "redis://127.0.0.1:1/0")
    assert [finding.verdict for finding in check_broker()] == ["fail"]
