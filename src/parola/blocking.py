"""Runs blocking work in a thread, and never lets go of it half done."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread.

    When cancelled, it first waits until the work is done: nothing goes on behind the caller's
    back, such as writing to a file that is being removed, or decoding one that is being closed
    (which takes the whole process down: FFmpeg's objects are freed under the thread).
    """
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:
                continue
        future.exception()  # looked at, so that nobody warns of it: the cancellation goes first
        raise


BATCH = 5
"""Items taken per visit to a thread: half a second of sound in chunks, to spare the visits."""


async def batches(items: Iterator[T]) -> AsyncIterator[list[T]]:
    """Yield the items of an iterator that may block, `BATCH` at a time."""
    while batch := await in_thread(lambda: list(islice(items, BATCH))):
        yield batch
