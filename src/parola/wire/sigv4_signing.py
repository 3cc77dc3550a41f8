"""Signing requests with AWS Signature Version 4, for tests and tools without botocore."""

from datetime import datetime

from parola.wire.sigv4_request import (
    ALGORITHM,
    EMPTY_PAYLOAD,
    STREAMING_PAYLOAD,
    Credentials,
    Scope,
    SignedRequest,
    quoted,
    signature_of,
    stamp,
    string_to_sign,
)


def presign(
    request: SignedRequest,
    credentials: Credentials,
    region: str,
    at: datetime,
    expires_s: int = 300,
) -> str:
    """Return the query, signature included, that lets a WebSocket in for `expires_s` seconds."""
    scope = Scope(stamp(at)[:8], region)
    signed = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": stamp(at),
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.token is not None:
        signed["X-Amz-Security-Token"] = credentials.token
    added = "&".join(f"{name}={quoted(value)}" for name, value in signed.items())
    query = f"{request.query}&{added}" if request.query else added
    whole = SignedRequest(request.method, request.path, query, request.headers)
    text = string_to_sign(whole, "host", EMPTY_PAYLOAD, stamp(at), scope)
    return f"{query}&X-Amz-Signature={signature_of(credentials.secret_key, scope, text)}"


def sign_headers(
    request: SignedRequest,
    credentials: Credentials,
    region: str,
    at: datetime,
    payload_hash: str | None = STREAMING_PAYLOAD,
) -> tuple[tuple[str, str], ...]:
    """Return the request's headers with the signature's; None sends no payload hash."""
    added = [("x-amz-date", stamp(at))]
    if payload_hash is not None:
        added.append(("x-amz-content-sha256", payload_hash))
    if credentials.token is not None:
        added.append(("x-amz-security-token", credentials.token))
    headers = (*request.headers, *added)
    names = ";".join(sorted({name.lower() for name, _ in headers}))
    scope = Scope(stamp(at)[:8], region)
    whole = SignedRequest(request.method, request.path, request.query, headers)
    text = string_to_sign(whole, names, payload_hash or EMPTY_PAYLOAD, stamp(at), scope)
    signature = signature_of(credentials.secret_key, scope, text)
    authorization = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return (*headers, ("authorization", authorization))
