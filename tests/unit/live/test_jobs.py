"""Recordings are written down one after the other, and none is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from parola.beside import beside
from parola.domain.errors import BadAudio, EngineFailed, NotFound, ServerFull
from parola.domain.jobs import MAX_TRIES, NOTICE_PAUSES_S, Job, Notice, Written
from parola.domain.log import Withheld
from parola.domain.transcript import Segment
from parola.domain.vocabulary import Language, language_tag
from parola.live.jobs import JobLimits, Jobs
from parola.live.notices import Notices
from parola.ports import Answer
from parola.stores.memory_jobs import MemoryJobBook

TEXT = Written(
    (Segment("talk", 1, "ciao", 0, 1600, True, "it-IT"),),
    0.1,
    (Withheld("talk", "thank you", 0, 1600, "no speech", 0.0),),
)


class SlowTranscriber:
    """Writes down what a test lets it, when the test lets it."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.may_end = asyncio.Event()
        self.running: list[str] = []
        self.most_at_once = 0
        self.begun: list[str] = []
        self.forgotten: list[str] = []

    def check(self, language: Language) -> None:
        """It knows them all."""

    async def transcribe(
        self, job: Job, file: Path, on_progress: Callable[[float], None]
    ) -> Written:
        self.begun.append(job.id)
        self.running.append(job.id)
        self.most_at_once = max(self.most_at_once, len(self.running))
        try:
            on_progress(0.05)
            await self.may_end.wait()
            if self.failures:
                raise self.failures.pop(0)
            return TEXT
        finally:
            self.running.remove(job.id)

    async def forget(self, job: Job) -> None:
        self.forgotten.append(job.id)


@dataclass(slots=True)
class Shop:
    jobs: Jobs
    book: MemoryJobBook
    folder: Path
    clock_ms: list[int]
    pauses: list[float]

    async def add(self, job_id: str, **fields: object) -> Job:
        """Queue a job with its recording."""
        job = Job(job_id, f"{job_id}.wav", language_tag("it-IT"), 1000, **fields)  # type: ignore[arg-type]
        (self.folder / job_id).write_bytes(b"sound")
        await self.jobs.add(job)
        return job

    async def until(self, job_id: str, status: str) -> Job:
        """Return a job once it stands so."""
        async with asyncio.timeout(10):
            async for view in self.jobs.watch(job_id):
                if view.job.status == status:
                    return view.job
        raise AssertionError(f"{job_id} is over, and was never {status}")


@asynccontextmanager
async def shop(
    folder: Path,
    transcriber: SlowTranscriber,
    book: MemoryJobBook | None = None,
    limits: JobLimits | None = None,
) -> AsyncIterator[Shop]:
    """Open jobs that work while the body runs."""
    clock, pauses, book = [10_000], list[float](), book or MemoryJobBook()

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        if pause_s > 100:  # the next look for what is old never comes
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)

    limits = limits or JobLimits()
    jobs = Jobs(book, transcriber, folder, limits, lambda: clock[0], sleep=sleep)
    await jobs.load()
    async with beside(jobs.run()):
        yield Shop(jobs, book, folder, clock, pauses)


async def test_a_job_is_done_and_its_recording_deleted(tmp_path: Path) -> None:
    """It is queued, begun and done, in the book before it is shown; the upload is gone then."""
    transcriber = SlowTranscriber()
    async with shop(tmp_path, transcriber) as there:
        await there.add("a")
        await there.until("a", "running")
        assert there.jobs.view("a").done_s == 0.05
        with pytest.raises(NotFound, match="running"):
            await there.jobs.written("a")
        transcriber.may_end.set()
        job = await there.until("a", "done")
        assert there.book.puts == ["queued", "running", "done"]
        assert await there.jobs.written("a") == (job, TEXT)
        assert (job.seconds, job.tries, job.finished_ms) == (0.1, 1, 10_000)
    assert list(tmp_path.iterdir()) == []
    assert transcriber.forgotten == ["a"]


async def test_only_so_many_run_at_once_and_wait(tmp_path: Path) -> None:
    """Jobs run in order, no more than may; those that wait know how many are before them."""
    transcriber = SlowTranscriber()
    limits = JobLimits(at_once=2, unfinished=4)
    async with shop(tmp_path, transcriber, limits=limits) as there:
        for job_id in "abc":
            await there.add(job_id)
        with there.jobs.place():
            with pytest.raises(ServerFull, match="4 recordings wait"), there.jobs.place():
                pass
            await there.add("d")
        await there.until("b", "running")
        assert [there.jobs.view(job_id).ahead for job_id in "abcd"] == [0, 0, 0, 1]
        transcriber.may_end.set()
        await there.until("d", "done")
    assert transcriber.begun == ["a", "b", "c", "d"]
    assert transcriber.most_at_once == 2


