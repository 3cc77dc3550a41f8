"""A text that is forgotten leaves no byte, in whatever file SQLite keeps it for a while."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from parola.domain.errors import StoreFailed
from parola.domain.jobs import Job, Written
from parola.domain.transcript import Segment
from parola.domain.vocabulary import language_tag
from parola.stores import sqlite_jobs
from parola.stores.sqlite_jobs import JOBS_FILE, SqliteJobBook, open_sqlite_jobs

SAID = "a word that nobody else says"


async def keep(book: SqliteJobBook, name: str, text: str) -> None:
    # Longer than a page of the file: such a text lies on pages of its own.
    spoken = (Segment(name, 1, text * 500, 0, 1600, True, "en-US"),)
    job = Job(name, f"{name}.wav", language_tag("en-US"), 1)
    await book.put(job)
    await book.put(job.done(Written(spoken, 1.0), 2), Written(spoken, 1.0))


def holders(folder: Path) -> list[str]:
    """Return the names of the files that still hold it."""
    return [path.name for path in folder.iterdir() if SAID.encode() in path.read_bytes()]


async def test_a_removed_text_leaves_no_byte(tmp_path: Path) -> None:
    """Neither in the file nor in the write-ahead log, while the book stays open."""
    async with open_sqlite_jobs(tmp_path) as book:
        await keep(book, "old", SAID)
        await keep(book, "new", "hello")
        assert holders(tmp_path), "it was there"
        await book.remove("old")
        assert holders(tmp_path) == []
        assert [job.id for job in await book.jobs()] == ["new"]
        assert (await book.written("new")).segments


async def test_traces_that_somebody_holds_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another program reads, the text cannot go for good; asked again afterwards it does."""
    monkeypatch.setattr(sqlite_jobs, "BUSY_S", 0.05)
    async with open_sqlite_jobs(tmp_path) as book:
        await keep(book, "old", SAID)
        with closing(sqlite3.connect(tmp_path / JOBS_FILE)) as other:
            other.execute("BEGIN")
            other.execute("SELECT * FROM jobs").fetchall()
            with pytest.raises(StoreFailed, match="traces of its text stay"):
                await book.remove("old")
        await book.remove("old")
        assert holders(tmp_path) == []
