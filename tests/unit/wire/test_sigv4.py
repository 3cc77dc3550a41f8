"""Signatures as a server checks them, next to botocore's as an independent signer."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from parola.wire.eventstream import (
    EventStreamError,
    Message,
    Timestamp,
    audio_event,
    decode,
    encode,
    encode_headers,
)
from parola.wire.sigv4 import (
    EMPTY_PAYLOAD,
    STREAMING_PAYLOAD,
    Credentials,
    Scope,
    SignedRequest,
    Verified,
    presign,
    sign_headers,
    verify_headers,
    verify_query,
)
from parola.wire.sigv4_chunks import ChunkSigner, ChunkVerifier, is_signed, unwrap
from parola.wire.transcribe import (
    ClockSkew,
    ExpiredToken,
    IncompleteSignature,
    InvalidSignature,
    MissingAuthenticationToken,
    NotAllowed,
    UnrecognizedClient,
)

NOW = datetime(2026, 11, 20, 13, 59, 30, tzinfo=UTC)
HOST = "localhost:8443"
KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = Credentials("ASIAEXAMPLE", "secret", "to/ken+with=signs", NOW + timedelta(1))
KEYS = {one.access_key: one for one in (KEY, TEMPORARY)}
WS_PATH = "/stream-transcription-websocket"

names = st.text(min_size=1, max_size=12).filter(lambda name: not name.startswith("X-Amz-"))
queries = st.dictionaries(names, st.text(min_size=1, max_size=20), max_size=5)
header_names = st.from_regex("x-amzn-transcribe-[a-z-]{1,12}", fullmatch=True)
header_values = st.text("ab  ,=/:;", max_size=30)


@pytest.fixture(autouse=True)
def _botocore_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "get_current_datetime", lambda: NOW)


def for_botocore(credentials: Credentials) -> BotocoreCredentials:
    return BotocoreCredentials(credentials.access_key, credentials.secret_key, credentials.token)


def presigned_by_botocore(
    credentials: Credentials, query: dict[str, str], expires_s: int = 300
) -> SignedRequest:
    request = AWSRequest(method="GET", url=f"https://{HOST}{WS_PATH}?{urlencode(query)}")
    auth.SigV4QueryAuth(for_botocore(credentials), "transcribe", "eu-west-1", expires_s).add_auth(
        request
    )
    parts = urlsplit(request.url)
    return SignedRequest("GET", parts.path, parts.query, (("host", HOST),))


def signed_by_botocore(
    credentials: Credentials, headers: dict[str, str], payload: str | None
) -> SignedRequest:
    extra = {} if payload is None else {"X-Amz-Content-SHA256": payload}
    request = AWSRequest(
        method="POST", url=f"https://{HOST}/stream-transcription", headers={**headers, **extra}
    )
    auth.SigV4Auth(for_botocore(credentials), "transcribe", "eu-west-1").add_auth(request)
    found = tuple((name.lower(), value) for name, value in request.headers.items())
    return SignedRequest("POST", "/stream-transcription", "", (*found, ("host", HOST)))


def ours(
    query: str = "language-code=it-IT", at: datetime = NOW, expires_s: int = 300
) -> SignedRequest:
    request = SignedRequest("GET", WS_PATH, query, (("host", HOST),))
    return SignedRequest(
        "GET", WS_PATH, presign(request, KEY, "eu-west-1", at, expires_s), request.headers
    )


def posted(payload: str | None = STREAMING_PAYLOAD, host: str = "host") -> SignedRequest:
    request = SignedRequest(
        "POST",
        "/stream-transcription",
        "",
        ((host, HOST), ("x-amzn-transcribe-sample-rate", "16000")),
    )
    return SignedRequest(
        "POST", request.path, "", sign_headers(request, KEY, "eu-west-1", NOW, payload)
    )


@given(st.sampled_from([KEY, TEMPORARY]), queries, st.integers(1, 300))
def test_what_botocore_presigns_is_let_in(
    credentials: Credentials, query: dict[str, str], expires_s: int
) -> None:
    """Any parameters, any permitted lifetime, with and without a session token."""
    request = presigned_by_botocore(credentials, query, expires_s)
    verified = verify_query(request, KEYS, NOW, "eu-west-1")
    assert verified.credentials == credentials
    assert verified.scope == Scope("20261120", "eu-west-1")
    assert dict(parse_qsl(request.query)).items() >= query.items()


@given(
    st.sampled_from([KEY, TEMPORARY]),
    st.dictionaries(header_names, header_values, max_size=5),
    st.sampled_from([STREAMING_PAYLOAD, EMPTY_PAYLOAD, None]),
)
def test_what_botocore_signs_in_headers_is_let_in(
    credentials: Credentials, headers: dict[str, str], payload: str | None
) -> None:
    """Any header values; the body's hash said, or left out as amazon-transcribe does."""
    verified = verify_headers(signed_by_botocore(credentials, headers, payload), KEYS, NOW)
    assert verified.credentials == credentials
    assert verified.payload_hash == (payload or EMPTY_PAYLOAD)


