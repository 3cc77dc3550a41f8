"""What every job book promises, checked on each of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from parola.domain.errors import BadAudio
from parola.domain.jobs import Job, Notice, Written
from parola.domain.log import Withheld
from parola.domain.transcript import Segment, Word
from parola.domain.vocabulary import language_tag
from parola.ports import JobBook
from parola.stores.memory_jobs import MemoryJobBook
from parola.stores.sqlite_jobs import open_sqlite_jobs


@asynccontextmanager
async def _memory() -> AsyncIterator[JobBook]:
    yield MemoryJobBook()


@asynccontextmanager
async def _sqlite() -> AsyncIterator[JobBook]:
    with TemporaryDirectory() as folder:
        async with open_sqlite_jobs(Path(folder)) as book:
            yield book


@pytest.fixture(params=[_memory, _sqlite], ids=["memory", "sqlite"])
async def book(request: pytest.FixtureRequest) -> AsyncIterator[JobBook]:
    """Each job book there is, empty."""
    async with request.param() as book:
        yield book


def job(job_id: str, **fields: object) -> Job:
    return Job(job_id, "pör\ud800 \x00.mp4", language_tag("it-IT"), 1000, **fields)  # type: ignore[arg-type]


TEXT = Written(
    (
        Segment(
            "talk",
            1,
            "perché \ud800",
            0,
            1600,
            True,
            "it-IT",
            words=(Word("perché", 0, 1600, 0.5, doubtful=True),),
            speaker="Ada",
        ),
        Segment("talk", 2, "no", 1600, 3200, True, "it-IT"),
    ),
    0.2,
    (Withheld("talk", "thank you \ud800", 1600, 3200, "no speech", 3.1, "amazon"),),
)


async def test_jobs_come_back_in_the_order_in_which_they_came(book: JobBook) -> None:
    """The first to come is the first to be done, however often each was put since."""
    first, second = job("b"), job("a", notice=Notice("https://x/y", 2, 3, "given up", "no"))
    assert await book.jobs() == []
    await book.put(first)
    await book.put(second)
    await book.put(first.begun(2000))
    assert await book.jobs() == [first.begun(2000), second]


async def test_a_text_is_kept_with_its_job(book: JobBook) -> None:
    """Words, times, speakers and what was withheld come back; a later put leaves them."""
    await book.put(job("a"))
    assert await book.written("a") == Written((), 0.0)
    done = job("a").begun(2).done(TEXT, 3)
    await book.put(done, TEXT)
    await book.put(done)
    assert await book.written("a") == TEXT
    assert await book.jobs() == [done]
    assert done.withheld_words == 3


async def test_what_was_removed_is_gone(book: JobBook) -> None:
    """With its text; others stay, and removing again changes nothing."""
    await book.put(job("a").done(TEXT, 3), TEXT)
    failed = job("b").failed(BadAudio("The file is empty."), 5)
    await book.put(failed)
    await book.remove("a")
    await book.remove("a")
    assert await book.jobs() == [failed]
    assert await book.written("a") == Written((), 0.0)
