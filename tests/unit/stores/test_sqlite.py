"""The SQLite log: what it survives, what it refuses and what it says then."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parola.domain.errors import StoreFailed
from parola.domain.log import Body, Correction, Entry, Restore, StateChange, Strike, Withheld
from parola.domain.transcript import Segment, Word
from parola.stores.bodies import decode, encode
from parola.stores.sqlite import open_sqlite_log
from parola.stores.sqlite_file import LOG_FILE
from parola.stores.sqlite_schema import MIGRATIONS


def _entry(number: int, text: str = "ciao") -> Entry:
    body = Segment("talk", number, text, number * 100, number * 100 + 90, True, "it-IT")
    return Entry("sala", number, 1000 + number, body)


async def test_a_log_outlives_its_process(tmp_path: Path) -> None:
    """What was appended is there when the folder is opened again."""
    folder = tmp_path / "new" / "data"
    async with open_sqlite_log(folder) as log:
        await log.append([_entry(1)])
    async with open_sqlite_log(folder) as log:
        assert await log.read("sala") == [_entry(1)]


WRITER = """
import asyncio, sys
from pathlib import Path
from parola.domain.log import Body, Entry, StateChange, Withheld
from parola.stores.sqlite import open_sqlite_log

async def write():
    async with open_sqlite_log(Path(sys.argv[1])) as log:
        for number in range(1, 1_000_000):
            await log.append([Entry("sala", number, number, StateChange("language", "s"))])
            print(number, flush=True)

asyncio.run(write())
"""


def _writer(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
    )


async def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Every append that returned is there after `kill -9`, and the folder is free again."""
    with _writer(tmp_path) as writer:
        assert writer.stdout
        for _ in range(20):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().splitlines()
    acknowledged = int(rest[-1]) if rest else 20
    async with open_sqlite_log(tmp_path) as log:
        numbers = [entry.number for entry in await log.read("sala", limit=10**6)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= acknowledged


async def test_a_second_server_is_refused(tmp_path: Path) -> None:
    """Two processes never write into one folder; the second one is told who holds it."""
    with _writer(tmp_path) as writer:
        assert writer.stdout
        writer.stdout.readline()
        with pytest.raises(StoreFailed, match=rf"in use by process {writer.pid}; stop that server"):
            async with open_sqlite_log(tmp_path):
                pass
        writer.kill()


async def test_one_process_cannot_open_a_folder_twice(tmp_path: Path) -> None:
    """The folder is held against the same process too, and free once it is closed."""
    async with open_sqlite_log(tmp_path) as log:
        with pytest.raises(StoreFailed, match=f"in use by process {os.getpid()}"):
            async with open_sqlite_log(tmp_path):
                pass
        await log.append([_entry(1)])
    async with open_sqlite_log(tmp_path) as log:
        assert await log.last_number("sala") == 1


async def test_a_full_disk_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    """With a full disk an append fails as a whole; it works once there is space again."""
    async with open_sqlite_log(tmp_path) as log:
        await log.append([_entry(1)])
        await log._writer.run(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())
        big = _entry(2, "x" * 100_000)
        with pytest.raises(StoreFailed, match="its disk is full; free some space"):
            await log.append([big])
        assert await log.read("sala") == [_entry(1)]
        await log._writer.run(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchone())
        await log.append([big])
        assert await log.read("sala") == [_entry(1), big]


async def test_a_log_that_somebody_else_locks_says_so(tmp_path: Path) -> None:
    """While another program holds the file, appends fail with a remedy and reads go on."""
    async with open_sqlite_log(tmp_path) as log:
        await log.append([_entry(1)])
        await log._writer.run(lambda db: db.execute("PRAGMA busy_timeout = 0").fetchone())
        with closing(sqlite3.connect(tmp_path / LOG_FILE, isolation_level=None)) as shell:
            shell.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreFailed, match="another program holds it"):
                await log.append([_entry(2)])
            assert await log.last_number("sala") == 1
            shell.execute("ROLLBACK")
        await log.append([_entry(2)])
        assert await log.last_number("sala") == 2


async def test_a_slow_append_delays_no_reader(tmp_path: Path) -> None:
    """Reads answer while the writer's thread is busy."""
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(open_sqlite_log(tmp_path))
        await log.append([_entry(1)])
        shell = stack.enter_context(closing(sqlite3.connect(tmp_path / LOG_FILE)))
        shell.execute("BEGIN IMMEDIATE")
        append = asyncio.ensure_future(log.append([_entry(2)]))
        assert await log.last_number("sala") == 1
        assert not append.done()
        shell.rollback()
        await append


