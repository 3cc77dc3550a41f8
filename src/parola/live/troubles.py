"""Tells a session's source what becomes of its audio, where that is not what it expects."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from parola.live.session import Session
from parola.ports import RoomState


async def troubles(
    session: Session, every_s: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[RoomState]:
    """Yield "recovering" when the engine breaks off, and the state after it when that is over.

    Looks every `every_s`; never ends by itself.

    Raises:
        ParolaError: the session has failed, and its audio goes nowhere any more.
    """
    told = RoomState("waiting")
    while True:
        if session.failure:
            raise session.failure
        state = session.state
        if state != told and "recovering" in {state.state, told.state}:
            yield state
        told = state
        await sleep(every_s)
