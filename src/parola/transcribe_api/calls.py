"""Carries a call through the door and its stream, whatever transport it came by."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from starlette.types import Message, Send

from parola.beside import tasks_beside
from parola.transcribe_api.door import Call, Door
from parola.transcribe_api.passing import done
from parola.transcribe_api.stream import HungUp, Stream, StreamPlan, Wrecked
from parola.wire.sigv4 import Verified
from parola.wire.transcribe import InternalFailure, NotAllowed, StreamParameters, TranscribeError

logger = logging.getLogger(__name__)

AHEAD = 4
"""Frames read before they are wanted; then the client waits."""


class CallerGone(Exception):  # noqa: N818 - a state, not a failure
    """The client has left."""


def unless_gone(send: Send) -> Send:
    """Return a way to send that says so when the client has left."""

    async def checked(message: Message) -> None:
        try:
            await send(message)
        except (OSError, RuntimeError) as error:
            # ASGI's word for it is OSError; granian's is RuntimeError (its issue 922).
            raise CallerGone from error

    return checked


class Inbox:
    """What a client has sent, between the task that reads and the one that listens.

    It holds `AHEAD` pieces; when it is full `put` waits.
    """

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._closed = False
        self._changed = asyncio.Condition()

    async def put(self, data: bytes) -> None:
        """Add a piece."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._waiting) < AHEAD)
            self._waiting.append(data)
            self._changed.notify_all()

    async def close(self) -> None:
        """Say that no more comes."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what comes, until the end."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                data = self._waiting.popleft()
                self._changed.notify_all()
            yield data


class Caller(Protocol):
    """A client at one transport."""

    async def forbid(self, error: NotAllowed) -> None:
        """Refuse a client that is not who it says."""

    async def refuse(self, error: TranscribeError) -> None:
        """Refuse before the stream."""

    async def accept(self, session_id: str, asked: StreamParameters) -> None:
        """Begin the stream: the client hears of it before it has sent any audio."""

    async def read(self, inbox: Inbox) -> None:
        """Fill the inbox until the client has ended.

        Raises:
            CallerGone: it has left.
        """

    def audio(self, inbox: Inbox, verified: Verified | None) -> AsyncIterator[bytes]:
        """Yield the audio in what the client sends, until it ends the stream.

        Raises:
            TranscribeError: what it sends is no audio event, or not signed by it.
        """

    async def send(self, frame: bytes) -> None:
        """Send a frame.

        Raises (as `accept`, `fail` and `close` do too):
            CallerGone: it has left.
        """

    async def fail(self, error: TranscribeError) -> None:
        """End the stream with an exception."""

    async def close(self) -> None:
        """End the stream in order."""


async def answer(door: Door, call: Call, caller: Caller) -> None:
    """Carry one call from its first to its last byte."""
    number = door.next_number()
    note = door.setup.journal.note
    try:
        verified = door.verify(call)
    except NotAllowed as error:
        note("refused", number, transport=call.transport, error=error.name, why=error.message)
        with suppress(CallerGone):
            await caller.forbid(error)
        return
    try:
        stream = _stream(door, call, number)
        with door.enter(call, stream):
            note(
                "started",
                number,
                transport=call.transport,
                session=stream.session_id,
                language=stream.plan.language,
                engine=stream.plan.engine.name,
                **({"left_out": stream.plan.left_out} if stream.plan.left_out else {}),
            )
            how = await _converse(caller, stream, verified)
    except TranscribeError as error:
        note("refused", number, transport=call.transport, error=error.name, why=error.message)
        with suppress(CallerGone):
            await caller.refuse(error)
        return
    audio_s = round(stream.audio_s, 3)
    note("ended", number, how=how, audio_s=audio_s, finals=stream.finals)


def _stream(door: Door, call: Call, number: int) -> Stream:
    """Return the stream that the call asks for.

    Raises:
        TranscribeError: it cannot be had, or is refused by script.
    """
    faults = door.faults(call, number)
    for fault in faults:
        if fault.at_s is None and fault.error is not None:
            door.setup.journal.note("fault", number, kind=fault.kind)
            raise fault.error
    asked, language = door.parameters(call)
    engine = door.engine(language)
    if engine is None:
        raise InternalFailure(f"The engine for {language} is gone. Start the endpoint again.")
    passed = door.passed_on(asked, language, engine)
    plan = StreamPlan(
        number=number,
        parameters=asked,
        language=language,
        engine=engine,
        make_gate=door.setup.make_gate,
        words=door.word_filter(asked),
        faults=faults,
        scenario=door.setup.scenario,
        journal=door.setup.journal,
        monotonic=door.setup.monotonic,
        line=door.line(call),
        candidates=door.candidates(asked),
        options=passed.options,
        left_out=passed.left_out,
    )
    return Stream(plan)


async def _converse(caller: Caller, stream: Stream, verified: Verified | None) -> str:
    """Run a stream that was let in, and return how it ended."""
    try:
        plan = stream.plan
        await caller.accept(stream.session_id, done(plan.parameters, plan.left_out))
        try:
            await _listen(caller, stream, verified)
        except TranscribeError as error:
            await caller.fail(error)
            return error.name
        except HungUp:
            await caller.close()
            return "hung up"
        await caller.close()
    except CallerGone:
        return "client gone"
    except Wrecked:
        return "wrecked"
    return "complete"


async def _listen(caller: Caller, stream: Stream, verified: Verified | None) -> None:
    """Answer until the stream is over.

    Nobody reads from the caller any more when this returns: granian's `websocket.close` waits
    for as long as somebody does (2.8.7).

    Raises:
        TranscribeError, HungUp, Wrecked: see `Stream.run`.
        CallerGone: the client has left.
    """
    inbox = Inbox()
    try:
        async with tasks_beside() as tasks:
            tasks.create_task(caller.read(inbox))
            await stream.run(caller.audio(inbox, verified), caller.send)
    except (TranscribeError, HungUp, Wrecked, CallerGone):
        raise
    except Exception as error:
        # The border between one stream and all others.
        logger.exception("stream %d: unexpected", stream.plan.number)
        raise InternalFailure("Something unexpected went wrong; see the server's log.") from error
