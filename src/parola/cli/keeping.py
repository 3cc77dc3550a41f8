"""Copies, fills and prunes data folders, beside or without the server that holds them."""

import asyncio
import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import typer

from parola.broker import open_broker
from parola.cli.outcome import FAILED, USAGE, CommandError
from parola.domain.access import AuditEntry
from parola.domain.errors import NotFound, StoreFailed
from parola.live.retention import delete_sound, told
from parola.ports import Forgotten
from parola.stores import redis_backup, sqlite_backup
from parola.stores.recordings import RecordingFolder
from parola.stores.sqlite import open_sqlite_log
from parola.stores.sqlite_access import open_sqlite_access
from parola.stores.sqlite_backup import Backup
from parola.stores.sqlite_file import LOG_FILE
from parola.stores.sqlite_hold import FolderHeld, held
from parola.stores.sqlite_jobs import open_sqlite_jobs
from parola.wiring import RECORDINGS

DAY_MS = 86_400_000

PATIENCE_S = 30.0
"""How long a call waits for a broker: nobody speaks through this command."""


def back_up(folder: Path, file: Path, *, with_access: bool) -> None:
    """Write a new backup.

    Raises:
        NotFound, StoreFailed: see `parola.stores.sqlite_backup.back_up`.
        CommandError: the file is there already, or cannot be written.
    """
    with _explained(file):
        made = sqlite_backup.back_up(folder, file, with_access=with_access)
    typer.echo(f"{file} holds {_told(made)}.", err=True)


def back_up_broker(url: str, file: Path, *, with_access: bool) -> None:
    """Write a new backup of what nodes share on a broker.

    Raises:
        NotFound, StoreFailed: see `parola.stores.redis_backup.back_up_broker`.
        CommandError: the file is there already, or cannot be written.
    """

    async def work() -> Backup:
        async with open_broker(url, PATIENCE_S) as client:
            return await redis_backup.back_up_broker(client, file, with_access=with_access)

    with _explained(file):
        if file.exists():
            raise FileExistsError
        made = asyncio.run(work())
    typer.echo(f"{file} holds {_told(made)}.", err=True)


def restore(file: Path, folder: Path) -> None:
    """Fill a data folder from a backup.

    Raises:
        NotFound, BadMessage, StoreFailed: see `parola.stores.sqlite_backup.restore`, or a server
            holds the folder.
    """
    made = asyncio.run(_restore(file, folder))
    typer.echo(f"{folder} holds {_told(made)}.", err=True)


def restore_to_broker(file: Path, url: str) -> None:
    """Fill a broker from a backup.

    Raises:
        NotFound, BadMessage, StoreFailed: see `parola.stores.redis_backup.restore_to_broker`.
        CommandError: there is no room for a copy beside the file.
    """

    async def work() -> Backup:
        async with open_broker(url, PATIENCE_S) as client:
            return await redis_backup.restore_to_broker(client, file)

    with _explained(file):
        made = asyncio.run(work())
    typer.echo(f"The broker holds {_told(made)}; start the nodes.", err=True)


def prune(folder: Path, days: float) -> Forgotten:
    """Delete old talks and recordings from a folder that no server holds; return what went.

    Raises:
        NotFound: there is no log in the folder.
        StoreFailed: it cannot be done now.
        CommandError: a server holds the folder.
    """
    if not (folder / LOG_FILE).is_file():
        raise NotFound(f"There are no transcripts in {folder}; name a data folder with --data.")
    try:
        return asyncio.run(_prune(folder, days))
    except FolderHeld as error:
        message = f"{error.message} Or ask that server, with --server http://127.0.0.1:8000."
        raise CommandError(message, FAILED) from error


async def _restore(file: Path, folder: Path) -> Backup:
    async with held(folder):
        return await asyncio.to_thread(sqlite_backup.restore, file, folder)


async def _prune(folder: Path, days: float) -> Forgotten:
    now_ms = time.time_ns() // 1_000_000
    before_ms = now_ms - int(days * DAY_MS)
    async with open_sqlite_log(folder) as log:
        gone = await log.forget(before_ms)
        left = [gone.left] if gone.left else []
        left += await delete_sound(RecordingFolder(folder / RECORDINGS), gone.talks)
        gone = replace(gone, jobs=await _forget_jobs(folder, before_ms))
    action = f"prune: {told(gone)} older than {days:g} days"
    async with open_sqlite_access(folder) as book:
        await book.note(AuditEntry(now_ms, "the command line", "", "", action, 200))
    if left:
        raise StoreFailed(" ".join(left))
    return gone


async def _forget_jobs(folder: Path, before_ms: int) -> int:
    """Forget each recording that was over before a time, with its text; return how many."""
    async with open_sqlite_jobs(folder) as book:
        old = [job for job in await book.jobs() if job.was_over(before_ms)]
        for job in old:
            await book.remove(job.id)
    return len(old)


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Say why a backup cannot be written, or unpacked beside itself.

    Raises:
        CommandError: the body raised an OSError.
    """
    try:
        yield
    except FileExistsError as error:
        message = f"{file} is there already, and nothing is overwritten; choose another name."
        raise CommandError(message, USAGE) from error
    except OSError as error:
        raise CommandError(_why_not_written(file, error), FAILED) from error


def _told(made: Backup) -> str:
    access = "with" if made.has_access else "without"
    return f"{made.lines} lines of {made.rooms} rooms, {access} the access book"


def _why_not_written(file: Path, error: OSError) -> str:
    if not file.parent.is_dir():
        return f"There is no folder {file.parent}; make it first."
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return f"There is no room for {file} and its copies; make some and try again."
    why = error.strerror or os.strerror(error.errno or 0)
    return f"{file} cannot be written ({why}); choose another place."
