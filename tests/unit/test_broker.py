"""What the connection to the broker promises whoever uses it."""

import asyncio

from parola.broker import broker_errors, open_broker
from tests.broker import Broker


async def test_a_task_that_is_cancelled_ends(redis_server: Broker) -> None:
    """Whatever the client is doing at that moment: a node that is stopped does not hang."""
    async with open_broker(redis_server.url) as client:

        async def ask() -> None:
            with broker_errors():
                await client.get("parola:test")

        await ask()
        for turns in range(30):
            asking = asyncio.create_task(ask())
            for _ in range(turns):
                await asyncio.sleep(0)
            was_running = asking.cancel()
            await asyncio.wait([asking])
            assert asking.cancelled() == was_running
