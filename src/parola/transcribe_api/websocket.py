"""A call over WebSocket: frames unsigned, refused by one exception frame after the handshake.

Source: Amazon Transcribe developer guide, "Setting up a WebSocket stream".
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.types import Receive, Send

from parola.transcribe_api.calls import CallerGone, Inbox, unless_gone
from parola.transcribe_api.events import audio_in, unreadable
from parola.wire import eventstream
from parola.wire.sigv4 import Verified
from parola.wire.transcribe import (
    NotAllowed,
    StreamParameters,
    TranscribeError,
    write_exception,
    write_refusal,
)

QUIET_S = 0.05
"""A client that has sent nothing for so long is taken to wait for the answer."""

DRAIN_S = 1.0
"""The longest that is waited for that."""


class WebSocketCaller:
    """A client that opened a WebSocket."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = unless_gone(send)
        self._ended = False

    async def forbid(self, error: NotAllowed) -> None:
        """Answer the handshake with the error's status, 403."""
        await self._receive()
        status, headers, body = write_refusal(error)
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await self._send(
            {"type": "websocket.http.response.start", "status": status, "headers": raw}
        )
        await self._send({"type": "websocket.http.response.body", "body": body})

    async def refuse(self, error: TranscribeError) -> None:
        """Accept, send the exception, close: the service has no other way over WebSocket."""
        await self._receive()
        await self._send({"type": "websocket.accept"})
        await self.fail(error)

    async def accept(self, session_id: str, asked: StreamParameters) -> None:  # noqa: ARG002
        """Accept the handshake; there are no headers in the answer."""
        await self._receive()
        await self._send({"type": "websocket.accept"})

    async def read(self, inbox: Inbox) -> None:
        """Put every binary frame into the inbox."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                raise CallerGone
            await inbox.put(message.get("bytes") or (message.get("text") or "").encode())

    async def audio(self, inbox: Inbox, verified: Verified | None) -> AsyncIterator[bytes]:  # noqa: ARG002
        """Yield the audio of each frame until one has none."""
        async for frame in inbox:
            try:
                message = eventstream.decode(frame)
            except eventstream.EventStreamError as error:
                raise unreadable(error) from error
            audio = audio_in(message)
            if not audio:
                self._ended = True
                return
            yield audio

    async def send(self, frame: bytes) -> None:
        """Send a frame as one message."""
        await self._send({"type": "websocket.send", "bytes": frame})

    async def fail(self, error: TranscribeError) -> None:
        """Send the exception, then close."""
        await self.send(write_exception(error))
        await self.close()

    async def close(self) -> None:
        """Close as usual, once the client has stopped to send for a moment."""
        if not self._ended:
            await self._drain()
        await self._send({"type": "websocket.close", "code": 1000})

    async def _drain(self) -> None:
        """Pass over what still comes: closing before it is read would be a reset.

        A reset destroys what the client has not read yet. Source: RFC 1122, section 4.2.2.13.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while True:
                    async with asyncio.timeout(QUIET_S):
                        message = await self._receive()
                    if message["type"] == "websocket.disconnect":
                        raise CallerGone
