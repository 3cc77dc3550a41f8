"""Wakes whoever waits for something new in a store; what it is they look up themselves."""

import asyncio


class News:
    """What a store tells that it has taken something; what was there before it is news too."""

    def __init__(self) -> None:
        self._is_there = asyncio.Event()
        self._is_there.set()

    def tell(self) -> None:
        """Wake whoever waits, or does so next."""
        self._is_there.set()

    async def news(self) -> None:
        """Wait until something may have come since the last call."""
        await self._is_there.wait()
        self._is_there.clear()
