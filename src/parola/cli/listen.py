"""`parola listen`: sound from here into a room of a server."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from parola.audio.decode import Decoder
from parola.cli.outcome import FAILED, USAGE, CommandError
from parola.client.uplink import Sent, Uplink, socket_url, stream
from parola.domain.audio import to_seconds
from parola.domain.errors import ParolaError
from parola.domain.vocabulary import language_tag, room_name

LINE_EVERY_S = 0.2
"""How often the line on a terminal is painted."""


def listen(
    room: Annotated[
        str, typer.Option("--room", "--sala", help="Room to speak into.", show_default="main")
    ] = "main",
    file: Annotated[
        Path | None,
        typer.Option(help="Recording to stream: any audio or video file.", show_default=False),
    ] = None,
    server: Annotated[
        str, typer.Option(help="Server to stream to.", show_default="ws://127.0.0.1:8000")
    ] = "ws://127.0.0.1:8000",
    language: Annotated[
        str,
        typer.Option("--language", "--lang", help="Language that is spoken.", show_default="en-US"),
    ] = "en-US",
    fast: Annotated[
        bool, typer.Option("--fast", help="As fast as the server takes it, not by the clock.")
    ] = False,
) -> None:
    """Stream a recording into a room, at the pace of the clock, until its last word is saved."""
    if file is None:
        raise CommandError(
            "Microphones cannot be used yet; name a recording with --file talk.wav.", USAGE
        )
    uplink = Uplink(server, room_name(room), language_tag(language), real_time=not fast)
    socket_url(server, "/")
    with Decoder(file) as decoder, _Line(decoder.duration_s) as line:
        try:
            sent = asyncio.run(stream(decoder.chunks(), uplink, line.show))
        except ParolaError as error:
            raise CommandError(error.message, FAILED) from error
    typer.echo(
        f"Sent {to_seconds(sent.sent_frame):.1f} s to room {room};"
        f" the text of {to_seconds(sent.safe_frame):.1f} s is saved."
    )


class _Line:
    """One line on a terminal: position, level, and how much is saved. Nothing on a pipe."""

    def __init__(self, length_s: float | None) -> None:
        console = Console(stderr=True, highlight=False)
        self._live = Live(console=console, transient=True) if sys.stderr.isatty() else None
        self._of = f" of {_clock(length_s)}" if length_s else ""
        self._painted_at = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, sent: Sent) -> None:
        """Paint how far it is."""
        now = time.monotonic()
        if self._live is None or now - self._painted_at < LINE_EVERY_S:
            return
        self._painted_at = now
        self._live.update(
            Text(
                f"{_clock(to_seconds(sent.sent_frame))}{self._of}  {_meter(sent.level_dbfs)}"
                f"  saved to {_clock(to_seconds(sent.safe_frame))}"
            )
        )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _meter(level_dbfs: float) -> str:
    """Return a bar of 12 signs from -60 to 0 dBFS, and the number."""
    filled = round(min(max(level_dbfs + 60, 0), 60) / 5)
    number = f"{level_dbfs:4.0f} dBFS" if level_dbfs > float("-inf") else "  silence"
    return f"{'█' * filled}{'·' * (12 - filled)} {number}"
