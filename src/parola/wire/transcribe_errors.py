"""What Amazon Transcribe answers instead of a transcript, for both ends of the wire.

TranscribeError                         any name the service did not have in 2026-11
├── BadRequest                          BadRequestException 400: a parameter or the audio is refused
│   ├── IdleTimeout                     no audio for 15 s; a new stream works
│   └── VocabularyRefused               a vocabulary, filter or language model is not there
├── LimitExceeded                       LimitExceededException 429: too many streams, too fast
├── Conflict                            ConflictException 409: a newer stream has our session id
├── InternalFailure                     InternalFailureException 500
├── ServiceUnavailable                  ServiceUnavailableException 503
├── Throttled                           ThrottlingException 429
├── Serialization                       SerializationException 400: a header or frame is unreadable
└── NotAllowed                          403: nothing without other credentials, rights or clock
    ├── AccessDenied                    AccessDeniedException
    ├── UnrecognizedClient              UnrecognizedClientException: the access key is not known
    ├── ExpiredToken                    ExpiredTokenException; fresh credentials may work
    ├── InvalidSignature                InvalidSignatureException: secret key or address is wrong
    │   └── ClockSkew                   the same exception, because of the time in it
    ├── IncompleteSignature             IncompleteSignatureException
    └── MissingAuthenticationToken      MissingAuthenticationTokenException

The endpoint raises them and writes `name`, `status` and `message`. The engine reads them with
`error_of` and turns them into `parola.domain.errors.EngineFailed`, with `sentence`.
"""

from typing import ClassVar

UNKNOWN_TOKEN = "The security token included in the request is invalid."  # noqa: S105
EXPIRED_TOKEN = "The security token included in the request is expired"  # noqa: S105
IDLE_TIMEOUT = "Your request timed out because no new audio was received for 15 seconds."
"""The service's own words."""


