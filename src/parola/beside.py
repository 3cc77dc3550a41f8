"""Runs one thing beside another, so that the first error of either is raised as itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` while the body runs; it is cancelled when the body ends.

    When `work` raises, the body is cancelled and the error is raised here, not a group of one.
    """
    async with tasks_beside() as tasks:
        tasks.create_task(work)
        yield


class _Ended(Exception):  # noqa: N818 - a state, not a failure
    """The body is over, so the tasks are."""


def _first(errors: Sequence[BaseException]) -> BaseException:
    """Return the first failure: it tells the story, and what came after died of it."""
    return errors[0]


@asynccontextmanager
async def tasks_beside(
    telling: Callable[[Sequence[BaseException]], BaseException] = _first,
) -> AsyncIterator[asyncio.TaskGroup]:
    """Give the body a TaskGroup whose tasks are cancelled when the body ends.

    A body that wants a task to finish awaits it. An error of the body, or of a task, is raised as
    itself.

    Args:
        telling: of several errors, in the order they came, returns the one to raise.
    """
    ours = asyncio.current_task()
    before = ours.cancelling() if ours else 0
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
            # A TaskGroup waits for its tasks unless something is raised.
            raise _Ended
    except BaseExceptionGroup as group:
        if ours and ours.cancelling() > before:
            # CPython before 3.13 forgets a cancellation that comes together with a failure
            # (python/cpython#116720), and whoever wants us to end would wait for ever.
            raise asyncio.CancelledError from group.exceptions[0]
        rest = group.split(_Ended)[1]
        if rest is not None:
            raise telling(rest.exceptions) from None
