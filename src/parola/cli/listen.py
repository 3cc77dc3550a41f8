"""`parola listen`: sound from here into a room of a server."""

from pathlib import Path
from typing import Annotated

import typer

from parola.audio.raw import Raw
from parola.cli.listening import Wish, list_them, probe, send
from parola.cli.outcome import USAGE, CommandError
from parola.cli.terms import Phrases, Text, own_words
from parola.client.capture import Channel
from parola.client.connection import socket_url
from parola.client.remembered import default_path, forget_device
from parola.domain.vocabulary import language_tag, room_name
from parola.wire.engine_options import from_query

DEFAULT_SPOOL_MB = 512
"""Four and a half hours."""


def listen(  # noqa: PLR0913, PLR0917 - each is an option
    room: Annotated[
        str, typer.Option("--room", "--sala", help="Room to speak into.", show_default="main")
    ] = "main",
    device: Annotated[
        str | None,
        typer.Option(
            help="Microphone: its number, name, or a part of the name.",
            show_default="the last one, else the system's",
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            help="Instead of a microphone: a recording, - for stdin, or an address for FFmpeg.",
            show_default=False,
        ),
    ] = None,
    server: Annotated[
        str, typer.Option(help="Server to stream to.", show_default="ws://127.0.0.1:8000")
    ] = "ws://127.0.0.1:8000",
    language: Annotated[
        str,
        typer.Option("--language", "--lang", help="Language that is spoken.", show_default="en-US"),
    ] = "en-US",
    channel: Annotated[
        Channel,
        typer.Option(
            help="What of a microphone is heard: mix is the mean of all.", show_default="mono"
        ),
    ] = "mono",
    raw: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Samples without a header: s16le, s24le, s32le, f32le, u8 and so on.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(help="Their rate in Hz; alone it means s16le.", show_default="16000"),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(help="Their channels; alone it means s16le.", show_default="1"),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="A recording as fast as the server takes it.")
    ] = False,
    probe_only: Annotated[
        bool, typer.Option("--probe", help="Listen for three seconds, say what comes, and end.")
    ] = False,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="List the devices and end.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget the last microphone and end.")
    ] = False,
    spool: Annotated[
        Path | None,
        typer.Option(
            help="Folder for sound that is not saved by the server yet.",
            show_default="in ~/.local/state/parola",
        ),
    ] = None,
    spool_mb: Annotated[
        int,
        typer.Option(
            help="Most that is kept there, in MB; 0 keeps a quarter of an hour in memory.",
            show_default=str(DEFAULT_SPOOL_MB),
            min=0,
        ),
    ] = DEFAULT_SPOOL_MB,
    engine_option: Annotated[
        list[str] | None,
        typer.Option(
            "--engine-option",
            help="What the engine is asked for this talk; repeat it for more.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    phrases: Phrases = None,
    text: Text = None,
) -> None:
    """Stream a microphone or a recording into a room until its last word is saved."""
    if list_devices:
        list_them()
        return
    if forget:
        forget_device(default_path())
        return
    if file is not None and device is not None:
        raise CommandError("Say --device or --file, not both.", USAGE)
    socket_url(server, "/")
    wish = Wish(
        server=server,
        room=room_name(room),
        language=language_tag(language),
        device=device,
        file=file,
        raw=_raw(raw, rate, channels),
        channel=channel,
        fast=fast,
        spool=spool,
        spool_mb=spool_mb,
        engine_options=from_query(engine_option or ()),
        terms=own_words(phrases, text),
    )
    if probe_only:
        probe(wish)
    else:
        send(wish)


def _raw(kind: str | None, rate_hz: int | None, channels: int | None) -> Raw | None:
    if kind is None and rate_hz is None and channels is None:
        return None
    return Raw(kind or "s16le", rate_hz or 16_000, channels or 1)
