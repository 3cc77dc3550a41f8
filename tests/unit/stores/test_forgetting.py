"""What is taken out of the SQLite log is in no byte of the data folder."""

import sqlite3
from contextlib import closing
from pathlib import Path

from parola.domain.log import Correction, Entry, StateChange, Strike
from parola.domain.mood import LineMood
from parola.domain.search import phrases_of
from parola.domain.transcript import Segment, Word
from parola.stores.sqlite import SqliteLog, open_sqlite, open_sqlite_log
from parola.stores.sqlite_file import LOG_FILE

OLD, NEW = 1_000, 2_000_000
"""Milliseconds: before and after what is pruned."""

LINES = 400
"""Enough for the file's trees to be split often, which leaves copies of rows behind."""


def line(number: int, word: str, room: str) -> Entry:
    """Return a long final, so that pages of the file split and balance."""
    text = f"{word}{number} " + f"{word}filler " * (number % 40)
    words = tuple(Word(part, 0, 1, 0.5) for part in text.split())
    body = Segment(word, number, text, number * 10, number * 10 + 9, True, "en-US", words)
    return Entry(room, number, (OLD if word == "canary" else NEW) + number, body)


async def fill(log: SqliteLog) -> None:
    """Write old and new lines in turns, with edits of the old ones."""
    for number in range(1, LINES, 2):
        await log.append([line(number, "canary", "a"), line(number + 1, "magpie", "a")])
    for number in range(1, 60, 4):
        edit = Correction("canary", number, number, f"canaryfixed{number}")
        strike = Strike("canary", number, LINES + number)
        await log.append([Entry("a", LINES + number, OLD + LINES + number, edit)])
        await log.append([Entry("a", LINES + number + 1, OLD + LINES + number + 1, strike)])


def holding(folder: Path, text: str) -> list[str]:
    """Return the names of the files below a folder that hold the text, in any width."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    traces = (text.encode(), text.encode("utf-16-le"))
    return [path.name for path in files if any(trace in path.read_bytes() for trace in traces)]


async def test_no_byte_is_left(tmp_path: Path) -> None:
    """Neither in the log nor beside it, while it is open, closed, and after a kill."""
    async with open_sqlite(tmp_path / "data", ships=True, reads=True) as stores:
        # As older versions wrote, which left what was corrected in the file's free space.
        await stores.log._writer.run(lambda db: db.execute("PRAGMA secure_delete = 0").fetchone())
        await fill(stores.log)
        await stores.log._writer.run(lambda db: db.execute("PRAGMA secure_delete = 1").fetchone())
        (tmp_path / "data" / f"{LOG_FILE}.schema-6").write_text("a canary from before a migration")
        assert LOG_FILE in holding(tmp_path / "data", "canary")
        mood = LineMood("a", 1, "canary", 1, 10, 0.5, "other", "canary")
        await stores.moods.settle([], [mood])
        gone = await stores.log.forget(NEW)
        assert gone.talks == {("a", "canary")}
        assert holding(tmp_path / "data", "canary") == []
        assert LOG_FILE in holding(tmp_path / "data", "magpie")
        assert (await stores.outbox.unsent()).lines == LINES // 2
        assert await stores.moods.moods("a", "canary") == []
        assert len(await stores.moods.unread(10 * LINES)) == LINES // 2
        found = await stores.log.search(phrases_of("magpiefiller"), limit=LINES)
        assert len(found) == sum(1 for n in range(2, LINES + 1, 2) if n % 40)
        await stores.log.append([line(999, "magpie", "a")])
    assert holding(tmp_path, "canary") == []
    with closing(sqlite3.connect(tmp_path / "data" / LOG_FILE)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.execute("INSERT INTO said_words (said_words, rank) VALUES ('integrity-check', 1)")


async def test_traces_that_a_reader_holds_go_the_next_time(tmp_path: Path) -> None:
    """While another program reads the log, somebody is told; the next prune cleans up."""
    async with open_sqlite_log(tmp_path) as log:
        await log.append([line(1, "canary", "a"), line(2, "magpie", "a")])
        await log._writer.run(lambda db: db.execute("PRAGMA busy_timeout = 50").fetchone())
        with closing(sqlite3.connect(tmp_path / LOG_FILE, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM entries").fetchall()
            gone = await log.forget(NEW)
            assert gone.talks == {("a", "canary")}
            assert "end that program and prune again" in gone.left
            assert [entry.number for entry in await log.read("a")] == [2]
            assert holding(tmp_path, "canary1")
            reader.execute("ROLLBACK")
        assert (await log.forget(NEW)).lines == 0
        assert holding(tmp_path, "canary1") == []


async def test_nothing_old_rewrites_nothing(tmp_path: Path) -> None:
    """A daily prune of a young log touches no byte of it."""
    async with open_sqlite_log(tmp_path) as log:
        await log.append([line(2, "magpie", "a"), Entry("b", 1, NEW, StateChange("mode", ""))])
        before = (tmp_path / LOG_FILE).stat(), (tmp_path / f"{LOG_FILE}-wal").read_bytes()
        await log.forget(NEW)
        assert ((tmp_path / LOG_FILE).stat(), (tmp_path / f"{LOG_FILE}-wal").read_bytes()) == before
