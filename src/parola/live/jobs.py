"""Writes down recordings one after the other, and forgets none of them whatever ends the server.

A job is durably in the book before it is begun, and its text is kept in the same step that ends
it: a server that dies in between does the job once more, and nobody sees half of it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from parola.beside import beside
from parola.domain.errors import EngineFailed, NotFound, ParolaError, ServerFull, StoreFailed
from parola.domain.jobs import MAX_TRIES, Job, JobStatus, Written
from parola.domain.vocabulary import Language
from parola.ports import JobBook, Transcriber

logger = logging.getLogger(__name__)

RETRY_S = 5.0
"""The pause before a job is tried again, and before a book that failed is."""

PRUNE_S = 600.0
"""How often it looks for text that was kept long enough."""

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class JobLimits:
    """How much one server takes on."""

    at_once: int = 1
    """Recordings written down at the same time."""

    unfinished: int = 50
    """Jobs that wait or run."""

    keep_s: float = 7 * 86_400.0
    """How long a job and its text are kept once it is over."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job for who looks at it."""

    job: Job
    done_s: float = 0.0
    """Seconds of its sound that are written down."""

    ahead: int = 0
    """How many jobs wait before it."""


@dataclass(slots=True)
class JobCounts:
    """What has become of jobs since the process began."""

    done: int = 0
    failed: int = 0
    audio_s: float = 0.0
    """Seconds of sound that were written down."""

    withheld_words: int = 0
    webhook_failures: int = 0
    """Tries to tell a webhook that did not work."""

    webhooks_given_up: int = 0


class _Removed(ParolaError):  # noqa: N818 - a state, not a failure
    """Nobody wants the job any more."""


