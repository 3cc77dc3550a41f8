"""Keeps what people set for rooms in the log's SQLite file, one row a room."""

import json
import sqlite3
from dataclasses import asdict

from parola.domain.errors import StoreFailed
from parola.domain.room_settings import Replacement, RoomSettings
from parola.domain.terms import Terms
from parola.domain.vocabulary import Language, RoomName
from parola.stores.sqlite_file import Connection, transaction


class SqliteRoomBook:
    """What is set for rooms; made by `parola.stores.sqlite.open_sqlite`."""

    def __init__(self, writer: Connection, reader: Connection) -> None:
        self._writer = writer
        self._reader = reader

    async def read(self, room: str) -> RoomSettings:
        """Sees what was durable when it was called."""
        return await self._reader.run(lambda db: _read(db, room))

    async def write(
        self, room: str, settings: RoomSettings, before: RoomSettings | None = None
    ) -> bool:
        """One row in one transaction."""

        def work(db: sqlite3.Connection) -> bool:
            with transaction(db):
                if before is not None and _read(db, room) != before:
                    return False
                db.execute(
                    "INSERT INTO room_settings VALUES (?, ?) "
                    "ON CONFLICT (room) DO UPDATE SET body = excluded.body",
                    (room, encode(settings)),
                )
            return True

        return await self._writer.run(work)


def _read(db: sqlite3.Connection, room: str) -> RoomSettings:
    row = db.execute("SELECT body FROM room_settings WHERE room = ?", (room,)).fetchone()
    return decoded(room, row and row[0])


def encode(settings: RoomSettings) -> str:
    """Return the settings as JSON with every field: stable, pure ASCII."""
    return json.dumps(asdict(settings), separators=(",", ":"))


def decoded(room: str, text: str | None) -> RoomSettings:
    """Return the settings that a book holds for a room; the defaults where there is no text.

    Raises:
        StoreFailed: they cannot be read.
    """
    if text is None:
        return RoomSettings()
    try:
        return decode(text)
    except (ValueError, TypeError, KeyError) as error:
        raise StoreFailed(
            f"The settings of room {room!r} cannot be read ({error}); set them again."
        ) from error


def decode(text: str) -> RoomSettings:
    """Return the settings that `encode` wrote; fields added since take their defaults.

    Raises:
        ValueError, TypeError, KeyError: this is nothing that `encode` wrote.
    """
    fields = json.loads(text)
    language, terms = fields.pop("language"), fields.pop("terms")
    beside = fields.pop("beside", None)
    return RoomSettings(
        language=language and Language(language),
        terms=Terms(tuple(terms.pop("phrases")), **terms),
        replacements=tuple(Replacement(**rule) for rule in fields.pop("replacements")),
        blocked=tuple(fields.pop("blocked", ())),
        beside=beside and RoomName(beside),
        **fields,
    )
