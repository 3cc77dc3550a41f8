"""Reads transcripts out of a data folder, beside the server that may be writing into it."""

import asyncio
from pathlib import Path
from typing import BinaryIO

from parola.domain.captions import WRITERS
from parola.domain.corrections import Edits
from parola.domain.errors import NotFound
from parola.domain.vocabulary import RoomName
from parola.stores.sqlite import open_sqlite_log_to_read
from parola.stores.sqlite_file import LOG_FILE

PAGE = 1000
"""Entries read at once."""


def copy_from_folder(
    folder: Path, room: RoomName, form: str, session: str | None, file: BinaryIO
) -> None:
    """Write a room's transcript, as a data folder holds it, into a file.

    Raises:
        NotFound: there is no log in the folder, or nothing of the room in the log.
        StoreFailed: the log cannot be read.
    """
    if not (folder / LOG_FILE).is_file():
        raise NotFound(f"There are no transcripts in {folder}; name a data folder with --data.")
    asyncio.run(_copy(folder, room, form, session, file))


async def _copy(
    folder: Path, room: RoomName, form: str, session: str | None, file: BinaryIO
) -> None:
    writer = WRITERS[form](room, session)
    async with open_sqlite_log_to_read(folder) as log:
        page = await log.read(room, 0, PAGE)
        if not page:
            names = ", ".join(summary.room for summary in await log.rooms()) or "none"
            raise NotFound(f"There is no transcript for {room!r} (rooms that have one: {names}).")
        edits = Edits(await log.edits(room))
        file.write(writer.begin().encode())
        while page:
            file.write("".join(map(writer.add, edits.read_all(page))).encode())
            page = await log.read(room, page[-1].number, PAGE)
        file.write(writer.end().encode())
