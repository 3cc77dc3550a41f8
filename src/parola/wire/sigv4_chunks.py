"""The chain of signatures over an HTTP/2 stream's audio frames, checked and made.

A signed frame is a message with the headers `:date` (a timestamp) and `:chunk-signature` (32
bytes), whose payload is a whole message. Each signature covers the one before it; the first
covers the request's. A signed frame without payload ends the stream.

Source: Amazon Transcribe developer guide, "Signing event stream messages".
"""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from parola.wire.eventstream import (
    HeaderValue,
    Message,
    Timestamp,
    decode,
    encode_headers,
)
from parola.wire.sigv4_request import Scope, signing_key, stamp
from parola.wire.transcribe_errors import InvalidSignature

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_signed(message: Message) -> bool:
    """Return whether a frame is an envelope around another."""
    return ":chunk-signature" in message.headers


def unwrap(message: Message) -> Message | None:
    """Return the message in an envelope, unchecked; None where the stream ends with it.

    Raises:
        EventStreamError: what is in it is no message.
    """
    return decode(message.payload) if message.payload else None


class ChunkSigner:
    """Makes the chain."""

    def __init__(self, secret_key: str, scope: Scope, seed_signature: str) -> None:
        """Start from the signature of the request, 64 hexadecimal digits."""
        self._chain = _Chain(secret_key, scope, seed_signature)

    def sign(self, payload: bytes, at: datetime) -> Message:
        """Return the envelope of an encoded message, or of nothing, which ends the stream."""
        headers: dict[str, HeaderValue] = {
            ":date": Timestamp(round((at - _EPOCH) / timedelta(milliseconds=1)))
        }
        self._chain.last = self._chain.next(headers, payload)
        return Message({**headers, ":chunk-signature": self._chain.last}, payload)


class ChunkVerifier:
    """Checks the chain; after a wrong frame the right next one is still accepted."""

    def __init__(self, secret_key: str, scope: Scope, seed_signature: str) -> None:
        """Start from the signature of the request, 64 hexadecimal digits."""
        self._chain = _Chain(secret_key, scope, seed_signature)

    def verify(self, message: Message) -> Message | None:
        """Return the message in the envelope; None where the stream ends with it.

        Raises:
            InvalidSignature: it is not signed, or not by these credentials, or frames before it
                are missing, changed or repeated.
            EventStreamError: it is signed, and what is in it is no message.
        """
        date = message.headers.get(":date")
        theirs = message.headers.get(":chunk-signature")
        if not isinstance(date, Timestamp) or not isinstance(theirs, bytes):
            raise InvalidSignature(
                "Each event must have the headers ':date' and ':chunk-signature'."
            )
        ours = self._chain.next({":date": date}, message.payload)
        if not hmac.compare_digest(ours, theirs):
            raise InvalidSignature(
                "The chunk signature we calculated does not match the signature you provided. "
                "Check your AWS Secret Access Key and signing method."
            )
        self._chain.last = ours
        return unwrap(message)


class _Chain:
    """The signature before, and the key of the day."""

    def __init__(self, secret_key: str, scope: Scope, seed_signature: str) -> None:
        self.last = bytes.fromhex(seed_signature)
        self._secret_key = secret_key
        self._scope = scope
        self._key = signing_key(secret_key, scope)

    def next(self, headers: dict[str, HeaderValue], payload: bytes) -> bytes:
        """Return the signature of the next frame, 32 bytes."""
        date = _stamp(headers[":date"])
        if date[:8] != self._scope.day:
            # A stream runs on past midnight; its frames are signed for their own day.
            self._scope = replace(self._scope, day=date[:8])
            self._key = signing_key(self._secret_key, self._scope)
        text = "\n".join(
            (
                "AWS4-HMAC-SHA256-PAYLOAD",
                date,
                str(self._scope),
                self.last.hex(),
                hashlib.sha256(encode_headers(headers)).hexdigest(),
                hashlib.sha256(payload).hexdigest(),
            )
        )
        return hmac.digest(self._key, text.encode(), "sha256")


def _stamp(date: HeaderValue) -> str:
    try:
        at = _EPOCH + timedelta(milliseconds=date.ms if isinstance(date, Timestamp) else 0)
    except OverflowError:
        raise InvalidSignature("The header ':date' is not a date.") from None
    return stamp(at)
