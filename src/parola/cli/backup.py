"""`parola backup` and `parola restore`: everything that is kept, as one file and back."""

from pathlib import Path
from typing import Annotated

import typer

from parola.cli.outcome import server_part

Data = Annotated[
    Path | None,
    typer.Option(help="Data folder; its server may be running.", show_default="parola-data"),
]


def backup(
    file: Annotated[
        Path, typer.Argument(help="File to write; never one that is there.", metavar="FILE")
    ],
    data: Data = None,
    access: Annotated[
        bool,
        typer.Option(
            "--access/--no-access",
            help="Keys, tokens and audit log too: whoever has the file can sign tokens.",
            show_default="on",
        ),
    ] = True,
) -> None:
    """Copy transcripts, room settings and access book into one file, while the server runs."""
    with server_part():
        from parola.cli import keeping, serving  # noqa: PLC0415 - needs the server's extra
    folder = serving.read_settings({"data": data} if data else {}).data
    keeping.back_up(folder, file, with_access=access)


def restore(
    file: Annotated[Path, typer.Argument(help="File that parola backup wrote.", metavar="FILE")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data folder to fill; it has no transcripts yet.", show_default="parola-data"
        ),
    ] = None,
) -> None:
    """Fill a data folder from a backup, after looking at every byte of it."""
    with server_part():
        from parola.cli import keeping, serving  # noqa: PLC0415 - needs the server's extra
    folder = serving.read_settings({"data": data} if data else {}).data
    keeping.restore(file, folder)
