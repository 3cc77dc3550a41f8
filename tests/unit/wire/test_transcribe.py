"""Amazon Transcribe's exceptions and regions."""

import json

import pytest
from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st

from parola.wire import eventstream, transcribe, transcribe_errors
from parola.wire.transcribe import (
    BadRequest,
    ClockSkew,
    IdleTimeout,
    TranscribeError,
    VocabularyRefused,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("name", "message", "kind", "retryable"),
    [
        ("BadRequestException", "Your stream is too big.", BadRequest, False),
        ("BadRequestException", transcribe.IDLE_TIMEOUT, IdleTimeout, True),
        ("InternalFailureException", transcribe.IDLE_TIMEOUT, IdleTimeout, True),
        ("BadRequestException", "The vocabulary does not exist.", VocabularyRefused, False),
        ("LimitExceededException", "", transcribe.LimitExceeded, True),
        ("LimitExceeded", "", transcribe.LimitExceeded, True),
        ("ConflictException", "", transcribe.Conflict, True),
        ("InternalFailureException", "", transcribe.InternalFailure, True),
        ("ServiceUnavailableException", "", transcribe.ServiceUnavailable, True),
        ("ThrottlingException", "", transcribe.Throttled, True),
        ("SerializationException", "", transcribe.Serialization, False),
        ("UnrecognizedClientException", "", transcribe.UnrecognizedClient, False),
        ("AccessDeniedException", "", transcribe.AccessDenied, False),
        ("ExpiredTokenException", "", transcribe.ExpiredToken, True),
        ("InvalidSignatureException", "", transcribe.InvalidSignature, False),
        ("InvalidSignatureException", "Signature expired: …", ClockSkew, True),
        ("SignatureDoesNotMatch", "", transcribe.InvalidSignature, False),
        ("BrandNewException", "", TranscribeError, True),
    ],
)
def test_every_exception_has_a_type_and_a_remedy(
    name: str, message: str, kind: type, retryable: bool
) -> None:
    """By name and, where one name has several causes, by the words; the name is kept."""
    error = transcribe.error_of(name, message)
    assert type(error) is kind
    assert (error.name, error.retryable) == (name, retryable)
    assert name in error.sentence
    assert error.sentence.endswith(error.remedy)


@given(st.sampled_from([*transcribe_errors._KINDS]), st.text(" a\n") | st.text(max_size=40))
def test_exceptions_survive_the_wire(kind: type[TranscribeError], message: str) -> None:
    """In a frame within the stream, and as an answer before it."""
    error = kind(message)
    again = transcribe.read_exception(eventstream.decode(transcribe.write_exception(error)))
    assert (again.name, again.message) == (error.name, message)
    status, headers, body = transcribe.write_refusal(error)
    again = transcribe.read_refusal(status, dict(headers)["x-amzn-errortype"], body)
    assert (again.name, again.message) == (error.name, message)


@given(
    st.integers(100, 599),
    st.text(max_size=20),
    st.binary(max_size=30) | json_values.map(lambda v: json.dumps(v).encode()),
)
def test_any_refusal_is_an_error_with_a_sentence(status: int, kind: str, body: bytes) -> None:
    """Proxies answer with anything; the operator always gets a sentence."""
    assert transcribe.read_refusal(status, kind, body).sentence


def test_refusals_without_a_name_go_by_their_status() -> None:
    """AWS's other ways to say it: after a colon, in the body, in the status alone."""
    read = transcribe.read_refusal
    named = read(403, "AccessDeniedException:http://internal/", b'{"message":"not you"}')
    assert (named.name, named.message) == ("AccessDeniedException", "not you")
    assert type(read(400, "", b'{"__type":"a#ConflictException"}')) is transcribe.Conflict
    assert type(read(403, "", b"<html>")) is transcribe.NotAllowed
    assert type(read(503, "", b"")) is transcribe.ServiceUnavailable
    assert "HTTP status 418" in read(418, "", b"").sentence
    frame = eventstream.Message(
        {":message-type": "error", ":error-code": "InternalFailureException", ":error-message": "m"}
    )
    assert transcribe.read_exception(frame).message == "m"


def test_regions_know_what_they_stream() -> None:
    """Milan does not; a region nobody has heard of may."""
    assert transcribe.has_streaming("eu-central-1")
    assert transcribe.has_streaming("eu-south-1") is False
    assert transcribe.has_streaming("eu-north-9") is None
    assert "eu-west-1" in transcribe.nearest_streaming("eu-south-1")
    assert transcribe.endpoint_url("eu-west-1") == (
        "wss://transcribestreaming.eu-west-1.amazonaws.com:8443/stream-transcription-websocket"
    )
    assert transcribe.endpoint_host("cn-north-1").endswith(".amazonaws.com.cn")
    assert not transcribe.STREAMING_REGIONS & transcribe.REGIONS_WITHOUT_STREAMING


def test_the_regions_are_those_botocore_knows() -> None:
    """When botocore learns of a region or drops one, this table is looked at again."""
    listed = set()
    for partition in Loader().load_data("endpoints")["partitions"]:
        service = partition["services"].get("transcribestreaming", {"endpoints": {}})
        listed |= {region for region in service["endpoints"] if not region.startswith("fips-")}
        for region in set(service["endpoints"]) & transcribe.STREAMING_REGIONS:
            assert transcribe.endpoint_host(region).endswith(partition["dnsSuffix"])
    assert {region for region in listed if "-iso" not in region} == transcribe.STREAMING_REGIONS
    assert not listed & transcribe.REGIONS_WITHOUT_STREAMING
