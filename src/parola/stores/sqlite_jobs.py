"""Keeps jobs and their text in a SQLite file of their own, so that they never delay the log.

Once `put` has returned, the job survives a crash of the process and, on a disk that keeps what it
says it has written, a power cut: each is one transaction with one fsync, as in the log.
"""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import asdict
from pathlib import Path

from parola.domain.errors import StoreFailed
from parola.domain.jobs import Job, Notice, Written
from parola.domain.log import Withheld
from parola.domain.transcript import Segment
from parola.stores.bodies import decode, encode
from parola.stores.sqlite_file import BUSY_S, Connection

JOBS_FILE = "jobs.sqlite3"

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    body    TEXT NOT NULL,
    written TEXT
);
"""

_PUT = """
INSERT INTO jobs (id, body, written) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE
SET body = excluded.body, written = coalesce(excluded.written, written)
"""


@asynccontextmanager
async def open_sqlite_jobs(folder: Path) -> AsyncIterator["SqliteJobBook"]:
    """Open the job book of a data folder, making folder and file where they are not there.

    The caller holds the folder (`parola.stores.sqlite.open_sqlite`).

    Raises:
        StoreFailed: it cannot be opened.
    """
    connection = Connection(folder / JOBS_FILE)
    try:
        await connection.open(lambda held: _open(folder, held))
        yield SqliteJobBook(connection)
    finally:
        await connection.close()


class SqliteJobBook:
    """A job book; made by `open_sqlite_jobs`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, job: Job, written: Written | None = None) -> None:
        """One row in one transaction."""
        row = (job.id, json.dumps(asdict(job)), written and _encoded(written))
        # Fetched, so that the statement has ended and is committed.
        await self._connection.run(lambda db: db.execute(_PUT, row).fetchone())

    async def jobs(self) -> list[Job]:
        query = "SELECT body FROM jobs ORDER BY number"
        return await self._connection.run(lambda db: [_job(text) for (text,) in db.execute(query)])

    async def written(self, job_id: str) -> Written:
        query = "SELECT written FROM jobs WHERE id = ?"
        row = await self._connection.run(lambda db: db.execute(query, (job_id,)).fetchone())
        return _decoded(row[0]) if row and row[0] else Written((), 0.0)

    async def remove(self, job_id: str) -> None:
        await self._connection.run(lambda db: _forget(db, job_id))


def _open(folder: Path, held: ExitStack) -> sqlite3.Connection:
    folder.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(folder / JOBS_FILE, timeout=BUSY_S, isolation_level=None)
    held.enter_context(closing(db))
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA fullfsync = ON")  # macOS: a plain fsync stops at the disk's own cache
    db.execute("PRAGMA secure_delete = ON")  # what is deleted is gone
    db.executescript(SCHEMA)
    return db


def _forget(db: sqlite3.Connection, job_id: str) -> None:
    """Leave no byte of a job: its pages are zeroed, and older ones stay in no write-ahead log.

    Raises:
        StoreFailed: another program reads the file; calling it again does the rest.
    """
    db.execute("DELETE FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise StoreFailed(
            "A recording was deleted, but traces of its text stay while another program reads"
            f" {JOBS_FILE}; end that program and delete it again."
        )


def _job(text: str) -> Job:
    """Return the job that was written; fields added since take their defaults.

    Raises:
        StoreFailed: it cannot be read.
    """
    try:
        fields = json.loads(text)
        notice = fields.pop("notice", None)
        return Job(**fields, notice=notice and Notice(**notice))
    except (ValueError, TypeError) as error:
        raise StoreFailed(f"A job cannot be read ({error}); restore a backup.") from error


def _encoded(written: Written) -> str:
    segments = [encode(segment) for segment in written.segments]
    withheld = [encode(piece) for piece in written.withheld]
    return json.dumps({"seconds": written.seconds, "segments": segments, "withheld": withheld})


def _decoded(text: str) -> Written:
    try:
        fields = json.loads(text)
        segments = [decode("segment", body) for body in fields["segments"]]
        withheld = [decode("withheld", body) for body in fields.get("withheld", [])]
    except (ValueError, TypeError, KeyError) as error:
        raise StoreFailed(f"A job's text cannot be read ({error}); restore a backup.") from error
    return Written(
        tuple(piece for piece in segments if isinstance(piece, Segment)),
        fields["seconds"],
        tuple(piece for piece in withheld if isinstance(piece, Withheld)),
    )
