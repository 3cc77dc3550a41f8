"""Turns what goes wrong with Amazon Transcribe into our errors: worth another stream, or not."""

from websockets.exceptions import InvalidStatus

from parola.domain.errors import EngineFailed, NoEngine, ParolaError
from parola.wire.transcribe import TranscribeError, read_refusal

INSTALL = "Amazon's library is not installed: pip install 'parola[amazon]'."


class LinkLost(EngineFailed):
    """The connection to the service is gone, or as good as gone. A new stream may work."""


class Busy(EngineFailed):
    """The service wants fewer streams, or none of ours is free. A later stream may work."""


class RegionRefused(NoEngine):
    """No region is set, or the one that is does not stream."""


def hopeless(sentence: str) -> ParolaError:
    """Return the error for what stays wrong until a person acts: no other stream is tried."""
    return NoEngine(sentence)


def of_service(error: TranscribeError) -> ParolaError:
    """Return our error for the service's."""
    # A stream of 4 hours ends with the same name; that is no reason to wait.
    if error.status == 429 and "length limit" not in error.message:
        return Busy(error.sentence)
    return EngineFailed(error.sentence) if error.retryable else hopeless(error.sentence)


def of_refusal(refused: InvalidStatus) -> TranscribeError:
    """Return the service's error for a connection that it did not accept."""
    answer = refused.response
    kind = answer.headers.get("x-amzn-errortype", "")
    return read_refusal(answer.status_code, kind, bytes(answer.body or b""))
