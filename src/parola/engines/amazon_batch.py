"""Has recordings written down by Amazon Transcribe's batch jobs.

Amazon's job has the name of ours, so that a server which died in between finds it again: it is
begun, and paid for, once. What Amazon says when it is asked is the truth; an event only says that
it is time to ask. Its text is weighed against the sound before anybody gets it (docs/why/029). Not
run against AWS yet, only against a stand-in.
"""

import logging
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from parola.domain.errors import (
    BadAudio,
    BadMessage,
    EngineFailed,
    NoEngine,
    NotFound,
    StoreFailed,
)
from parola.domain.jobs import Job, Written, check_length
from parola.domain.vocabulary import Language
from parola.engines.amazon_batch_events import Events, Service
from parola.ports import Objects

logger = logging.getLogger(__name__)

POLL_S = 20.0
"""How often Amazon is asked, where no event comes. Asking costs nothing."""

PATIENCE = 45
"""Questions in a row that may fail; a quarter of an hour."""

LONGEST_S = 4 * 3600.0
"""Source: Amazon Transcribe, guidelines and quotas: maximum audio file length."""

TRANSCRIPT_BYTES = 256 * 2**20
"""Four hours of quick speech are some 10 MB."""


class Prover(Protocol):
    """Weighs what Amazon has written against the sound."""

    async def prove(
        self, job: Job, file: Path, text: bytes, on_progress: Callable[[float], None]
    ) -> Written:
        """Return what of a text is in the recording.

        Raises:
            NotFound: there is no recording any more.
            EngineFailed: the text cannot be read, or it does not work now.
            BadAudio: the recording cannot be decoded.
        """


class AmazonBatch:
    """A transcriber; it needs each recording as a file, wherever Amazon reads it.

    What it puts into its bucket is deleted when the job is over.
    """

    def __init__(
        self,
        transcribe: Service,
        objects: Objects,
        bucket: str,
        events: Events,
        prover: Prover,
        *,
        poll_s: float = POLL_S,
    ) -> None:
        """Use a bucket, for uploads on their way in and text on its way out."""
        self._transcribe = transcribe
        self._objects = objects
        self._bucket = bucket
        self._events = events
        self._prover = prover
        self._poll_s = poll_s

    def check(self, language: Language) -> None:
        if language not in _languages():
            raise NoEngine(
                f"Amazon Transcribe writes down no {language}; tags are like en-US, it-IT, fr-CA."
            )

    async def transcribe(
        self, job: Job, file: Path, on_progress: Callable[[float], None]
    ) -> Written:
        """Cancelled, it leaves Amazon's job alone: the next one to ask takes it up.

        Amazon tells no progress: what is told is how far its text is weighed.
        """
        check_length(job.seconds, LONGEST_S)
        if await self._found(_name(job)) is None:
            media = job.source or self._place(job, "in")
            if not job.source:
                await self._objects.store(file, media)
            await self._start(job, media)
        await self._until_over(_name(job))
        text = await self._objects.read(self._place(job, "json"), TRANSCRIPT_BYTES)
        return await self._prover.prove(job, file, text, on_progress)

    async def forget(self, job: Job) -> None:
        """A source in somebody's bucket stays."""
        for kind in ("in", "json"):
            try:
                await self._objects.delete(self._place(job, kind))
            except NotFound as error:
                raise StoreFailed(error.message) from error
        await self._transcribe.call(
            lambda client: client.delete_transcription_job(TranscriptionJobName=_name(job))
        )

    def _place(self, job: Job, kind: str) -> str:
        return f"s3://{self._bucket}/parola/{job.id}.{kind}"

    async def _found(self, name: str) -> dict[str, Any] | None:
        """Return Amazon's job; None where there is none of that name."""

        def ask(client: Any) -> dict[str, Any] | None:  # noqa: ANN401 - boto3 has no types
            try:
                answer = client.get_transcription_job(TranscriptionJobName=name)
            except _client_error() as error:
                if _says_missing(error):
                    return None
                raise
            found: dict[str, Any] = answer["TranscriptionJob"]
            return found

        return await self._transcribe.call(ask)

    async def _start(self, job: Job, media: str) -> None:
        def start(client: Any) -> None:  # noqa: ANN401 - boto3 has no types
            try:
                client.start_transcription_job(
                    TranscriptionJobName=_name(job),
                    LanguageCode=job.language,
                    Media={"MediaFileUri": media},
                    OutputBucketName=self._bucket,
                    OutputKey=f"parola/{job.id}.json",
                )
            except client.exceptions.ConflictException:
                return  # it was begun, and its answer was lost
            except client.exceptions.BadRequestException as error:
                raise BadMessage(f"Amazon Transcribe does not take it: {_words(error)}") from error

        await self._transcribe.call(start)

    async def _until_over(self, name: str) -> None:
        """Wait until Amazon is done.

        Raises:
            BadAudio: it cannot write that recording down; the message says why.
            EngineFailed: its job has gone.
            StoreFailed: it does not answer for long.
        """
        failures = 0
        while True:
            try:
                found = await self._found(name)
                failures = 0
            except StoreFailed as error:
                failures += 1
                if failures > PATIENCE:
                    raise
                logger.warning("%s is asked for again: %s", name, error.message)
                found = {}
            if found is None:
                raise EngineFailed("Amazon Transcribe knows nothing of the job any more.")
            if found.get("TranscriptionJobStatus") == "COMPLETED":
                return
            if found.get("TranscriptionJobStatus") == "FAILED":
                reason = found.get("FailureReason", "it gives no reason.")
                raise BadAudio(f"Amazon Transcribe cannot write it down: {reason}")
            await self._events.wait(name, self._poll_s)


def _name(job: Job) -> str:
    return f"parola-{job.id}"


def _languages() -> frozenset[str]:
    """Return what botocore's own description of the service lists."""
    loader = import_module("botocore.loaders").create_loader()
    model = loader.load_service_model("transcribe", "service-2")
    return frozenset(model["shapes"]["LanguageCode"]["enum"])


def _client_error() -> type[Exception]:
    error: type[Exception] = import_module("botocore.exceptions").ClientError
    return error


def _says_missing(error: Exception) -> bool:
    # AWS answers BadRequestException here, though it has a word of its own for it.
    code = str(getattr(error, "response", {}).get("Error", {}).get("Code"))
    is_unknown = code == "BadRequestException" and "couldn't be found" in str(error)
    return code == "NotFoundException" or is_unknown


def _words(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Message", error))
