"""Runs one thing beside another, so that the first error of either is raised as itself."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` while the body runs; it is cancelled when the body ends.

    When `work` raises, the body is cancelled and the error is raised here, not a group of one.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work)
            yield
            task.cancel()
    except BaseExceptionGroup as group:
        ours = asyncio.current_task()
        if ours is not None and ours.cancelling():
            # CPython before 3.13 forgets a cancellation that comes together with a failure
            # (python/cpython#116720), and whoever wants us to end would wait for ever.
            raise asyncio.CancelledError from group.exceptions[0]
        # The first failure tells the story; what came after died of it.
        raise group.exceptions[0] from None


class _Ended(Exception):  # noqa: N818 - a state, not a failure
    """The body is over, so the tasks are."""


@asynccontextmanager
async def tasks_beside() -> AsyncIterator[asyncio.TaskGroup]:
    """Give the body a TaskGroup whose tasks are cancelled when the body ends.

    An error of the body, or of a task, is raised as itself.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
            # A TaskGroup waits for its tasks unless something is raised.
            raise _Ended
    except BaseExceptionGroup as group:
        rest = group.split(_Ended)[1]
        if rest is not None:
            raise rest.exceptions[0] from None
