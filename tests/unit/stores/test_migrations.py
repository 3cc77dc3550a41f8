"""Files of every older version become the newest, and nothing in them is lost.

The files are made from `schemas/N.sql`: dumps of logs that the commit which landed version N wrote.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from parola.domain.errors import StoreFailed
from parola.domain.log import Entry, StateChange
from parola.domain.search import phrases_of
from parola.domain.transcript import Segment
from parola.stores import sqlite_schema
from parola.stores.sqlite import open_sqlite, open_sqlite_log
from parola.stores.sqlite_file import LOG_FILE
from parola.stores.sqlite_schema import MIGRATIONS

SCHEMAS = Path(__file__).parent / "schemas"
NEWEST = len(MIGRATIONS)
TALK = "11111111-1111-4111-8111-111111111111"


def old_file(folder: Path, version: int) -> Path:
    """Make a log as that version wrote it."""
    folder.mkdir()
    path = folder / LOG_FILE
    with closing(sqlite3.connect(path)) as db:
        db.executescript((SCHEMAS / f"{version}.sql").read_text())
    return path


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def layout(path: Path) -> set[tuple[str, str]]:
    """Return what a file has: names and definitions."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, coalesce(sql, '') FROM sqlite_master")
        return {(name, " ".join(sql.split())) for name, sql in rows}


def test_every_version_has_its_dump() -> None:
    """Whoever adds a version leaves a dump of the last one."""
    assert {int(path.stem) for path in SCHEMAS.glob("*.sql")} == set(range(1, NEWEST))


@pytest.mark.parametrize("version", range(1, NEWEST))
async def test_an_older_file_becomes_the_newest(version: int, tmp_path: Path) -> None:
    """Lines, settings, edits and the outbox are there; search, numbers and layout are as new."""
    path = old_file(tmp_path / "data", version)
    async with open_sqlite(tmp_path / "data") as stores:
        log = stores.log
        entries = await log.read("sala")
        assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
        finals = [entry.body.text for entry in entries if isinstance(entry.body, Segment)]
        assert finals == ["perché no", "grazie a tutti 🎤"]
        assert len(await log.edits("sala")) == (version >= 4)
        assert [found.number for found in await log.search(phrases_of("perche"))] == [2]
        # Version 6 lists what a correction says; before, a migration indexes what was heard.
        assert [found.number for found in await log.search(phrases_of("grazie tutti"))] == [3]
        assert (await stores.book.read("sala")).language == ("it-IT" if version >= 2 else None)
        assert len(await stores.outbox.waiting(10)) == (3 if version >= 5 else 0)
        assert {talk.session: talk.lines for talk in await log.talks()}[TALK] == 2
        last = await log.last_number("sala")
        assert last == len(entries)
        await log.append([Entry("sala", last + 1, 10**14, StateChange("mode", "", "live"))])
        assert (await log.forget(10**13)).lines >= 6
        assert await log.last_number("sala") == last + 1
    assert version_of(path) == NEWEST
    async with open_sqlite_log(tmp_path / "new"):
        pass
    assert layout(path) == layout(tmp_path / "new" / LOG_FILE)


@pytest.mark.parametrize("version", [1, NEWEST - 1])
async def test_a_copy_is_laid_aside_first(version: int, tmp_path: Path) -> None:
    """The file as it was is beside it, whole, and a program of that time opens it."""
    path = old_file(tmp_path / "data", version)
    (tmp_path / "data" / f"{LOG_FILE}.schema-0").touch()
    before = layout(path)
    async with open_sqlite_log(tmp_path / "data"):
        pass
    (copy,) = (tmp_path / "data").glob("*.schema-*")
    assert copy.name == f"{LOG_FILE}.schema-{version}"
    assert version_of(copy) == version
    assert layout(copy) == before
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*) FROM entries").fetchone()[0] >= 6
    async with open_sqlite_log(tmp_path / "data"):
        pass
    assert len(list((tmp_path / "data").glob("*.schema-*"))) == 1, "a new file needs no copy"


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is one transaction, and the next start tries again."""
    path = old_file(tmp_path / "data", 1)
    before = layout(path)
    whole = sqlite_schema.MIGRATIONS
    broken = ("CREATE TABLE room_settings (room TEXT)", "CREATE TABLE no such")
    monkeypatch.setattr(sqlite_schema, "MIGRATIONS", (whole[0], broken, *whole[2:]))
    with pytest.raises(StoreFailed, match="syntax error"):
        async with open_sqlite_log(tmp_path / "data"):
            pass
    assert version_of(path) == 1
    assert layout(path) == before
    monkeypatch.setattr(sqlite_schema, "MIGRATIONS", whole)
    async with open_sqlite_log(tmp_path / "data") as log:
        assert len(await log.read("sala")) == 4


async def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path) -> None:
    """A copy that cannot be written stops the migration before it begins."""
    path = old_file(tmp_path / "data", 2)
    (tmp_path / "data" / f"{LOG_FILE}.copying").mkdir()
    with pytest.raises(OSError, match="directory"):
        async with open_sqlite_log(tmp_path / "data"):
            pass
    assert version_of(path) == 2
