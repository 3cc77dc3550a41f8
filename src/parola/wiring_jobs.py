"""Names the plugs of recordings that are written down in the background, and opens them."""

import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from parola.beside import beside
from parola.buses.webhooks import Webhooks, read_secret
from parola.engines.recordings import RecordingProcess
from parola.live.jobs import JobLimits, Jobs
from parola.live.notices import Notices
from parola.ports import Notifier
from parola.stores.sqlite_jobs import open_sqlite_jobs

PROGRAM = "parola.cli.job_process"
"""What writes a recording down, a process for each."""


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
    webhook_secret: str | None = Field(
        None, description="What webhooks are signed with: whsec_ and base64. Better as a variable."
    )
    webhook_network: Annotated[list[str], NoDecode] = Field(
        [], description="Private networks that webhooks may be in; else they are on the internet."
    )

    @field_validator("webhook_secret")
    @classmethod
    def _secret(cls, value: str | None) -> str | None:
        if value is not None:
            read_secret(value)
        return value

    @field_validator("webhook_network", mode="before")
    @classmethod
    def _webhook_networks(cls, value: object) -> object:
        """Take "10.0.0.0/8,::1" from the environment, and refuse what is no network."""
        networks = value.split(",") if isinstance(value, str) else value
        for network in networks if isinstance(networks, list | tuple) else ():
            ipaddress.ip_network(network)
        return networks


@asynccontextmanager
async def open_jobs(
    settings: JobSettings, data: Path, engine_settings: Mapping[str, Any], now_ms: Callable[[], int]
) -> AsyncIterator[tuple[Jobs, Notifier]]:
    """Open the job book of a data folder that the caller holds, and work on it meanwhile.

    Args:
        settings: what is set for jobs.
        data: the data folder.
        engine_settings: what the recording's process is told of the others.
        now_ms: the time.

    Raises:
        StoreFailed: the book cannot be read.
    """
    async with AsyncExitStack() as stack:
        book = await stack.enter_async_context(open_sqlite_jobs(data))
        transcriber = RecordingProcess(PROGRAM, engine_settings, settings.max_job_h * 3600)
        limits = JobLimits(settings.jobs_at_once, settings.max_jobs, settings.keep_jobs_h * 3600)
        jobs = Jobs(book, transcriber, data / "jobs", limits, now_ms)
        await jobs.load()
        secret = settings.webhook_secret
        webhooks = Webhooks(
            read_secret(secret) if secret else None,
            [ipaddress.ip_network(network) for network in settings.webhook_network],
        )
        await stack.enter_async_context(beside(jobs.run()))
        await stack.enter_async_context(beside(Notices(jobs, webhooks, now_ms).run()))
        yield jobs, webhooks
