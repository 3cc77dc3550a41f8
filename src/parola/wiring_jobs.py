"""Names the plugs of recordings that are written down in the background, and opens them."""

import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from parola.beside import beside
from parola.buses.webhooks import Webhooks, read_secret
from parola.domain.vocabulary import Language
from parola.engines.amazon_batch import AmazonBatch
from parola.engines.amazon_batch_events import Events, NoEvents, SqsEvents
from parola.engines.fetched import Fetched
from parola.engines.recordings import RecordingProcess
from parola.live.jobs import JobLimits, Jobs
from parola.live.notices import Notices
from parola.ports import Notifier, Transcriber
from parola.stores.aws import open_aws
from parola.stores.s3 import S3
from parola.stores.sqlite_jobs import open_sqlite_jobs

PROGRAM = "parola.cli.job_process"
"""What writes a recording down, a process for each."""


def networks_in(value: object) -> object:
    """Take "10.0.0.0/8,::1" from the environment, and refuse what is no network.

    Raises:
        ValueError: one of them is none.
    """
    networks = value.split(",") if isinstance(value, str) else value
    for network in networks if isinstance(networks, list | tuple) else ():
        ipaddress.ip_network(network)
    return networks


class JobSettings(BaseSettings):
    """What can be set for them."""

    jobs_at_once: int = Field(
        1, ge=1, description="Recordings written down in the background at the same time."
    )
    max_jobs: int = Field(50, ge=1, description="Recordings that may wait to be written down.")
    max_job_h: float = Field(12.0, gt=0, description="Hours that such a recording may last.")
    keep_jobs_h: float = Field(
        168.0, gt=0, description="Hours that the text of such a one is kept."
    )
    job_source: Annotated[list[str], NoDecode] = Field(
        [], description="Amazon S3 buckets that recordings may be fetched from."
    )
    job_bucket: str | None = Field(
        None,
        description="Amazon S3 bucket for Amazon Transcribe's batch jobs, which do the work then.",
    )
    job_events: str | None = Field(
        None, description="URL of an Amazon SQS queue that says when such a job is over."
    )
    webhook_secret: str | None = Field(
        None, description="What webhooks are signed with: whsec_ and base64. Better as a variable."
    )
    webhook_network: Annotated[list[str], NoDecode] = Field(
        [], description="Private networks that webhooks may be in; else they are on the internet."
    )

    @field_validator("job_source", mode="before")
    @classmethod
    def _buckets(cls, value: object) -> object:
        """Take "talks,more-talks" from the environment."""
        return value.split(",") if isinstance(value, str) else value

    @field_validator("webhook_secret")
    @classmethod
    def _secret(cls, value: str | None) -> str | None:
        if value is not None:
            read_secret(value)
        return value

    @field_validator("webhook_network", mode="before")
    @classmethod
    def _webhook_networks(cls, value: object) -> object:
        return networks_in(value)


@dataclass(frozen=True, slots=True)
class ForRecordings:
    """What the server knows that its jobs need."""

    data: Path
    """The data folder; the caller holds it."""

    engine_settings: Mapping[str, Any]
    """What the recording's process is told of the server's settings."""

    max_bytes: int
    """How large a recording may be."""

    check: Callable[[Language], object]
    """Raises NoEngine for a language that no engine here knows."""

    now_ms: Callable[[], int]


@asynccontextmanager
async def open_jobs(
    settings: JobSettings, given: ForRecordings
) -> AsyncIterator[tuple[Jobs, Notifier]]:
    """Open the job book of a data folder, and work on it meanwhile.

    Raises:
        StoreFailed: the book cannot be read, or something that is set needs boto3.
    """
    async with AsyncExitStack() as stack:
        book = await stack.enter_async_context(open_sqlite_jobs(given.data))
        transcriber = await stack.enter_async_context(_transcriber(settings, given))
        keep_s = settings.keep_jobs_h * 3600
        limits = JobLimits(settings.jobs_at_once, settings.max_jobs, keep_s)
        jobs = Jobs(book, transcriber, given.data / "jobs", limits, given.now_ms)
        await jobs.load()
        secret = settings.webhook_secret
        webhooks = Webhooks(
            read_secret(secret) if secret else None,
            [ipaddress.ip_network(network) for network in settings.webhook_network],
        )
        await stack.enter_async_context(beside(jobs.run()))
        await stack.enter_async_context(beside(Notices(jobs, webhooks, given.now_ms).run()))
        yield jobs, webhooks


@asynccontextmanager
async def _transcriber(settings: JobSettings, given: ForRecordings) -> AsyncIterator[Transcriber]:
    """Give what writes recordings down: Amazon where it has a bucket, else the engines here."""
    max_s = settings.max_job_h * 3600
    here = RecordingProcess(PROGRAM, given.engine_settings, max_s, given.check)
    if not (settings.job_bucket or settings.job_source):
        yield here
        return
    async with AsyncExitStack() as stack:
        objects = S3(await stack.enter_async_context(open_aws("s3")))
        writer: Transcriber = here
        if settings.job_bucket:
            transcribe = await stack.enter_async_context(open_aws("transcribe"))
            events = await stack.enter_async_context(_events(settings.job_events))
            writer = AmazonBatch(transcribe, objects, settings.job_bucket, events, here)
        yield Fetched(writer, objects, given.max_bytes)


@asynccontextmanager
async def _events(queue_url: str | None) -> AsyncIterator[Events]:
    if queue_url is None:
        yield NoEvents()
        return
    async with open_aws("sqs") as sqs:
        events = SqsEvents(sqs, queue_url)
        async with beside(events.run()):
            yield events
