"""`parola follow`: a room's captions on a terminal, or in a text file for a video mixer."""

import asyncio
import time
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from parola.cli.output import whole_file
from parola.client.connection import Unreachable, socket_url
from parola.client.viewer import follow as viewed
from parola.domain.vocabulary import RoomName, room_name
from parola.live.lines import OVERLAY_LINES, Lines
from parola.live.painter import Painter, noted

RETRY_S = 3.0
"""Between two attempts at a server that is gone."""

LOOK_S = 0.1
"""How often the file is brought up to date; the painter's fastest pace."""


def follow(
    room: Annotated[str, typer.Argument(help="Room to read.", metavar="ROOM")],
    server: Annotated[
        str, typer.Option(help="Server to read from.", show_default="ws://127.0.0.1:8000")
    ] = "ws://127.0.0.1:8000",
    text_file: Annotated[
        Path | None,
        typer.Option(
            help="File to keep the painted lines in, for vMix or OBS; else finals are printed.",
            show_default=False,
        ),
    ] = None,
    lines: Annotated[
        int, typer.Option(min=1, max=6, help="Lines in the file.", show_default="2")
    ] = OVERLAY_LINES,
) -> None:
    """Read a room for as long as it runs: print its finals, or keep a text file up to date."""
    socket_url(server, "/")
    reader = _TextFile(text_file, lines) if text_file else _Print()
    asyncio.run(_follow(server, room_name(room), reader))


class _Print:
    """Prints each final."""

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "segment" and not message["is_partial"]:
            typer.echo(message["text"])

    def link(self, *, up: bool) -> None:
        if not up:
            typer.echo("The server is gone; trying again.", err=True)

    def look(self) -> None:
        """Nothing to do between two messages."""


class _TextFile:
    """Keeps the lines that an overlay shows in a file; a reader never sees half of it."""

    def __init__(self, path: Path, lines: int) -> None:
        self._path = path
        self._lines = Lines(lines)
        self._most = lines
        self._painter = Painter(self._lines)
        self._began_s = time.time()
        self._written: str | None = None
        self.look()

    def take(self, message: dict[str, Any]) -> None:
        if message.get("off_record"):
            return  # A file is a byte on a disk, and such words are in none.
        at = message.get("at") if message.get("is_partial") is False else None
        past = at is not None and _seconds(at) <= self._began_s
        self._painter.take(message, time.monotonic(), past=past)

    def link(self, *, up: bool) -> None:
        self._painter.link(up=up, now_s=time.monotonic())

    def look(self) -> None:
        """Write what is to be read now, if it is not what was."""
        now_s = time.monotonic()
        self._painter.tick(now_s)
        texts = noted(self._lines.texts, self._painter.note(now_s))[-self._most :]
        text = "" if self._painter.is_hidden else "".join(f"{line}\n" for line in texts)
        if text != self._written:
            with whole_file(self._path) as file:
                file.write(text.encode())
            self._written = text


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).astimezone(UTC).timestamp()


async def _follow(server: str, room: RoomName, reader: _Print | _TextFile) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_look(reader))
        after: int | None = None
        while True:
            try:
                async with aclosing(viewed(server, room, after)) as messages:
                    reader.link(up=True)
                    async for message in messages:
                        after = message.get("seq") or after
                        reader.take(message)
            except Unreachable:
                pass  # It may come back: a mixer that runs all day must not be restarted by hand.
            reader.link(up=False)
            await asyncio.sleep(RETRY_S)


async def _look(reader: _Print | _TextFile) -> None:
    while True:
        reader.look()
        await asyncio.sleep(LOOK_S)
