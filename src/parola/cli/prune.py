"""`parola prune`: deletes old talks for good."""

from pathlib import Path
from typing import Annotated

import typer

from parola.cli.asking import post
from parola.cli.outcome import USAGE, CommandError, server_part

PATIENCE_S = 600.0
"""A large log is written anew as a whole."""


def prune(
    days: Annotated[float, typer.Option(min=0.0001, help="Talks whose newest line is older go.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data folder to prune; no server may hold it.", show_default="parola-data"
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            help="Server to ask instead; a token goes as the password.", show_default=False
        ),
    ] = None,
) -> None:
    """Delete talks and recordings' texts older than so many days: no byte of them stays."""
    if server:
        gone = post(server, "/api/prune", {"days": days}, PATIENCE_S)
        # A server of an earlier version leaves recordings alone, and says nothing of them.
        talks, lines, jobs = gone["talks"], gone["lines"], gone.get("recordings", 0)
    else:
        with server_part():
            from parola.cli import keeping, serving  # noqa: PLC0415 - needs the server's extra
        settings = serving.read_settings({"data": data} if data else {})
        if settings.cluster and not data:
            raise CommandError(
                "Several nodes share these talks: ask one of them, with --server URL.", USAGE
            )
        folder = settings.data
        pruned = keeping.prune(folder, days)
        talks, lines, jobs = len(pruned.talks), pruned.lines, pruned.jobs
    typer.echo(f"{talks} talks with {lines} lines and {jobs} recordings are deleted.", err=True)
