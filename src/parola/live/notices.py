"""Tells webhooks that jobs are over, again and again until they listen or are given up."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from parola.domain.errors import StoreFailed
from parola.domain.jobs import Job
from parola.live.jobs import RETRY_S, Jobs, Sleep
from parola.ports import Answer, Notifier

logger = logging.getLogger(__name__)

AT_ONCE = 4
"""Webhooks told at the same time: one that never answers keeps others waiting little."""


class Notices:
    """One server's notices. What is due is in the jobs themselves, so that it survives a restart.

    A webhook is told at least once; the job's id says which notice is a repetition.
    """

    def __init__(
        self,
        jobs: Jobs,
        notifier: Notifier,
        now_ms: Callable[[], int],
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._jobs = jobs
        self._notifier = notifier
        self._now_ms = now_ms
        self._sleep = sleep

    async def run(self) -> None:
        """Tell for ever; belongs in the owner's TaskGroup."""
        while True:
            waiting = self._jobs.telling()
            now_ms = self._now_ms()
            due = [job for job in waiting if job.notice and job.notice.due_ms <= now_ms]
            if due:
                async with asyncio.TaskGroup() as tasks:
                    for job in due[:AT_ONCE]:
                        tasks.create_task(self._tell(job))
            else:
                await self._wait(waiting, now_ms)

    async def _wait(self, waiting: list[Job], now_ms: int) -> None:
        """Wait until the next one is due, or something has changed."""
        first = waiting[0].notice if waiting else None
        if first is None:
            await self._jobs.news()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(max((first.due_ms - now_ms) / 1000, 0.01)):
                await self._jobs.news()

    async def _answer(self, job: Job) -> Answer:
        try:
            return await self._notifier.tell(job)
        except Exception:
            # The border between one webhook and all else that goes on here.
            logger.exception("the webhook of recording %s: unexpected", job.id)
            reason = "Something unexpected went wrong; the server's log says what."
            return Answer(is_taken=False, detail=reason, is_hopeless=True)

    async def _tell(self, job: Job) -> None:
        if job.notice is None:
            return
        answer = await self._answer(job)
        if answer.is_taken:
            notice = job.notice.delivered()
        else:
            logger.warning("the webhook of recording %s: %s", job.id, answer.detail)
            notice = job.notice.after(answer.detail, self._now_ms(), is_hopeless=answer.is_hopeless)
            self._jobs.counts.webhook_failures += 1
            self._jobs.counts.webhooks_given_up += notice.outcome == "given up"
        try:
            await self._jobs.note(replace(job, notice=notice))
        except StoreFailed as error:
            logger.warning("recording %s is told again: %s", job.id, error.message)
            await self._sleep(RETRY_S)