class TranscribeError(Exception):
    """The service's exception, with what a person can do about it."""

    name: str = "UnknownException"
    """The word on the wire; the service's own even where the class is not made for it."""

    status: ClassVar[int] = 500
    """The HTTP status when it comes before the stream."""

    retryable: ClassVar[bool] = True
    """Whether a new stream with the same parameters may work, after a while."""

    fresh_credentials: ClassVar[bool] = False
    """Whether that stream needs credentials that were looked up anew."""

    remedy: ClassVar[str] = "Look the name up in Amazon's documentation."
    """A sentence for the operator."""

    def __init__(self, message: str = "", name: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if name:
            self.name = name

    @property
    def sentence(self) -> str:
        """What happened and what to do, for a person."""
        said = f": {self.message.strip().rstrip('.')}" if self.message.strip() else ""
        return f"Amazon Transcribe says {self.name}{said}. {self.remedy}"


class BadRequest(TranscribeError):  # noqa: N818 - the service's word
    """A parameter or the audio is refused; the message says which."""

    name = "BadRequestException"
    status = 400
    retryable = False
    remedy = "Correct the engine's settings for this room; the same request fails again."


class IdleTimeout(BadRequest):
    """No audio reached the service for 15 seconds."""

    retryable = True
    remedy = "A new stream continues; send silence, or close streams in pauses on purpose."


class VocabularyRefused(BadRequest):
    """A custom vocabulary, vocabulary filter or language model cannot be used."""

    remedy = "Check that it exists in this region and account, is READY, and is for this language."


class LimitExceeded(TranscribeError):  # noqa: N818 - the service's word
    """Too many streams at once, started too fast, or a stream longer than 4 hours."""

    name = "LimitExceededException"
    status = 429
    remedy = (
        "Start fewer streams at once, or ask AWS Service Quotas for more concurrent streams "
        "(25 by default)."
    )


class Conflict(TranscribeError):  # noqa: N818 - the service's word
    """A newer stream uses the same session id and has ended this one."""

    name = "ConflictException"
    status = 409
    remedy = "Use a new session id for every stream."


class InternalFailure(TranscribeError):  # noqa: N818 - the service's word
    """The service broke while it was listening."""

    name = "InternalFailureException"
    status = 500
    remedy = "A new stream is started; if it goes on, look at the AWS Health Dashboard."


class ServiceUnavailable(TranscribeError):  # noqa: N818 - the service's word
    """The service cannot be used now."""

    name = "ServiceUnavailableException"
    status = 503
    remedy = "A new stream is started; if it goes on, use another region."


class Throttled(TranscribeError):  # noqa: N818 - the service's word
    """More requests per second than the account may send."""

    name = "ThrottlingException"
    status = 429
    remedy = "Start fewer streams per second (25 by default)."


class Serialization(TranscribeError):  # noqa: N818 - the service's word
    """A header or a frame that the service cannot read."""

    name = "SerializationException"
    status = 400
    retryable = False
    remedy = "This is a fault of the client; please report it."


class NotAllowed(TranscribeError):  # noqa: N818 - the service's word
    """The service does not let this account or this request in."""

    name = "ForbiddenException"
    status = 403
    retryable = False
    remedy = "Check the AWS credentials and their rights with `parola doctor`."


class AccessDenied(NotAllowed):
    """The credentials are known and may not do this."""

    name = "AccessDeniedException"
    remedy = "Allow transcribe:StartStreamTranscriptionWebSocket in the IAM policy."


class UnrecognizedClient(NotAllowed):
    """The access key or the session token is not known to the service."""

    name = "UnrecognizedClientException"
    remedy = "Check the access key and the session token, and that the account uses this region."


class ExpiredToken(NotAllowed):
    """The session token was good once."""

    name = "ExpiredTokenException"
    retryable = True
    fresh_credentials = True
    remedy = "Renew the credentials, for instance with `aws sso login`."


class InvalidSignature(NotAllowed):
    """The signature is not the one that the secret key makes of this request."""

    name = "InvalidSignatureException"
    remedy = "Check the secret access key, and that no proxy changes the address."


class ClockSkew(InvalidSignature):
    """The request was signed too long ago or in the future."""

    retryable = True
    remedy = "Set this machine's clock (it must be right to 5 minutes)."


class IncompleteSignature(NotAllowed):
    """A part of the signature is absent or malformed."""

    name = "IncompleteSignatureException"
    remedy = "Sign with AWS Signature Version 4."


class MissingAuthenticationToken(NotAllowed):
    """The request is not signed at all."""

    name = "MissingAuthenticationTokenException"
    remedy = "Sign with AWS Signature Version 4."


def error_of(name: str, message: str) -> TranscribeError:
    """Return the error for the service's name and message, told apart by its words if need be."""
    said = message.lower()
    # The idle limit has been seen under other names than BadRequestException.
    if "no new audio" in said:
        return IdleTimeout(message, name)
    kind = _BY_NAME.get(name) or _BY_NAME.get(f"{name}Exception", TranscribeError)
    if kind is BadRequest and ("vocabulary" in said or "language model" in said):
        kind = VocabularyRefused
    if kind is InvalidSignature and ("expired" in said or "not yet current" in said):
        kind = ClockSkew
    return kind(message, name)


_KINDS: tuple[type[TranscribeError], ...] = (
    BadRequest,
    LimitExceeded,
    Conflict,
    InternalFailure,
    ServiceUnavailable,
    Throttled,
    Serialization,
    NotAllowed,
    AccessDenied,
    UnrecognizedClient,
    ExpiredToken,
    InvalidSignature,
    IncompleteSignature,
    MissingAuthenticationToken,
)

_BY_NAME: dict[str, type[TranscribeError]] = {
    **{kind.name: kind for kind in _KINDS},
    # Other words of AWS for the same things.
    "InternalServerException": InternalFailure,
    "InvalidClientTokenId": UnrecognizedClient,
    "RequestExpired": ClockSkew,
    "SignatureDoesNotMatch": InvalidSignature,
    "TooManyRequestsException": Throttled,
    "ValidationException": BadRequest,
}
