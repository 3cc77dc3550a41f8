"""A request in the one form that AWS Signature Version 4 signs, and the signature of it.

Source: AWS IAM user guide, "Create a signed AWS API request".
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "transcribe"
STREAMING_PAYLOAD = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
EMPTY_PAYLOAD = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

HOST_NAMES = frozenset({"host", ":authority"})
"""Under which the name of the machine is signed."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client signs with."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    """The session token of temporary credentials."""

    expires: datetime | None = None
    """When they stop to be good, with a time zone; None means never."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came in, nothing decoded."""

    method: str
    path: str
    """Percent-encoded, without the query."""

    query: str = ""
    """Without the question mark."""

    headers: tuple[tuple[str, str], ...] = ()
    """Over HTTP/2 with `host` or `:authority` among them."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for."""

    day: str
    """YYYYMMDD, UTC."""

    region: str
    service: str = SERVICE

    def __str__(self) -> str:
        """Return it as it stands in the string to sign."""
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def signing_key(secret_key: str, scope: Scope) -> bytes:
    """Return the key, 32 bytes, that signs for a day, a region and a service."""
    key = ("AWS4" + secret_key).encode()
    for part in (scope.day, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, utf8(part), "sha256")
    return key


def string_to_sign(
    request: SignedRequest, signed_headers: str, payload: str, date: str, scope: Scope
) -> str:
    """Return the text that is signed.

    Args:
        request: as it came in or will go out.
        signed_headers: their names, in small letters, sorted, with semicolons between them.
        payload: the body's hash, or the word that stands for it.
        date: when it was signed, as `stamp` writes it.
        scope: what the signature is good for.
    """
    canonical = _canonical(request, signed_headers, payload)
    return f"{ALGORITHM}\n{date}\n{scope}\n{hashlib.sha256(utf8(canonical)).hexdigest()}"


def _canonical(request: SignedRequest, signed_headers: str, payload: str) -> str:
    """Return the request in the one form that both sides can make."""
    query = sorted(
        (quoted(name), quoted(value))
        for name, value in query_pairs(request.query)
        if name != "X-Amz-Signature"
    )
    headers = [f"{name}:{_header(request, name)}\n" for name in signed_headers.split(";")]
    return "\n".join(
        (
            request.method.upper(),
            # Encoded once more than it was sent: so all services but S3 have it.
            quote(request.path or "/", safe="/-_.~", errors="replace"),
            "&".join(f"{name}={value}" for name, value in query),
            "".join(headers),
            signed_headers,
            payload,
        )
    )


def _header(request: SignedRequest, name: str) -> str:
    """Return a header's value, all of them where it comes several times, blanks made single."""
    found = [value for other, value in request.headers if other.lower() == name]
    if not found and name in HOST_NAMES:
        # Node signs :authority, and servers hand it on as host; others do it the other way round.
        found = [value for other, value in request.headers if other.lower() in HOST_NAMES]
    return ",".join(" ".join(value.split()) for value in found)


def query_pairs(query: str) -> Iterator[tuple[str, str]]:
    """Yield a query's names and values, decoded; a plus sign is one."""
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            yield unquote(name), unquote(value)


def quoted(text: str) -> str:
    """Return a query's name or value, percent-encoded as AWS has it."""
    return quote(text, safe="-_.~", errors="replace")


def signature_of(secret_key: str, scope: Scope, text: str) -> str:
    """Return the signature of a text, 64 hexadecimal digits."""
    return hmac.digest(signing_key(secret_key, scope), utf8(text), "sha256").hex()


def utf8(text: str) -> bytes:
    """Return the text's bytes; halves of surrogate pairs, which have none, become "?"."""
    return text.encode(errors="replace")


def stamp(at: datetime) -> str:
    """Return a moment with a time zone as AWS writes it, such as "20261120T135900Z"."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