class Jobs:
    """All jobs of one data folder. They are few: all but their text is in memory."""

    def __init__(
        self,
        book: JobBook,
        transcriber: Transcriber,
        folder: Path,
        limits: JobLimits,
        now_ms: Callable[[], int],
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Begin with nothing; `load` reads the book.

        Args:
            book: where jobs are kept.
            transcriber: what writes them down.
            folder: where uploads lie, each under its job's id.
            limits: how much is taken on.
            now_ms: the time, in milliseconds since 1970.
            sleep: waits some seconds.
        """
        self._book = book
        self._transcriber = transcriber
        self._folder = folder
        self._limits = limits
        self._now_ms = now_ms
        self._sleep = sleep
        self._jobs: dict[str, Job] = {}
        self._done_s: dict[str, float] = {}
        self._coming = 0
        self._stops: dict[str, asyncio.Event] = {}
        self._leaving: set[str] = set()
        self.counts = JobCounts()
        self._changed = asyncio.Event()

    async def load(self) -> None:
        """Take up what an earlier process left, and clear away uploads that no job needs.

        Raises:
            StoreFailed: the book cannot be read.
        """
        for job in await self._book.jobs():
            taken_up = job.after_crash(self._now_ms())
            if taken_up is not job:
                await self._book.put(taken_up)
            self._jobs[job.id] = taken_up
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                job_there = self._jobs.get(path.name)
                if job_there is None or job_there.is_over:
                    _delete(path)

    async def run(self) -> None:
        """Work for ever; belongs in the owner's TaskGroup. Cancelled, it puts back what it did."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._limits.at_once):
                tasks.create_task(self._work())
            tasks.create_task(self._prune())

    def check(self, language: Language) -> None:
        """Do nothing, if a recording in that language can be written down.

        Raises:
            NoEngine: it cannot.
        """
        self._transcriber.check(language)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold the place of a job whose recording is on its way in.

        Raises:
            ServerFull: as many jobs wait as may.
        """
        unfinished = sum(not job.is_over for job in self._jobs.values())
        if unfinished + self._coming >= self._limits.unfinished:
            raise ServerFull(
                f"{self._limits.unfinished} recordings wait already, the limit here; come back"
                " when some of them are done."
            )
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    async def add(self, job: Job) -> None:
        """Queue a job; it is durable when this returns.

        Raises:
            StoreFailed: it is not kept now, and not done either.
        """
        await self._book.put(job)
        self._jobs[job.id] = job
        self._tell()

    async def remove(self, job_id: str) -> None:
        """Stop a job if it runs, and forget it with its text and its recording.

        Raises:
            NotFound: there is none of that id.
            StoreFailed: it is not forgotten now.
        """
        job = self._known(job_id)
        self._leaving.add(job_id)
        try:
            if stop := self._stops.get(job_id):
                stop.set()
            # The book must hear of the removal after all that its worker still says of it.
            while job_id in self._stops:
                await self._changed.wait()
            await self._book.remove(job_id)
            self._jobs.pop(job_id, None)
        finally:
            self._leaving.discard(job_id)
            self._tell()
        await self._clear_up(job)

    async def forget(self, before_ms: int) -> int:
        """Forget each job that was over before a time, with its text; return how many.

        Raises:
            StoreFailed: not all of them are forgotten now.
        """
        gone = 0
        for job in list(self._jobs.values()):
            if job.was_over(before_ms):
                with suppress(NotFound):  # somebody else has just removed it
                    await self.remove(job.id)
                    gone += 1
        return gone

    def view(self, job_id: str) -> JobView:
        """Return how a job stands.

        Raises:
            NotFound: there is none of that id.
        """
        job = self._known(job_id)
        place = 0
        if job.status == "queued":
            waiting = [other.id for other in self._jobs.values() if other.status == "queued"]
            place = waiting.index(job_id)
        return JobView(job, self._done_s.get(job_id, 0.0), place)

    def views(self) -> list[JobView]:
        """Return how every job stands, the newest first."""
        return [self.view(job_id) for job_id in reversed(self._jobs)]

    async def watch(self, job_id: str) -> AsyncGenerator[JobView]:
        """Yield how a job stands, now and on every change, until it is over.

        Raises:
            NotFound: there is none of that id, or none any more.
        """
        last = None
        while True:
            changed, view = self._changed, self.view(job_id)
            if view != last:
                yield view
                last = view
            if view.job.is_over:
                return
            await changed.wait()

    async def written(self, job_id: str) -> tuple[Job, Written]:
        """Return a job that is done, and its text.

        Raises:
            NotFound: there is none of that id, or it is not done.
            StoreFailed: the book cannot be read.
        """
        job = self._known(job_id)
        if job.status != "done":
            raise NotFound(f'This recording is not written down: it is "{job.status}".')
        return job, await self._book.written(job_id)

    @property
    def standing(self) -> Counter[JobStatus]:
        """How many jobs stand how."""
        return Counter(job.status for job in self._jobs.values())

    @property
    def oldest_queued_s(self) -> float:
        """How long ago the oldest of those that wait was sent in; 0 where none waits."""
        sent_in = (job.created_ms for job in self._jobs.values() if job.status == "queued")
        now_ms = self._now_ms()
        return max(now_ms - min(sent_in, default=now_ms), 0) / 1000

    def telling(self) -> list[Job]:
        """Return the jobs whose webhooks have still to be told, the most urgent first."""
        found = [job for job in self._jobs.values() if job.tells]
        return sorted(found, key=lambda job: job.notice.due_ms if job.notice else 0)

    async def note(self, job: Job) -> None:
        """Keep what was noted in a job that is over, unless it was removed meanwhile.

        Raises:
            StoreFailed: it is not kept now.
        """
        if job.id in self._jobs and job.id not in self._leaving:
            self._jobs[job.id] = job
            await self._book.put(job)

    async def news(self) -> None:
        """Wait until something about any job has changed."""
        await self._changed.wait()

    def _known(self, job_id: str) -> Job:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise NotFound("There is no such recording here (any more).") from None

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _work(self) -> None:
        while True:
            changed = self._changed
            if job := next(self._waiting(), None):
                await self._begin(job)
            else:
                await changed.wait()

    def _waiting(self) -> Iterator[Job]:
        for job in self._jobs.values():
            if job.status == "queued" and job.id not in self._leaving:
                yield job

    async def _begin(self, job: Job) -> None:
        """Do a job, or as much of it as can be done."""
        begun = self._jobs[job.id] = job.begun(self._now_ms())
        stop = self._stops[job.id] = asyncio.Event()
        try:
            async with beside(_until(stop)):
                await self._do(begun)
        except _Removed:
            logger.info("recording %s is not wanted any more", job.id)
        finally:
            del self._stops[job.id]
            self._done_s.pop(job.id, None)
            self._tell()

    async def _do(self, job: Job) -> None:
        await self._keep(job)
        try:
            ended, written = await self._transcribed(job)
        except asyncio.CancelledError:
            self._jobs[job.id] = job.put_back()
            with suppress(StoreFailed):  # then it counts as begun
                await self._book.put(self._jobs[job.id])
            raise
        await self._keep(ended, written)
        self._count(ended)
        if ended.is_over:
            await self._clear_up(ended)
        else:
            await self._sleep(RETRY_S)

    def _count(self, job: Job) -> None:
        if job.status == "failed":
            self.counts.failed += 1
        elif job.status == "done":
            self.counts.done += 1
            self.counts.audio_s += job.seconds or 0.0
            self.counts.withheld_words += job.withheld_words

    async def _transcribed(self, job: Job) -> tuple[Job, Written | None]:
        """Return the job as it is after this try, and its text if there is one."""
        try:
            written = await self._transcriber.transcribe(
                job, self._folder / job.id, lambda done_s: self._note_progress(job, done_s)
            )
        except (EngineFailed, StoreFailed) as error:
            logger.warning("recording %s, try %d: %s", job.id, job.tries, error.message)
            if job.tries < MAX_TRIES:
                return job.queued_again(), None
            return job.failed(error, self._now_ms()), None
        except ParolaError as error:
            logger.warning("recording %s: %s: %s", job.id, error.code, error.message)
            return job.failed(error, self._now_ms()), None
        except Exception:
            # The border between one recording and all else that goes on here.
            logger.exception("recording %s: unexpected", job.id)
            bug = EngineFailed("Something unexpected went wrong; the server's log says what.")
            return job.failed(bug, self._now_ms()), None
        return job.done(written, self._now_ms()), written

    def _note_progress(self, job: Job, done_s: float) -> None:
        self._done_s[job.id] = done_s
        self._tell()

    async def _keep(self, job: Job, written: Written | None = None) -> None:
        """Keep a job, however long the book cannot be written; then show it."""
        while True:
            try:
                await self._book.put(job, written)
                break
            except StoreFailed as error:
                logger.error("recording %s is not kept: %s", job.id, error.message)  # noqa: TRY400
                await self._sleep(RETRY_S)
        self._jobs[job.id] = job
        self._tell()

    async def _clear_up(self, job: Job) -> None:
        _delete(self._folder / job.id)
        try:
            await self._transcriber.forget(job)
        except StoreFailed as error:
            logger.warning("something is left over of recording %s: %s", job.id, error.message)

    async def _prune(self) -> None:
        while True:
            before_ms = self._now_ms() - int(self._limits.keep_s * 1000)
            try:
                await self.forget(before_ms)
            except StoreFailed as error:
                logger.warning("old recordings are not forgotten: %s", error.message)
            await self._sleep(PRUNE_S)


def _delete(recording: Path) -> None:
    try:
        recording.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s cannot be deleted (%s)", recording, error.strerror)


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()
    raise _Removed("Nobody wants it any more.")