async def test_a_newer_log_is_left_alone(tmp_path: Path) -> None:
    """A file that a newer Parola wrote is not touched; the message says what to do."""
    async with open_sqlite_log(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / LOG_FILE)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreFailed, match="newer Parola"):
        async with open_sqlite_log(tmp_path):
            pass


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """Whatever else lies there under the log's name is not overwritten."""
    (tmp_path / LOG_FILE).write_text("my notes\n" * 1000)
    with pytest.raises(StoreFailed, match="not a database; move it away"):
        async with open_sqlite_log(tmp_path):
            pass
    assert (tmp_path / LOG_FILE).read_text() == "my notes\n" * 1000


async def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    """A data folder under a file gives a sentence with a remedy."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreFailed, match="cannot be made"):
        async with open_sqlite_log(tmp_path / "file" / "data"):
            pass


async def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    """An entry whose body was damaged is reported by room and number."""
    async with open_sqlite_log(tmp_path) as log:
        await log.append([_entry(1)])
        await log._writer.run(lambda db: db.execute("UPDATE entries SET body = '{'").fetchone())
        with pytest.raises(StoreFailed, match="Entry 1 of room 'sala' cannot be read"):
            await log.read("sala")


async def test_what_sqlite_cannot_hold_is_named(tmp_path: Path) -> None:
    """A session name that no database can hold fails with a sentence, and nothing is kept."""
    async with open_sqlite_log(tmp_path) as log:
        with pytest.raises(StoreFailed, match="Entry 2 of room 'sala' cannot be kept"):
            await log.append([_entry(1), Entry("sala", 2, 2, StateChange("language", "\ud800"))])
        assert await log.last_number("sala") == 0


async def test_a_closed_log_says_so(tmp_path: Path) -> None:
    """After closing, a call fails instead of hanging."""
    async with open_sqlite_log(tmp_path) as log:
        pass
    with pytest.raises(StoreFailed, match="is closed"):
        await log.append([_entry(1)])
    with pytest.raises(StoreFailed, match="is closed"):
        await log.read("sala")


async def test_it_is_as_durable_as_it_says(tmp_path: Path) -> None:
    """The write-ahead log is on, and synced at every commit."""
    async with open_sqlite_log(tmp_path) as log:
        pragmas = "journal_mode", "synchronous", "fullfsync"
        told = await log._writer.run(
            lambda db: [db.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas]
        )
    assert told == ["wal", 2, 1]


async def test_counting_rooms_reads_no_bodies(tmp_path: Path) -> None:
    """The list of rooms comes from an index alone, however long the transcripts are."""
    async with open_sqlite_log(tmp_path) as log:
        query = (
            "EXPLAIN QUERY PLAN SELECT room, count(*), min(at_ms), max(at_ms) "
            "FROM entries GROUP BY room"
        )
        plan = await log._reader.run(lambda db: db.execute(query).fetchall())
    assert [row[3] for row in plan] == ["SCAN entries USING COVERING INDEX times"]


texts = st.text(st.characters(codec=None))
numbers = st.integers()


# A first run builds Hypothesis's table of characters, and a busy machine has no pace.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.builds(
        Segment,
        session=texts,
        text=texts,
        language=texts,
        words=st.lists(
            st.builds(Word, texts, numbers, numbers, st.none() | st.floats(allow_nan=False))
        ).map(tuple),
        speaker=st.none() | texts,
        engine=texts,
    )
    | st.builds(StateChange)
    | st.builds(Withheld, strength=st.floats(0, 1e6))
    | st.builds(Correction)
    | st.builds(Strike)
    | st.builds(Restore)
)
def test_bodies_survive_the_file(body: Body) -> None:
    """Every field of every body comes back from its JSON, which is always the same ASCII."""
    kind = "state" if isinstance(body, StateChange) else type(body).__name__.lower()
    text = encode(body)
    assert text.isascii()
    assert decode(kind, text) == body
    assert encode(decode(kind, text)) == text


def test_a_body_from_before_a_field_was_added_is_read() -> None:
    """A field that an older Parola did not write takes its default."""
    fields = json.loads(encode(_entry(1).body))
    del fields["engine"]
    assert decode("segment", json.dumps(fields)) == _entry(1).body
