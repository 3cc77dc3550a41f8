"""A backup is whole or not at all, and what is restored is what was there."""

import asyncio
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from parola.domain.access import AuditEntry, Token
from parola.domain.errors import BadMessage, NotFound, ParolaError, StoreFailed
from parola.domain.log import Entry, StateChange
from parola.domain.mood import LineMood
from parola.domain.room_settings import RoomSettings
from parola.domain.search import phrases_of
from parola.domain.transcript import Segment
from parola.stores.sqlite import open_sqlite, open_sqlite_log
from parola.stores.sqlite_access import ACCESS_FILE, open_sqlite_access
from parola.stores.sqlite_backup import MANIFEST, Backup, back_up, restore
from parola.stores.sqlite_file import LOG_FILE


def line(number: int) -> Entry:
    body = Segment("talk", number, f"line {number}", number * 10, number * 10 + 9, True, "en-US")
    return Entry("sala", number, 1000 + number, body)


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table of a database, those of the index of words too."""
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE rootpage")]
        names = [name for name in names if "index" not in name and not _is_index(db, name)]
        return {name: sorted(db.execute(f'SELECT * FROM "{name}"'), key=str) for name in names}  # noqa: S608


def _is_index(db: sqlite3.Connection, name: str) -> bool:
    row = db.execute("SELECT type FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    return bool(row[0] != "table")


async def fill(folder: Path) -> None:
    """Put something into every table."""
    opened = open_sqlite(folder, ships=True, reads=True)
    async with opened as stores, open_sqlite_access(folder) as access:
        await stores.log.append([line(number) for number in range(1, 50)])
        await stores.log.append([Entry("old", 1, 1, StateChange("session_started", "s"))])
        await stores.log.forget(5)
        mood = LineMood("sala", 7, "talk", 7, 70, 0.5, "other", "local")
        await stores.moods.settle((await stores.moods.unread(1)), [mood])
        await stores.book.write("sala", RoomSettings(mode="paused"))
        await access.add_key(b"key")
        await access.add_token(Token("id", "anna", frozenset({"read"}), None, 1, 2**40))
        await access.note(AuditEntry(1, "anna", "", "", "PUT /x", 200))


async def test_what_is_restored_is_what_was_there(tmp_path: Path) -> None:
    """Every row of every table: lines, settings, outbox, search, numbering, keys, audit log."""
    data, file, new = tmp_path / "data", tmp_path / "backup.zip", tmp_path / "new"
    await fill(data)
    assert back_up(data, file) == Backup(rooms=1, lines=49, has_access=True)
    assert file.stat().st_mode & 0o777 == 0o600
    new.mkdir()
    assert restore(file, new) == Backup(rooms=1, lines=49, has_access=True)
    for name in (LOG_FILE, ACCESS_FILE):
        assert tables(new / name) == tables(data / name), name
        assert all(tables(new / name).values()), "a table that is empty proves nothing"
        assert (new / name).stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"data", "backup.zip", "new"}
    async with open_sqlite(new, ships=True) as stores:
        assert len(await stores.log.search(phrases_of("line"), limit=100)) == 49
        await stores.log.append([line(50)])


async def test_a_backup_of_a_log_that_is_written_has_no_gap(tmp_path: Path) -> None:
    """A server goes on saving; the copy has all that was durable before, in order."""
    async with open_sqlite_log(tmp_path / "data") as log:
        numbers = iter(range(1, 100_000))
        await log.append([line(next(numbers)) for _ in range(500)])
        done = asyncio.Event()

        async def write() -> None:
            while not done.is_set():
                await log.append([line(next(numbers))])

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(write())
            for turn in range(5):
                before = await log.last_number("sala")
                file = tmp_path / f"{turn}.zip"
                made = await asyncio.to_thread(back_up, tmp_path / "data", file)
                assert before <= made.lines
                assert not made.has_access
            done.set()
    for turn in range(5):
        folder = tmp_path / f"restored{turn}"
        folder.mkdir()
        made = restore(tmp_path / f"{turn}.zip", folder)
        async with open_sqlite_log(folder) as log:
            found = [entry.number for entry in await log.read("sala", limit=100_000)]
        assert found == list(range(1, made.lines + 1))


async def test_without_the_access_book(tmp_path: Path) -> None:
    """Keys are left out where somebody says so."""
    await fill(tmp_path / "data")
    made = back_up(tmp_path / "data", tmp_path / "b.zip", with_access=False)
    assert not made.has_access
    assert b"key" not in (tmp_path / "b.zip").read_bytes().replace(b"keys", b"")
    assert zipfile.ZipFile(tmp_path / "b.zip").namelist() == [MANIFEST, LOG_FILE]


async def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Neither a file by a backup, nor a folder that has transcripts or keys by a restore."""
    data, file = tmp_path / "data", tmp_path / "b.zip"
    await fill(data)
    file.write_text("mine")
    with pytest.raises(FileExistsError):
        back_up(data, file)
    assert file.read_text() == "mine"
    file.unlink()
    back_up(data, file)
    before = (data / LOG_FILE).read_bytes()
    with pytest.raises(StoreFailed, match="nothing is overwritten"):
        restore(file, data)
    assert (data / LOG_FILE).read_bytes() == before
    (data / LOG_FILE).unlink()
    with pytest.raises(StoreFailed, match=r"access\.sqlite3"):
        restore(file, data)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _other(file: Path) -> None:
    file.write_text("shopping list")


def _forged(file: Path) -> None:
    """Let the archive be whole, and the log another one than was put into it."""
    _rewritten(file, lambda name, content: content + b"x" if name == LOG_FILE else content)


def _from_later(file: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        return json.dumps({"backup": 2}).encode() if name == MANIFEST else content

    _rewritten(file, change)


def _rewritten(file: Path, change: Callable[[str, bytes], bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))


@pytest.mark.parametrize("break_it", [_cut, _flip, _other, _forged, _from_later, Path.unlink])
async def test_a_damaged_backup_is_refused(
    break_it: Callable[[Path], None], tmp_path: Path
) -> None:
    """Nothing of it gets into the folder, and the message says what is wrong."""
    await fill(tmp_path / "data")
    file, new = tmp_path / "b.zip", tmp_path / "new"
    back_up(tmp_path / "data", file)
    break_it(file)
    new.mkdir()
    expected: type[ParolaError] = NotFound if break_it is Path.unlink else BadMessage
    with pytest.raises(expected):
        restore(file, new)
    assert list(new.iterdir()) == []


def _break_a_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * 100)


def _break_the_index_of_words(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER said_anew")
        db.execute("UPDATE said SET text = 'other words' WHERE number = 30")
        db.commit()


@pytest.mark.parametrize("break_it", [_break_a_page, _break_the_index_of_words])
async def test_a_damaged_log_is_not_backed_up(
    break_it: Callable[[Path], None], tmp_path: Path
) -> None:
    """Whoever makes a backup hears of the damage then, not when it is needed."""
    await fill(tmp_path / "data")
    break_it(tmp_path / "data" / LOG_FILE)
    with pytest.raises(StoreFailed, match="damaged"):
        back_up(tmp_path / "data", tmp_path / "b.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


async def test_a_backup_of_a_newer_parola_is_refused(tmp_path: Path) -> None:
    """It is left alone, with a remedy."""
    await fill(tmp_path / "data")
    with closing(sqlite3.connect(tmp_path / "data" / LOG_FILE)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreFailed, match="newer Parola"):
        back_up(tmp_path / "data", tmp_path / "b.zip")