async def test_what_a_crash_left_running_is_done_once_more(tmp_path: Path) -> None:
    """The next process takes up what was begun, keeps what was done, and clears away the rest."""
    book, transcriber = MemoryJobBook(), SlowTranscriber()
    tag = language_tag("it-IT")
    await book.put(Job("done", "d", tag, 1).begun(2).done(TEXT, 3), TEXT)
    await book.put(Job("cut", "c", tag, 1).begun(2))
    for name in ("done", "cut", "nobodys"):
        (tmp_path / name).write_bytes(b"sound")
    transcriber.may_end.set()
    async with shop(tmp_path, transcriber, book) as there:
        job = await there.until("cut", "done")
    assert job.tries == 2
    assert transcriber.begun == ["cut"]
    assert list(tmp_path.iterdir()) == []


async def test_a_recording_that_ends_the_server_is_given_up(tmp_path: Path) -> None:
    """After three crashes it is not begun again, and says so."""
    book, transcriber = MemoryJobBook(), SlowTranscriber()
    job = Job("bad", "b", language_tag("it-IT"), 1)
    for _ in range(MAX_TRIES):
        job = job.after_crash(5).begun(2)
    await book.put(job)
    async with shop(tmp_path, transcriber, book) as there:
        found = there.jobs.view("bad").job
    assert (found.status, found.finished_ms) == ("failed", 10_000)
    assert "3 times" in found.message
    assert transcriber.begun == []


async def test_a_stop_is_no_try(tmp_path: Path) -> None:
    """A server that is stopped, however often, puts the job back as it was."""
    book = MemoryJobBook()
    for stop in range(2 * MAX_TRIES):
        transcriber = SlowTranscriber()
        async with shop(tmp_path, transcriber, book) as there:
            if stop == 0:
                await there.add("a")
            await there.until("a", "running")
        assert [(job.status, job.tries) for job in await book.jobs()] == [("queued", 0)]
    assert (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("failures", "status", "tries"),
    [
        ([BadAudio("The file is empty.")], "failed", 1),
        ([EngineFailed("It broke.")] * 2, "done", 3),
        ([EngineFailed("It broke.")] * 3, "failed", 3),
    ],
    ids=["the recording's fault", "the engine comes back", "the engine does not"],
)
async def test_what_may_help_is_tried_again(
    tmp_path: Path, failures: list[Exception], status: str, tries: int
) -> None:
    """A bad file is told at once; a broken engine is tried three times, with pauses."""
    transcriber = SlowTranscriber(*failures)
    transcriber.may_end.set()
    async with shop(tmp_path, transcriber) as there:
        await there.add("a")
        job = await there.until("a", status)
    assert (job.tries, job.message) == (tries, str(failures[-1]) if status == "failed" else "")
    assert len([pause for pause in there.pauses if pause < 100]) == tries - 1
    assert list(tmp_path.iterdir()) == []


async def test_a_bug_ends_one_job_only(tmp_path: Path) -> None:
    """What nobody thought of fails that recording, once; the next one is written down."""
    transcriber = SlowTranscriber(AttributeError("no such thing"))
    transcriber.may_end.set()
    async with shop(tmp_path, transcriber) as there:
        await there.add("a")
        await there.add("b")
        assert "the server's log says what" in (await there.until("a", "failed")).message
        await there.until("b", "done")
    assert transcriber.begun == ["a", "b"]


async def test_a_removed_job_is_stopped_and_never_comes_back(tmp_path: Path) -> None:
    """Running or waiting, it is gone from the book, and so is its recording; the next one runs."""
    transcriber = SlowTranscriber()
    async with shop(tmp_path, transcriber) as there:
        for job_id in "abc":
            await there.add(job_id)
        await there.until("a", "running")
        await there.jobs.remove("a")
        await there.jobs.remove("c")
        with pytest.raises(NotFound):
            there.jobs.view("a")
        await there.until("b", "running")
        assert [job.id for job in await there.book.jobs()] == ["b"]
        assert [path.name for path in tmp_path.iterdir()] == ["b"]