def test_our_signer_and_botocore_agree() -> None:
    """The same request gets the same signature."""
    assert presigned_by_botocore(KEY, {"language-code": "it-IT"}).query == ours().query


@given(st.integers(-64, -1) | st.integers(0), st.sampled_from("abcdef0123456789%&=/Z"))
def test_a_changed_character_is_never_let_in(place: int, char: str) -> None:
    """Wherever the query is changed, it is refused, or says the same in other words."""
    request = ours()
    query = list(request.query)
    query[place % len(query)] = char
    changed = SignedRequest("GET", WS_PATH, "".join(query), request.headers)
    if sorted(parse_qsl(changed.query)) == sorted(parse_qsl(request.query)):
        return
    with pytest.raises(NotAllowed):
        verify_query(changed, KEYS, NOW)


CLAIM = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "AKIDEXAMPLE/20261120/eu-west-1/transcribe/aws4_request",
    "X-Amz-Date": "20261120T135930Z",
    "X-Amz-Expires": "300",
    "X-Amz-SignedHeaders": "host;x-amz-date",
    "X-Amz-Signature": "0" * 64,
    "X-Amz-Security-Token": "",
}
parts_of_a_query = st.sets(st.sampled_from([*CLAIM])).map(
    lambda names: urlencode({name: CLAIM[name] for name in names})
)


@given(parts_of_a_query | st.text(max_size=80), st.text(max_size=80), st.text(max_size=60))
def test_any_query_and_header_is_let_in_or_refused_with_a_reason(
    query: str, value: str, name: str
) -> None:
    """Nonsense, half signatures and strange characters end in an exception of the service."""
    request = SignedRequest(
        "GET", name, query, (("host", HOST), ("authorization", value), (name, value))
    )
    for verify in (verify_query, verify_headers):
        with pytest.raises(NotAllowed) as caught:
            verify(request, KEYS, NOW)
        assert caught.value.status == 403
        assert caught.value.message


nonsense = st.text(max_size=20) | st.sampled_from(
    ["99991231T235959Z", "00010101T000000Z", "a/20261120/c", "-1", "1e9", "host;;", "²"]
)


@given(st.dictionaries(st.sampled_from([*CLAIM]), nonsense, max_size=2))
def test_a_claim_that_is_nearly_right_ends_in_a_documented_refusal(spoilt: dict[str, str]) -> None:
    """One or two parts of a signature are nonsense: refused as nicely as all of it."""
    claim = CLAIM | spoilt
    host = ("host", HOST)
    with pytest.raises(NotAllowed):
        verify_query(SignedRequest("GET", WS_PATH, urlencode(claim), (host,)), KEYS, NOW)
    authorization = (
        f"{claim['X-Amz-Algorithm']} Credential={claim['X-Amz-Credential']}, "
        f"SignedHeaders={claim['X-Amz-SignedHeaders']}, Signature={claim['X-Amz-Signature']}"
    )
    headers = (host, ("authorization", authorization), ("x-amz-date", claim["X-Amz-Date"]))
    with pytest.raises(NotAllowed):
        verify_headers(SignedRequest("POST", "/", "", headers), KEYS, NOW)


@pytest.mark.parametrize(
    ("off_s", "kind"), [(0, None), (300, None), (301, ClockSkew), (-300, None), (-301, ClockSkew)]
)
@pytest.mark.parametrize("presigned", [True, False])
def test_clocks_may_be_five_minutes_apart(presigned: bool, off_s: int, kind: type | None) -> None:
    """Later than that it is expired, earlier it is not yet current."""
    now = NOW + timedelta(seconds=off_s)
    verify, request = (verify_query, ours()) if presigned else (verify_headers, posted())
    if kind is None:
        assert verify(request, KEYS, now).credentials == KEY
        return
    with pytest.raises(InvalidSignature) as caught:
        verify(request, KEYS, now)
    assert type(caught.value) is kind
    assert re.search("expired|not yet current", caught.value.message)


