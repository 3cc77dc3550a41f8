"""An engine stream that is open before the one it follows has been told to end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from parola.beside import beside
from parola.domain.errors import EngineFailed, ParolaError
from parola.ports import EngineStream, StreamRequest

PATIENCE_S = 10.0
"""How long it may take to open; until then the sound waits."""


class Successor:
    """A stream in a task of its own, which opens and leaves it: engines' contexts hold tasks."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        opening: AbstractAsyncContextManager[EngineStream],
        request: StreamRequest,
    ) -> None:
        """Begin to open it; `request` is what it is asked for."""
        self.request = request
        self._opening = opening
        self._stream: EngineStream | None = None
        self._failure: ParolaError | None = None
        self._opened = asyncio.Event()
        self._task = tasks.create_task(self._hold())

    async def _hold(self) -> None:
        try:
            async with self._opening as self._stream:
                self._opened.set()
                await asyncio.get_running_loop().create_future()
        except ParolaError as error:
            self._failure = error
        finally:
            self._opened.set()

    async def opened(self) -> None:
        """Wait until it is open.

        Raises:
            ParolaError: it cannot be opened, or takes too long.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._opened.wait()
        except TimeoutError:
            raise EngineFailed(f"No stream could be opened in {PATIENCE_S:g} s.") from None
        if self._failure:
            raise self._failure

    async def leave(self) -> None:
        """End it at once, and free what it holds."""
        self._task.cancel()
        await asyncio.wait({self._task})

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[EngineStream]:
        """Use it as if it had been opened here; it is ended with the context.

        Raises:
            ParolaError: it breaks off, now or since it was opened.
        """
        assert self._stream is not None  # noqa: S101 - whoever takes it has seen it open
        try:
            async with beside(self._watch()):
                yield self._stream
        finally:
            await self.leave()

    async def _watch(self) -> None:
        await asyncio.wait({self._task})
        if self._failure:
            raise self._failure
