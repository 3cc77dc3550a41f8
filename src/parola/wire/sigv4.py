"""AWS Signature Version 4 as a server checks it: presigned queries and signed headers.

The face of `sigv4_request` and `sigv4_signing`. The signatures of single audio frames are in
`sigv4_chunks`.

Source: AWS IAM user guide, "Create a signed AWS API request"; the messages are those of AWS.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from parola.wire.sigv4_request import (
    ALGORITHM,
    EMPTY_PAYLOAD,
    HOST_NAMES,
    SERVICE,
    STREAMING_PAYLOAD,
    UNSIGNED_PAYLOAD,
    Credentials,
    Scope,
    SignedRequest,
    query_pairs,
    signature_of,
    signing_key,
    stamp,
    string_to_sign,
    utf8,
)
from parola.wire.sigv4_signing import presign, sign_headers
from parola.wire.transcribe_errors import (
    EXPIRED_TOKEN,
    UNKNOWN_TOKEN,
    ClockSkew,
    ExpiredToken,
    IncompleteSignature,
    InvalidSignature,
    MissingAuthenticationToken,
    UnrecognizedClient,
)

__all__ = [
    "EMPTY_PAYLOAD",
    "SERVICE",
    "STREAMING_PAYLOAD",
    "UNSIGNED_PAYLOAD",
    "Credentials",
    "Scope",
    "SignedRequest",
    "Verified",
    "presign",
    "sign_headers",
    "signing_key",
    "verify_headers",
    "verify_query",
]

MAX_EXPIRES_S = 300
"""How long a presigned address may be good, seconds. Source: Transcribe developer guide."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far the client's clock may be from ours."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A request whose signature is right."""

    credentials: Credentials
    scope: Scope
    signature: str
    """64 hexadecimal digits: the seed of the chain of audio frames' signatures."""

    payload_hash: str
    """What the client wrote (or left out) for the body: `STREAMING_PAYLOAD` signs its frames."""


def verify_query(
    request: SignedRequest,
    keys: Mapping[str, Credentials],
    now: datetime,
    region: str | None = None,
) -> Verified:
    """Return who signed a presigned WebSocket address.

    Args:
        request: its query as it came in, percent-encoded.
        keys: the credentials we know, by access key.
        now: the time, with a time zone.
        region: the only region we accept; None accepts any.

    Raises:
        NotAllowed: one of its kinds, in the words of AWS: not signed, incomplete, unknown access
            key, wrong token, expired, clock more than 5 minutes off, or a wrong signature.
    """
    given = dict(query_pairs(request.query))
    if "X-Amz-Signature" not in given:
        raise MissingAuthenticationToken("Missing Authentication Token")
    claim = _Claim(
        algorithm=_needed(given, "X-Amz-Algorithm"),
        credential=_needed(given, "X-Amz-Credential"),
        signed_headers=_needed(given, "X-Amz-SignedHeaders"),
        signature=given["X-Amz-Signature"],
        date=_needed(given, "X-Amz-Date"),
        token=given.get("X-Amz-Security-Token"),
    )
    expires_s = _expires_s(_needed(given, "X-Amz-Expires"))
    _check_clock(_moment(claim.date), now, timedelta(seconds=expires_s))
    return _verify(request, claim, keys, now, region, (EMPTY_PAYLOAD, UNSIGNED_PAYLOAD))


