"""Keeps what people set for rooms in the log's SQLite file, one row a room."""

import json
import sqlite3
from dataclasses import asdict

from parola.domain.errors import StoreFailed
from parola.domain.room_settings import Replacement, RoomSettings
from parola.domain.terms import Terms
from parola.domain.vocabulary import Language, RoomName
from parola.stores.sqlite_file import Connection


class SqliteRoomBook:
    """What is set for rooms; made by `parola.stores.sqlite.open_sqlite`."""

    def __init__(self, writer: Connection, reader: Connection) -> None:
        self._writer = writer
        self._reader = reader

    async def read(self, room: str) -> RoomSettings:
        """Sees what was durable when it was called."""
        query = "SELECT body FROM room_settings WHERE room = ?"
        row = await self._reader.run(lambda db: db.execute(query, (room,)).fetchone())
        if row is None:
            return RoomSettings()
        try:
            return decode(row[0])
        except (ValueError, TypeError, KeyError) as error:
            raise StoreFailed(
                f"The settings of room {room!r} cannot be read ({error}); set them again."
            ) from error

    async def write(self, room: str, settings: RoomSettings) -> None:
        """One row in one transaction."""

        def work(db: sqlite3.Connection) -> None:
            # Fetched, so that the statement has ended and is committed.
            db.execute(
                "INSERT INTO room_settings VALUES (?, ?) "
                "ON CONFLICT (room) DO UPDATE SET body = excluded.body",
                (room, encode(settings)),
            ).fetchone()

        await self._writer.run(work)


def encode(settings: RoomSettings) -> str:
    """Return the settings as JSON with every field: stable, pure ASCII."""
    return json.dumps(asdict(settings), separators=(",", ":"))


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