def test_a_presigned_address_lives_as_long_as_it_says() -> None:
    """60 seconds are 60 seconds; 301 are refused by the service whoever signs them."""
    assert verify_query(ours(expires_s=60), KEYS, NOW + timedelta(seconds=60))
    with pytest.raises(ClockSkew, match="1 min"):
        verify_query(ours(expires_s=60), KEYS, NOW + timedelta(seconds=61))
    for expires_s in (0, 301, 3600):
        with pytest.raises(InvalidSignature, match="1 to 300"):
            verify_query(ours(expires_s=expires_s), KEYS, NOW)


@pytest.mark.parametrize("signed_as", ["host", ":authority"])
@pytest.mark.parametrize("seen_as", ["host", ":authority"])
def test_the_machine_may_be_signed_under_either_name(signed_as: str, seen_as: str) -> None:
    """Node signs :authority, and servers hand it on as host; both ways are let in."""
    request = posted(host=signed_as)
    seen = tuple((seen_as if name == signed_as else name, value) for name, value in request.headers)
    assert verify_headers(SignedRequest("POST", request.path, "", seen), KEYS, NOW)


@pytest.mark.parametrize("payload", [STREAMING_PAYLOAD, None])
def test_the_hash_of_the_body_may_be_left_out(payload: str | None) -> None:
    """A body whose hash is not sent counts as empty, as the older SDK signs it."""
    assert verify_headers(posted(payload), KEYS, NOW).payload_hash == (payload or EMPTY_PAYLOAD)


def replaced(request: SignedRequest, old: str, new: str) -> SignedRequest:
    headers = tuple((name, value.replace(old, new)) for name, value in request.headers)
    return SignedRequest(request.method, request.path, request.query.replace(old, new), headers)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("AKIDEXAMPLE", "AKIDSTRANGER", UnrecognizedClient),
        ("AKIDEXAMPLE", "ASIAEXAMPLE", UnrecognizedClient),
        ("/20261120/", "/20261119/", InvalidSignature),
        ("/transcribe/", "/polly/", InvalidSignature),
        ("eu-west-1", "us-east-1", InvalidSignature),
        ("aws4_request", "aws5_request", InvalidSignature),
        ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-MD5 ", IncompleteSignature),
        ("Signature=", "Sign=", IncompleteSignature),
        ("20261120T135930Z", "2026-11-20", IncompleteSignature),
        ("SignedHeaders=host;", "SignedHeaders=", InvalidSignature),
        (";x-amz-date", "", InvalidSignature),
        ("16000", "8000", InvalidSignature),
        (HOST, "elsewhere:8443", InvalidSignature),
    ],
)
def test_each_fault_has_the_exception_of_the_service(
    old: str, new: str, kind: type[NotAllowed]
) -> None:
    """Names, scopes, dates and signed headers are checked one by one."""
    with pytest.raises(NotAllowed) as caught:
        verify_headers(replaced(posted(), old, new), KEYS, NOW, "eu-west-1")
    assert type(caught.value) is kind


def test_unsigned_requests_and_wrong_tokens_are_refused() -> None:
    """No signature, a stranger's token, no token where one belongs, a token past its time."""
    bare = SignedRequest("GET", WS_PATH, "language-code=it-IT", (("host", HOST),))
    for verify in (verify_query, verify_headers):
        with pytest.raises(MissingAuthenticationToken):
            verify(bare, KEYS, NOW)
    request = presigned_by_botocore(TEMPORARY, {})
    for token in (None, "other"):
        other = Credentials(TEMPORARY.access_key, TEMPORARY.secret_key, token)
        with pytest.raises(UnrecognizedClient, match="security token"):
            verify_query(request, {TEMPORARY.access_key: other}, NOW)
    gone = Credentials(TEMPORARY.access_key, TEMPORARY.secret_key, TEMPORARY.token, NOW)
    with pytest.raises(ExpiredToken):
        verify_query(request, {TEMPORARY.access_key: gone}, NOW)


def test_secrets_do_not_show_in_a_log() -> None:
    """The credentials' text has neither the secret key nor the token."""
    assert "secret" not in repr(TEMPORARY).replace("secret_key", "")
    assert "to/ken" not in repr(TEMPORARY)


def seed() -> Verified:
    return verify_headers(posted(), KEYS, NOW)


