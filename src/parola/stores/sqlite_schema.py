"""The log file's layout, by version, and what brings an older file to the newest.

Forward only: a file that a newer Parola wrote is left alone. Before an older file is changed, a
copy of it is laid beside it.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from parola.domain.cues import shown_text
from parola.domain.errors import StoreFailed
from parola.stores.folders import sync_folder

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE entries (
            room        TEXT    NOT NULL,
            number      INTEGER NOT NULL,
            at_ms       INTEGER NOT NULL,
            kind        TEXT    NOT NULL,
            session     TEXT    NOT NULL,
            first_frame INTEGER,
            body        TEXT    NOT NULL,
            PRIMARY KEY (room, number)
        ) WITHOUT ROWID
        """,
        # A replayed segment is swallowed here, whatever number it comes with.
        """
        CREATE UNIQUE INDEX segments ON entries (room, session, first_frame)
        WHERE kind = 'segment'
        """,
        # Lets `rooms` count without reading the bodies.
        "CREATE INDEX times ON entries (room, at_ms)",
    ),
    ("CREATE TABLE room_settings (room TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",),
    # Finds where a session stands without reading the whole room.
    ("CREATE INDEX changes ON entries (room, session, number) WHERE kind = 'state'",),
    # Finds a room's edits likewise.
    (
        """
        CREATE INDEX edits ON entries (room, number)
        WHERE kind IN ('correction', 'strike', 'restore')
        """,
    ),
    # Points at what is to be sent on; the text stays in one place. AUTOINCREMENT: no ticket twice.
    (
        """
        CREATE TABLE outbox (
            ticket  INTEGER PRIMARY KEY AUTOINCREMENT,
            room    TEXT    NOT NULL,
            number  INTEGER NOT NULL,
            refused TEXT
        )
        """,
    ),
    # What `search` looks into; its text is the log's as it reads now. A migration is no edit: files
    # from before have none.
    (
        """
        CREATE TABLE said (
            id      INTEGER PRIMARY KEY,
            room    TEXT    NOT NULL,
            number  INTEGER NOT NULL,
            version INTEGER NOT NULL,
            text    TEXT    NOT NULL,
            UNIQUE (room, number)
        )
        """,
        """
        CREATE VIRTUAL TABLE said_words USING fts5 (
            text, content = 'said', content_rowid = 'id',
            tokenize = 'unicode61 remove_diacritics 2'
        )
        """,
        """
        CREATE TRIGGER said_new AFTER INSERT ON said BEGIN
            INSERT INTO said_words (rowid, text) VALUES (new.id, new.text);
        END
        """,
        """
        CREATE TRIGGER said_gone AFTER DELETE ON said BEGIN
            INSERT INTO said_words (said_words, rowid, text) VALUES ('delete', old.id, old.text);
        END
        """,
        """
        CREATE TRIGGER said_anew AFTER UPDATE ON said BEGIN
            INSERT INTO said_words (said_words, rowid, text) VALUES ('delete', old.id, old.text);
            INSERT INTO said_words (rowid, text) VALUES (new.id, new.text);
        END
        """,
        """
        INSERT INTO said (room, number, version, text)
        SELECT room, number, number, said_in(body) FROM entries WHERE kind = 'segment'
        """,
    ),
    # How lines sound, and which are still to be read; what was said before is not read.
    (
        """
        CREATE TABLE moods (
            room        TEXT    NOT NULL,
            number      INTEGER NOT NULL,
            session     TEXT    NOT NULL,
            first_frame INTEGER NOT NULL,
            score       REAL    NOT NULL,
            intent      TEXT    NOT NULL,
            read_by     TEXT    NOT NULL,
            PRIMARY KEY (room, number)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE unread (
            ticket  INTEGER PRIMARY KEY AUTOINCREMENT,
            room    TEXT    NOT NULL,
            number  INTEGER NOT NULL
        )
        """,
    ),
    # How far a room had counted when lines were taken out of it: no number is given twice.
    (
        """
        CREATE TABLE forgotten (room TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID
        """,
    ),
)
"""What brings a file from schema version n (`PRAGMA user_version`) to n + 1. Only ever add."""


def bring_up(db: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest schema, one version after the other, each in a transaction.

    Raises:
        StoreFailed: a newer Parola wrote it; it was not touched.
        sqlite3.Error: it stays at the last version that was reached.
    """
    version = refuse_if_newer(db, path)
    if 0 < version < len(MIGRATIONS):
        _copy(db, path, version)
    # JSON may hold half a surrogate pair, which SQLite's own functions make invalid text of.
    db.create_function("said_in", 1, lambda body: shown_text(str(json.loads(body)["text"])))
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        db.execute("BEGIN IMMEDIATE")
        for statement in statements:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")


def refuse_if_newer(db: sqlite3.Connection, path: Path) -> int:
    """Return the file's version.

    Raises:
        StoreFailed: a newer Parola wrote it.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise StoreFailed(
            f"The log {path} was written by a newer Parola (schema {version}, this one knows "
            f"{len(MIGRATIONS)}); install that version or choose another data folder."
        )
    return version


def copies(path: Path) -> list[Path]:
    """Return what was laid beside a log file before migrations."""
    return sorted(path.parent.glob(f"{path.name}.schema-*"))


def _copy(db: sqlite3.Connection, path: Path, version: int) -> None:
    """Lay a whole copy beside the file; only the newest one stays."""
    new = path.with_name(f"{path.name}.copying")
    new.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(new)) as copy:
            db.backup(copy)
        old = copies(path)
        kept = new.rename(path.with_name(f"{path.name}.schema-{version}"))
    finally:
        new.unlink(missing_ok=True)
    for file in old:
        if file != kept:
            file.unlink()
    sync_folder(path.parent)
