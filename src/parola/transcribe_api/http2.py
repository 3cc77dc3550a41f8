"""A call over HTTP/2: audio frames each signed, refused by status before the stream.

Source: Amazon Transcribe developer guide, "Setting up an HTTP/2 stream".
"""

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

from starlette.types import Receive, Send

from parola.transcribe_api.calls import CallerGone, Inbox, unless_gone
from parola.transcribe_api.events import audio_in, unreadable
from parola.wire import eventstream
from parola.wire.eventstream import Message
from parola.wire.sigv4 import Verified
from parola.wire.sigv4_chunks import ChunkVerifier, unwrap
from parola.wire.transcribe import (
    HEADER_PREFIX,
    NotAllowed,
    StreamParameters,
    TranscribeError,
    to_headers,
    write_exception,
    write_refusal,
)

MAX_FRAME_BYTES = 1024 * 1024
"""The longest frame taken: a second of audio has at most 192 kB."""


class Http2Caller:
    """A client that posted a request whose body does not end."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = unless_gone(send)
        self._request_id = str(uuid4())

    async def forbid(self, error: NotAllowed) -> None:
        """Answer with the error's status, 403."""
        await self.refuse(error)

    async def refuse(self, error: TranscribeError) -> None:
        """Answer with the error's status and name."""
        status, headers, body = write_refusal(error)
        await self._start(status, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def accept(self, session_id: str, asked: StreamParameters) -> None:
        """Send status and headers now: the Python SDKs send no audio before they have them."""
        repeated = [pair for pair in to_headers(asked) if pair[0] != f"{HEADER_PREFIX}session-id"]
        await self._start(
            200,
            [
                ("content-type", "application/vnd.amazon.eventstream"),
                (f"{HEADER_PREFIX}session-id", session_id),
                *repeated,
            ],
        )
        await self._send({"type": "http.response.body", "body": b"", "more_body": True})

    async def read(self, inbox: Inbox) -> None:
        """Put the body into the inbox, piece by piece."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerGone
            if message.get("body"):
                await inbox.put(message["body"])
            if not message.get("more_body"):
                await inbox.close()
                return

    async def audio(self, inbox: Inbox, verified: Verified | None) -> AsyncIterator[bytes]:
        """Yield the audio of each frame until the client ends the stream, or its body."""
        decoder = eventstream.Decoder(MAX_FRAME_BYTES)
        opened = _opener(verified)
        try:
            async for data in inbox:
                for message in decoder.feed(data):
                    inner = opened(message)
                    audio = audio_in(inner) if inner else b""
                    if not audio:
                        return
                    yield audio
                if decoder.error:
                    raise decoder.error
        except eventstream.EventStreamError as error:
            raise unreadable(error) from error

    async def send(self, frame: bytes) -> None:
        """Send a frame as a piece of the body."""
        await self._send({"type": "http.response.body", "body": frame, "more_body": True})

    async def fail(self, error: TranscribeError) -> None:
        """Send the exception, then end the body."""
        await self._send({"type": "http.response.body", "body": write_exception(error)})

    async def close(self) -> None:
        """End the body."""
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self, status: int, headers: list[tuple[str, str]]) -> None:
        whole = [("x-amzn-request-id", self._request_id), *headers]
        raw = [(name.encode(), value.encode()) for name, value in whole]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})


def _opener(verified: Verified | None) -> Callable[[Message], Message | None]:
    """Return what takes a frame out of its envelope."""
    if verified is None:
        return lambda message: message if message.kind else unwrap(message)
    chain = ChunkVerifier(verified.credentials.secret_key, verified.scope, verified.signature)
    return chain.verify