def verify_headers(
    request: SignedRequest,
    keys: Mapping[str, Credentials],
    now: datetime,
    region: str | None = None,
) -> Verified:
    """Return who signed an HTTP/2 request's headers.

    Where `x-amz-content-sha256` is absent, the body counts as empty (amazon-transcribe) or as
    signed frame by frame. Arguments and errors are as in `verify_query`.

    Raises:
        NotAllowed: as in `verify_query`.
    """
    headers = {name.lower(): value for name, value in request.headers}
    if not headers.get("authorization", "").strip():
        raise MissingAuthenticationToken("Missing Authentication Token")
    claim = _claim(headers)
    _check_clock(_moment(claim.date), now, CLOCK_SKEW)
    if "x-amz-date" not in claim.signed_headers.split(";"):
        raise InvalidSignature("'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.")
    payload = headers.get("x-amz-content-sha256")
    payloads = (payload,) if payload else (EMPTY_PAYLOAD, STREAMING_PAYLOAD, UNSIGNED_PAYLOAD)
    return _verify(request, claim, keys, now, region, payloads)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says about its signature, as texts."""

    algorithm: str
    credential: str
    signed_headers: str
    signature: str
    date: str
    token: str | None


def _claim(headers: Mapping[str, str]) -> _Claim:
    """Return the claim in an `authorization` header."""
    algorithm, _, rest = headers["authorization"].strip().partition(" ")
    parts = dict(_assigned(part) for part in rest.split(","))
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not parts.get(name):
            raise IncompleteSignature(f"Authorization header requires '{name}' parameter.")
    date = headers.get("x-amz-date", "")
    if not date:
        raise IncompleteSignature(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    return _Claim(
        algorithm,
        parts["Credential"],
        parts["SignedHeaders"],
        parts["Signature"],
        date,
        headers.get("x-amz-security-token"),
    )


def _assigned(text: str) -> tuple[str, str]:
    name, _, value = text.strip().partition("=")
    return name, value


def _needed(given: Mapping[str, str], name: str) -> str:
    if not given.get(name):
        raise IncompleteSignature(f"AWS query-string parameters must include '{name}'.")
    return given[name]


def _verify(
    request: SignedRequest,
    claim: _Claim,
    keys: Mapping[str, Credentials],
    now: datetime,
    region: str | None,
    payloads: tuple[str, ...],
) -> Verified:
    """Check who, for what, and the signature, in the order in which AWS complains."""
    if claim.algorithm != ALGORITHM:
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{claim.algorithm}'.")
    access_key, scope = _scope(claim, region)
    names = claim.signed_headers.split(";")
    if not HOST_NAMES & set(names):
        raise InvalidSignature("'Host' or ':authority' must be a 'SignedHeader'.")
    credentials = keys.get(access_key)
    if credentials is None or not _same(credentials.token or "", claim.token or ""):
        raise UnrecognizedClient(UNKNOWN_TOKEN)
    if credentials.expires is not None and credentials.expires <= now:
        raise ExpiredToken(EXPIRED_TOKEN)
    for payload in payloads:
        text = string_to_sign(request, claim.signed_headers, payload, claim.date, scope)
        if _same(signature_of(credentials.secret_key, scope, text), claim.signature):
            return Verified(credentials, scope, claim.signature, payload)
    raise InvalidSignature(
        "The request signature we calculated does not match the signature you provided. Check "
        "your AWS Secret Access Key and signing method. Consult the service documentation for "
        "details."
    )


def _scope(claim: _Claim, region: str | None) -> tuple[str, Scope]:
    """Return access key and scope of a credential such as "AKID/20261120/eu-west-1/…"."""
    parts = claim.credential.split("/")
    if len(parts) != 5:
        raise IncompleteSignature(
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got '{claim.credential}'"
        )
    access_key, day, of_region, service, end = parts
    if day != claim.date[:8]:
        raise InvalidSignature(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
            f"from HTTP: '{day}' != '{claim.date[:8]}', from '{claim.date}'."
        )
    if region is not None and of_region != region:
        raise InvalidSignature(f"Credential should be scoped to a valid region, not '{of_region}'.")
    if service != SERVICE:
        raise InvalidSignature(f"Credential should be scoped to correct service: '{SERVICE}'.")
    if end != "aws4_request":
        raise InvalidSignature(
            f"Credential should be scoped with a valid terminator: 'aws4_request', not '{end}'."
        )
    return access_key, Scope(day, of_region, service)


def _check_clock(at: datetime, now: datetime, good_for: timedelta) -> None:
    if at > now + CLOCK_SKEW:
        raise ClockSkew(
            f"Signature not yet current: {stamp(at)} is still later than "
            f"{stamp(now + CLOCK_SKEW)} ({stamp(now)} + 5 min.)"
        )
    if now - at > good_for:
        raise ClockSkew(
            f"Signature expired: {stamp(at)} is now earlier than {stamp(now - good_for)} "
            f"({stamp(now)} - {good_for.seconds // 60} min.)"
        )


def _expires_s(text: str) -> int:
    if not (
        text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_EXPIRES_S
    ):
        raise InvalidSignature(
            f"X-Amz-Expires must be a number of seconds from 1 to {MAX_EXPIRES_S}, not '{text}'."
        )
    return int(text)


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise IncompleteSignature(
            f"Date must be in ISO-8601 'basic format'. Got '{text}'. "
            "See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None


def _same(ours: str, theirs: str) -> bool:
    """Compare without telling by the time it takes how much is right."""
    return hmac.compare_digest(utf8(ours), utf8(theirs))
