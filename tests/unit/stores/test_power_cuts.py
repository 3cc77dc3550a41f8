"""A power cut at any byte of the write-ahead log leaves a prefix with all that was promised."""

import shutil
import sqlite3
import struct
from pathlib import Path

from parola.domain.log import Entry
from parola.domain.transcript import Segment
from parola.stores.sqlite import open_sqlite_log
from parola.stores.sqlite_file import LOG_FILE

WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
"""Source: SQLite, "WAL-mode File Format", sections 1.1 to 1.3."""


def entry(number: int) -> Entry:
    text = f"segment {number}"
    body = Segment("talk", number, text, number * 100, number * 100 + 100, True, "en-US")
    return Entry("main", number, 1000 + number, body)


async def test_every_cut_leaves_what_was_promised(tmp_path: Path) -> None:
    """At each frame's edge and inside it: promised entries are there, and no gap before them."""
    wal, promised = tmp_path / "data" / f"{LOG_FILE}-wal", {0: 0}
    async with open_sqlite_log(tmp_path / "data") as log:
        for number in range(1, 13):
            await log.append([entry(number)])
            promised[wal.stat().st_size] = number
        # Copied while the writer lives: closing would empty the write-ahead log.
        shutil.copytree(tmp_path / "data", tmp_path / "copy")
    whole = (tmp_path / "copy" / f"{LOG_FILE}-wal").read_bytes()
    page_bytes = struct.unpack(">I", whole[8:12])[0]
    frame = FRAME_HEADER_BYTES + page_bytes
    edges = range(WAL_HEADER_BYTES, len(whole) + 1, frame)
    cuts = [0, 7, *(edge + part for edge in edges for part in (0, 11, frame // 2))]
    for cut in (cut for cut in cuts if cut <= len(whole)):
        found = read_after(tmp_path, whole[:cut])
        kept = max(number for size, number in promised.items() if size <= cut)
        assert found == list(range(1, len(found) + 1)), f"a gap after a cut at {cut}"
        assert len(found) >= kept, f"promised and gone after a cut at {cut}"


def read_after(folder: Path, wal: bytes) -> list[int]:
    """Return the numbers that a server would find after the cut."""
    shutil.rmtree(folder / "cut", ignore_errors=True)
    shutil.copytree(folder / "copy", folder / "cut")
    (folder / "cut" / f"{LOG_FILE}-shm").unlink(missing_ok=True)
    (folder / "cut" / f"{LOG_FILE}-wal").write_bytes(wal)
    db = sqlite3.connect(folder / "cut" / LOG_FILE)
    try:
        tables = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'entries'").fetchone()
        if not tables[0]:
            return []
        return [number for (number,) in db.execute("SELECT number FROM entries ORDER BY number")]
    finally:
        db.close()


async def test_the_log_syncs_on_every_commit(tmp_path: Path) -> None:
    """The promise hangs on these two words of SQLite's; nothing else may open the file to write."""
    seen: list[tuple[str, int]] = []

    def look(db: sqlite3.Connection) -> None:
        mode = str(db.execute("PRAGMA journal_mode").fetchone()[0])
        seen.append((mode, int(db.execute("PRAGMA synchronous").fetchone()[0])))

    async with open_sqlite_log(tmp_path) as log:
        await log._writer.run(look)
    assert seen == [("wal", 2)]
