"""Hears from Amazon Transcribe when a batch job is over: by events, or not at all.

Events come at best effort, may come twice, and prove nothing: they only say that it is time to ask.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from parola.domain.errors import StoreFailed

logger = logging.getLogger(__name__)

RETRY_S = 20.0
"""The pause after a queue that cannot be read."""

T = TypeVar("T")


class Service(Protocol):
    """One AWS service, called from a thread of its own."""

    async def call(self, work: Callable[[Any], T]) -> T:
        """Return what `work` makes of the client.

        Raises:
            StoreFailed: AWS refused it or did not answer.
        """


class Events(Protocol):
    """Says when it is time to ask."""

    async def wait(self, name: str, within_s: float) -> None:
        """Wait until something was said of a job, at most some seconds."""


class NoEvents:
    """Nobody says anything: it is asked from time to time."""

    async def wait(self, name: str, within_s: float) -> None:  # noqa: ARG002
        await asyncio.sleep(within_s)


class SqsEvents:
    """Events that EventBridge, or SNS behind it, puts into a queue of this server's own."""

    def __init__(self, sqs: Service, url: str) -> None:
        self._sqs = sqs
        self._url = url
        self._waiting: dict[str, asyncio.Event] = {}
        self._asked = asyncio.Event()

    async def wait(self, name: str, within_s: float) -> None:
        came = self._waiting[name] = asyncio.Event()
        self._asked.set()
        try:
            async with asyncio.timeout(within_s):
                await came.wait()
        except TimeoutError:
            pass
        finally:
            del self._waiting[name]

    async def run(self) -> None:
        """Read the queue while somebody waits, for ever; belongs in the owner's TaskGroup."""
        while True:
            if not self._waiting:
                self._asked.clear()
                await self._asked.wait()
            try:
                bodies = await self._sqs.call(self._take)
            except StoreFailed as error:
                logger.warning("events of Amazon Transcribe: %s", error.message)
                await asyncio.sleep(RETRY_S)
                continue
            for name in map(job_named_in, bodies):
                if name and (came := self._waiting.get(name)):
                    came.set()

    def _take(self, sqs: Any) -> list[str]:  # noqa: ANN401 - boto3 has no types
        """Return what came, and take it out of the queue: a lost event costs one pause."""
        answer = sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        messages = answer.get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]


def job_named_in(body: str) -> str | None:
    """Return the job that an event is about, as EventBridge or SNS writes it; None for all else.

    Source: Amazon Transcribe Developer Guide, "Using Amazon EventBridge".
    """
    try:
        event = json.loads(body)
        if "Message" in event and "detail" not in event:
            event = json.loads(event["Message"])
        name = event["detail"]["TranscriptionJobName"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return name if isinstance(name, str) else None