def chain() -> tuple[ChunkSigner, ChunkVerifier]:
    verified = seed()
    parts = (verified.credentials.secret_key, verified.scope, verified.signature)
    return ChunkSigner(*parts), ChunkVerifier(*parts)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_a_chain_of_audio_is_followed_to_its_end(chunks: list[bytes]) -> None:
    """Each frame comes out as it went in, over midnight too; an empty envelope is the end."""
    signer, verifier = chain()
    at = datetime(2026, 11, 20, 23, 59, 59, 700_000, UTC)
    for n, audio in enumerate(chunks):
        envelope = decode(
            encode(signer.sign(encode(audio_event(audio)), at + n * timedelta(seconds=0.1)))
        )
        assert is_signed(envelope)
        assert unwrap(envelope) == verifier.verify(envelope) == audio_event(audio)
    assert verifier.verify(signer.sign(b"", at)) is None


def by_hand(at: datetime, prior: str, payload: bytes) -> bytes:
    """Return a frame's signature from the six lines of the protocol, with botocore's HMAC."""
    day = f"{at:%Y%m%d}"
    date = encode_headers({":date": Timestamp(int(at.timestamp() * 1000))})
    lines = [
        "AWS4-HMAC-SHA256-PAYLOAD",
        f"{at:%Y%m%dT%H%M%SZ}",
        f"{day}/eu-west-1/transcribe/aws4_request",
        prior,
        hashlib.sha256(date).hexdigest(),
        hashlib.sha256(payload).hexdigest(),
    ]
    request = AWSRequest()
    request.context["timestamp"] = day
    signer = auth.SigV4Auth(for_botocore(KEY), "transcribe", "eu-west-1")
    return bytes.fromhex(signer.signature("\n".join(lines), request))


def test_the_string_to_sign_is_the_documented_one() -> None:
    """A signature worked out by hand from the protocol is the one we make."""
    payload = encode(audio_event(b"ab"))
    envelope = chain()[0].sign(payload, NOW)
    assert envelope.headers[":chunk-signature"] == by_hand(NOW, seed().signature, payload)


def test_the_key_of_the_next_day_signs_after_midnight() -> None:
    """A stream that began yesterday goes on with today's key."""
    at = NOW + timedelta(hours=11)
    envelope = chain()[0].sign(b"", at)
    assert envelope.headers[":chunk-signature"] == by_hand(at, seed().signature, b"")
    assert chain()[1].verify(envelope) is None


@given(st.integers(0), st.integers(1, 255))
def test_a_changed_frame_breaks_the_chain(place: int, flip: int) -> None:
    """Changed audio, a changed date, a changed signature: never accepted."""
    signer, verifier = chain()
    envelope = signer.sign(encode(audio_event(b"audio")), NOW)
    payload = bytearray(envelope.payload)
    payload[place % len(payload)] ^= flip
    with pytest.raises(InvalidSignature):
        verifier.verify(Message(envelope.headers, bytes(payload)))
    signature = envelope.headers[":chunk-signature"]
    assert isinstance(signature, bytes)
    wrong = bytearray(signature)
    wrong[place % 32] ^= flip
    with pytest.raises(InvalidSignature):
        verifier.verify(
            Message({**envelope.headers, ":chunk-signature": bytes(wrong)}, envelope.payload)
        )
    with pytest.raises(InvalidSignature):
        verifier.verify(
            Message({**envelope.headers, ":date": Timestamp(place % 2**62)}, envelope.payload)
        )
    assert verifier.verify(envelope) == audio_event(b"audio")


def test_frames_cannot_be_left_out_repeated_or_sent_unsigned() -> None:
    """Each signature covers the one before it."""
    signer, verifier = chain()
    first, second = (signer.sign(encode(audio_event(one)), NOW) for one in (b"1", b"2"))
    for wrong in (
        second,
        audio_event(b"1"),
        Message({":date": Timestamp(0), ":chunk-signature": "x"}),
    ):
        with pytest.raises(InvalidSignature):
            verifier.verify(wrong)
    assert verifier.verify(first)
    with pytest.raises(InvalidSignature):
        verifier.verify(first)
    assert verifier.verify(second)


def test_a_signed_envelope_around_nonsense_is_a_framing_error() -> None:
    """Whoever signs it, what is inside must be a message; a date must be a date."""
    signer, verifier = chain()
    with pytest.raises(EventStreamError):
        verifier.verify(signer.sign(b"nonsense", NOW))
    with pytest.raises(InvalidSignature, match="date"):
        verifier.verify(Message({":date": Timestamp(2**63 - 1), ":chunk-signature": bytes(32)}))
