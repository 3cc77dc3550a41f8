"""`parola demo`: the whole chain with a sample talk, without a browser."""

import asyncio
import importlib.resources
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from parola.beside import tasks_beside
from parola.cli.outcome import FAILED, INTERRUPTED, CommandError, server_part
from parola.cli.output import whole_file
from parola.cli.screen import Screen
from parola.cli.transcripts import copy_from_server
from parola.client.given import recording
from parola.client.streaming import stream
from parola.client.uplink import Uplink
from parola.client.viewer import follow
from parola.domain.vocabulary import RoomName, language_tag

SAMPLE = "samples/talk.ogg"
ROOM = RoomName("demo")

READY = "Parola is ready: "
"""How the line of `parola serve` begins that tells its address."""

LAST_WORDS_S = 10.0
"""How long a viewer may wait for the end of a talk whose every word is saved."""

STOP_S = 30.0
"""How long the server may take to stop in order."""


def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder for what is kept.", show_default="a new one in the system's temporary one"
        ),
    ] = None,
    engine: Annotated[
        Literal["auto", "sherpa", "pocketsphinx", "scripted"],
        typer.Option(help="Recogniser of the server.", show_default="auto"),
    ] = "auto",
    fast: Annotated[
        bool, typer.Option("--fast", help="As fast as the engine goes, not by the clock.")
    ] = False,
) -> None:
    """Start a server, play the sample talk into a room, and print what its viewers read."""
    with server_part():
        import parola.wiring  # noqa: F401, PLC0415 - fails early, in one sentence
    folder = data or Path(tempfile.mkdtemp(prefix="parola-demo-"))
    try:
        words = asyncio.run(_demonstrate(folder, engine, fast=fast))
    except asyncio.CancelledError:
        raise typer.Exit(INTERRUPTED) from None
    if not words:
        raise CommandError("No words arrived; run `parola doctor` to see why.", FAILED)


async def _demonstrate(folder: Path, engine: str, *, fast: bool) -> int:
    """Run the demonstration, and return how many words a viewer got."""
    task = asyncio.current_task()
    # Whoever stops the demonstration stops its server too. Windows has no such signals.
    with suppress(NotImplementedError):
        if task:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with _server(folder, engine) as url:
        typer.echo(f"A server runs at {url}; its rooms can be seen there until the talk is over.")
        with Screen() as screen:
            viewer = _Viewer(screen)
            await _play(url, viewer, fast=fast)
        transcript = folder / f"{ROOM}.txt"
        await asyncio.to_thread(_save_transcript, url, transcript)
    typer.echo(f"\n{viewer.words} words arrived. The transcript: {transcript}")
    typer.echo(f"As subtitles: parola export {ROOM} --data {folder} -o {ROOM}.srt")
    return viewer.words


async def _play(url: str, viewer: "_Viewer", *, fast: bool) -> None:
    """Stream the sample into the room, with a viewer there from before to after."""
    uplink = Uplink(url, ROOM)
    with importlib.resources.as_file(importlib.resources.files("parola") / SAMPLE) as path:
        async with tasks_beside() as tasks:
            watching = tasks.create_task(viewer.watch(url))
            await viewer.connected.wait()
            await stream(recording(path, real_time=not fast), uplink, language_tag("en-US"))
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    await asyncio.wait({watching})


class _Viewer:
    """Reads the room as a display does, and puts it on the screen."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.connected = asyncio.Event()
        self.words = 0

    async def watch(self, url: str) -> None:
        """Show what comes until the talk that began is over."""
        began = False
        async for message in follow(url, ROOM):
            self.connected.set()
            if message["type"] == "change":
                began = began or message["change"] == "session_started"
                if began and message["change"] == "session_ended":
                    return
            elif message["type"] == "state" and message["detail"]:
                self._screen.final(f"({message['state']}: {message['detail']})")
            elif message["type"] == "segment":
                self._show(message)

    def _show(self, segment: dict[str, Any]) -> None:
        if segment["is_partial"]:
            self._screen.guess(segment["text"])
            return
        self.words += len(segment["text"].split())
        minutes, seconds = divmod(int(segment["start_s"]), 60)
        self._screen.final(f"{minutes}:{seconds:02}  {segment['text']}")


def _save_transcript(url: str, path: Path) -> None:
    with whole_file(path) as file:
        copy_from_server(url, ROOM, "txt", None, file)


@asynccontextmanager
async def _server(folder: Path, engine: str) -> AsyncIterator[str]:
    """Run `parola serve` on a free port, give its address, and stop it with SIGTERM.

    Raises:
        CommandError: it did not start, or did not end in order; it has said why on stderr.
    """
    arguments = ["serve", "--port", "0", "--data", str(folder), "--engine", engine]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "parola.cli", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield await _address(process)
    finally:
        await _stop(process)
    if process.returncode:
        raise CommandError("The server did not stop in order; its words are above.", FAILED)


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout  # noqa: S101 - it was asked for
    async for line in process.stdout:
        text = line.decode().strip()
        if text.startswith(READY):
            return text.removeprefix(READY)
    code = await process.wait()
    raise CommandError("The server did not start; its words are above.", code or FAILED)


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            # Its last lines are read too: a full pipe would keep it from ending.
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
