"""Lets one process at a time hold a data folder."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

from parola.domain.errors import StoreFailed
from parola.stores.folders import make_folder
from parola.stores.sqlite_file import Connection, code_of, explained

logger = logging.getLogger(__name__)

LOCK_FILE = "lock"

LOOK_S = 0.1
"""How often to look whether a folder is free."""


class FolderHeld(StoreFailed):
    """Another process holds the data folder."""


@asynccontextmanager
async def held(folder: Path, wait_s: float = 0.0) -> AsyncIterator[None]:
    """Make a data folder where it is not there, and hold it while the body runs.

    Args:
        folder: what only one process at a time may hold; the system frees it when that one dies.
        wait_s: how long to wait for another process that holds it.

    Raises:
        FolderHeld: another process holds it, and held it to the end.
        StoreFailed: it cannot be made or locked.
    """
    connection = Connection(folder / LOCK_FILE)
    try:
        await _take(connection, folder, asyncio.get_running_loop().time() + wait_s)
        yield
    finally:
        await connection.close()


async def _take(connection: Connection, folder: Path, until_s: float) -> None:
    waits = False
    while True:
        try:
            await connection.open(lambda stack: _lock(folder, stack))
        except FolderHeld as error:
            if asyncio.get_running_loop().time() >= until_s:
                raise
            if not waits:
                logger.info("waiting for the data folder: %s", error.message)
            waits = True
            await asyncio.sleep(LOOK_S)
        else:
            return


def _lock(folder: Path, stack: ExitStack) -> sqlite3.Connection:
    """Hold the folder until the stack closes, by a write lock on a second, tiny database.

    SQLite's own locks work on every system, die with the process and are not inherited by the
    recognisers' worker processes, which a `flock` is.
    """
    try:
        make_folder(folder)
    except OSError as error:
        raise StoreFailed(
            f"The data folder {folder} cannot be made ({error.strerror}); "
            "let the server write there or choose another data folder."
        ) from error
    path = folder / LOCK_FILE
    with ExitStack() as attempt:
        lock = sqlite3.connect(path, timeout=0.2, isolation_level=None)
        attempt.enter_context(closing(lock))
        try:
            lock.execute("BEGIN IMMEDIATE")
            lock.execute("CREATE TABLE IF NOT EXISTS holder (pid INTEGER NOT NULL)")
            lock.execute("DELETE FROM holder")
            lock.execute("INSERT INTO holder VALUES (?)", (os.getpid(),))
            lock.execute("COMMIT")
            # This one stays open: others can read who holds the folder, but not take it.
            lock.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if code_of(error) != sqlite3.SQLITE_BUSY:
                raise explained(path, error) from error
            pids = [str(pid) for (pid,) in lock.execute("SELECT pid FROM holder")]
            raise FolderHeld(
                f"The data folder {folder} is in use by process {', '.join(pids)}; "
                "stop that server or choose another data folder."
            ) from error
        stack.push(attempt.pop_all())
        return lock