async def test_a_text_outlives_a_book_that_cannot_be_written(tmp_path: Path) -> None:
    """A full disk delays the end of a job and loses nothing."""
    transcriber = SlowTranscriber()
    async with shop(tmp_path, transcriber) as there:
        await there.add("a")
        await there.until("a", "running")
        there.book.fail_with = "The disk is full."
        transcriber.may_end.set()
        async with asyncio.timeout(10):
            while len(there.pauses) < 3:  # noqa: ASYNC110 - pauses are what is waited for
                await asyncio.sleep(0)
        assert there.jobs.view("a").job.status == "running"
        there.book.fail_with = None
        job = await there.until("a", "done")
        assert await there.jobs.written("a") == (job, TEXT)


async def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    """A job that is over is forgotten with its text when its time has come; others are not."""
    book = MemoryJobBook()
    tag = language_tag("it-IT")
    await book.put(Job("old", "o", tag, 1).done(TEXT, 4_999), TEXT)
    await book.put(Job("new", "n", tag, 1).done(TEXT, 5_000), TEXT)
    async with (
        shop(tmp_path, SlowTranscriber(), book, JobLimits(keep_s=5)) as there,
        asyncio.timeout(10),
    ):
        while not there.pauses:  # noqa: ASYNC110 - the pause after the first look
            await asyncio.sleep(0)
        assert [view.job.id for view in there.jobs.views()] == ["new"]
    assert [job.id for job in await book.jobs()] == ["new"]


class Listener:
    """A notifier that answers as it is told, then takes everything."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.told: list[tuple[str, int]] = []
        self.bug: Exception | None = None

    def check(self, url: str) -> None:
        """Every address will do."""

    async def tell(self, job: Job) -> Answer:
        if self.bug:
            raise self.bug
        self.told.append((job.id, job.notice.due_ms if job.notice else 0))
        return self.answers.pop(0) if self.answers else Answer(is_taken=True)


async def told(there: Shop, listener: Listener, job_id: str = "a") -> Notice:
    """Let notices be told, with the clock at what is due next, until nothing is left to tell."""
    async with (
        beside(Notices(there.jobs, listener, lambda: there.clock_ms[0]).run()),
        asyncio.timeout(10),
    ):
        while telling := there.jobs.telling():
            assert telling[0].notice
            there.clock_ms[0] = max(there.clock_ms[0], telling[0].notice.due_ms)
            there.jobs._tell()
            await asyncio.sleep(0)
    notice = there.jobs.view(job_id).job.notice
    assert notice
    return notice


async def test_a_webhook_is_told_until_it_listens(tmp_path: Path) -> None:
    """Each pause is longer than the one before; once it has listened it is told no more."""
    transcriber = SlowTranscriber()
    transcriber.may_end.set()
    listener = Listener(*[Answer(is_taken=False, detail="It answered 500.")] * 2)
    async with shop(tmp_path, transcriber) as there:
        await there.add("a", notice=Notice("https://example.com/"))
        await there.until("a", "done")
        notice = await told(there, listener)
        assert listener.told == [("a", 10_000), ("a", 15_000), ("a", 45_000)]
        assert (notice.outcome, notice.tries, notice.detail) == ("delivered", 3, "")
        kept = await there.book.jobs()
        assert kept[0].notice == notice


async def test_a_webhook_that_never_listens_is_given_up(tmp_path: Path) -> None:
    """The last try is the last one, and the job says why; a hopeless one is not tried again."""
    transcriber = SlowTranscriber()
    transcriber.may_end.set()
    deaf = [Answer(is_taken=False, detail="It answered 500.")] * (len(NOTICE_PAUSES_S) + 1)
    async with shop(tmp_path, transcriber) as there:
        await there.add("a", notice=Notice("https://example.com/"))
        await there.until("a", "done")
        notice = await told(there, Listener(*deaf))
        assert notice.outcome == "given up"
        assert (notice.tries, notice.detail) == (len(deaf), "It answered 500.")
        await there.jobs.remove("a")
        await there.add("a", notice=Notice("https://example.com/"))
        await there.until("a", "done")
        notice = await told(there, Listener(Answer(False, "It is private.", is_hopeless=True)))
        assert (notice.outcome, notice.tries) == ("given up", 1)


async def test_a_bug_ends_one_notice_only(tmp_path: Path) -> None:
    """What nobody thought of gives that notice up, and the jobs go on."""
    transcriber, listener = SlowTranscriber(), Listener()
    transcriber.may_end.set()
    listener.bug = UnicodeError("label too long")
    async with shop(tmp_path, transcriber) as there:
        await there.add("a", notice=Notice("https://example.com/"))
        await there.until("a", "done")
        notice = await told(there, listener)
        assert (notice.outcome, notice.tries) == ("given up", 1)
        await there.add("b")
        await there.until("b", "done")
