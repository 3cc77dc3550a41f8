"""`parola export`: a room's transcript as a file."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from parola.cli.outcome import USAGE, CommandError, server_part
from parola.cli.output import Format, format_of, whole_file
from parola.cli.transcripts import copy_from_server
from parola.domain.vocabulary import room_name


def export(
    room: Annotated[str, typer.Argument(help="Room whose transcript is wanted.", metavar="ROOM")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data folder to read; its server may be running.", show_default="parola-data"
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            help="Server to ask instead, such as http://127.0.0.1:8000.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write. Without it, text goes to the screen."),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="What to write.", show_default="as -o ends, else txt"),
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="One talk's id. Without it, all talks of the room.")
    ] = None,
) -> None:
    """Write a room's transcript as subtitles, plain text or JSON."""
    if data is not None and server is not None:
        raise CommandError("A transcript comes from --data or from --server, not both.", USAGE)
    name = room_name(room)
    wanted = form or (format_of(output) if output else "txt")
    with ExitStack() as stack:
        if output:
            file = stack.enter_context(whole_file(output))
        else:
            file = typer.get_binary_stream("stdout")
        if server is not None:
            copy_from_server(server, name, wanted, session, file)
            return
        with server_part():
            from parola.cli import kept, serving  # noqa: PLC0415 - needs the server's extra
        settings = serving.read_settings({"data": data} if data else {})
        if settings.cluster and not data:
            raise CommandError(
                "Several nodes share the transcripts: ask one of them, with --server URL.", USAGE
            )
        kept.copy_from_folder(settings.data, name, wanted, session, file)
