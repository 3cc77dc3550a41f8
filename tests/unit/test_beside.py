"""Tasks beside a body: one error comes out as itself, and nobody's cancellation is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from parola.beside import beside, tasks_beside

pytestmark = pytest.mark.timeout(20)


class Broken(Exception):  # noqa: N818 - a state of the test
    """What goes wrong in a task."""


Beside = Callable[[asyncio.Event], AbstractAsyncContextManager[None]]
"""Runs, beside its body, a task that breaks when the event is set."""


async def breaks(when: asyncio.Event) -> None:
    await when.wait()
    raise Broken


def by_beside(when: asyncio.Event) -> AbstractAsyncContextManager[None]:
    return beside(breaks(when))


@asynccontextmanager
async def by_tasks_beside(when: asyncio.Event) -> AsyncIterator[None]:
    async with tasks_beside() as tasks:
        tasks.create_task(breaks(when))
        yield


ways = pytest.mark.parametrize("way", [by_beside, by_tasks_beside])


@ways
async def test_an_error_comes_out_as_itself(way: Beside) -> None:
    """What breaks beside a body ends the body, and is no group."""
    when = asyncio.Event()
    when.set()
    with pytest.raises(Broken):
        async with way(when):
            await asyncio.Event().wait()


@ways
async def test_a_cancellation_is_kept_when_something_breaks_with_it(way: Beside) -> None:
    """Who is told to end just as something breaks beside it ends, and does not go on."""
    when, inside, went_on = asyncio.Event(), asyncio.Event(), False

    async def body() -> None:
        nonlocal went_on
        try:
            async with way(when):
                inside.set()
                await asyncio.Event().wait()
        except Broken:
            went_on = True

    task = asyncio.create_task(body())
    await inside.wait()
    # Both in one turn of the loop: the task breaks before the body has seen its cancellation.
    when.set()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not went_on


async def test_the_error_that_tells_most_is_raised() -> None:
    """Of a task's error and the body's the one is raised that the caller chose."""

    async def fails() -> None:
        raise Broken

    async def body() -> None:
        async with tasks_beside(lambda errors: errors[-1]) as tasks:
            tasks.create_task(fails())
            try:
                await asyncio.Event().wait()
            finally:
                raise KeyError

    with pytest.raises(KeyError):
        await body()


async def test_a_cancellation_is_kept_while_the_tasks_are_put_away() -> None:
    """Who is cancelled when the body is over, and its tasks not yet, ends too."""
    tidying = asyncio.Event()

    async def tidies() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            tidying.set()
            await asyncio.sleep(0)

    async def body() -> None:
        async with tasks_beside() as tasks:
            tasks.create_task(tidies())
            await asyncio.sleep(0)

    task = asyncio.create_task(body())
    await tidying.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_at_the_end_is_no_cancellation() -> None:
    """What breaks while it is put away is told as such: nobody was cancelled."""

    async def breaks_late() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            raise Broken

    with pytest.raises(Broken):
        async with beside(breaks_late()):
            await asyncio.sleep(0)


@ways
async def test_who_was_cancelled_before_still_hears_of_errors(way: Beside) -> None:
    """An error while a cancelled task tidies up is that error, not the old cancellation."""
    told: list[type[BaseException]] = []
    waiting = asyncio.Event()

    async def body() -> None:
        try:
            waiting.set()
            await asyncio.Event().wait()
        finally:
            when = asyncio.Event()
            when.set()
            try:
                async with way(when):
                    await asyncio.Event().wait()
            except Broken as error:
                told.append(type(error))

    task = asyncio.create_task(body())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == [Broken]
