"""Carries a room's events within one process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parola.ports import RoomEvent

QUEUE_LIMIT = 1000
"""Events a subscriber may be behind. When its queue is full, publishing waits for it."""


class LocalBus:
    """A queue per subscriber; there is one subscriber per room and process, not per viewer."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[RoomEvent]]] = {}

    async def publish(self, room: str, event: RoomEvent) -> None:
        for queue in tuple(self._queues.get(room, ())):
            await queue.put(event)

    @asynccontextmanager
    async def subscribe(self, room: str) -> AsyncIterator[AsyncIterator[RoomEvent]]:
        queue: asyncio.Queue[RoomEvent] = asyncio.Queue(QUEUE_LIMIT)
        queues = self._queues.setdefault(room, set())
        queues.add(queue)
        try:
            yield _drain(queue)
        finally:
            queues.discard(queue)
            # A publisher may be waiting for a place in a queue that nobody reads any more.
            while not queue.empty():
                queue.get_nowait()
            if not queues:
                self._queues.pop(room, None)


async def _drain(queue: asyncio.Queue[RoomEvent]) -> AsyncIterator[RoomEvent]:
    while True:
        yield await queue.get()
