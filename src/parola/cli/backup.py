"""`parola backup` and `parola restore`: everything that is kept, as one file and back."""

from pathlib import Path
from typing import Annotated

import typer

from parola.cli.outcome import USAGE, CommandError, server_part

Data = Annotated[
    Path | None,
    typer.Option(help="Data folder; its server may be running.", show_default="parola-data"),
]

Cluster = Annotated[
    str | None,
    typer.Option(
        help="Broker that several nodes share instead, redis://… (or PAROLA_CLUSTER).",
        show_default=False,
    ),
]


def backup(
    file: Annotated[
        Path, typer.Argument(help="File to write; never one that is there.", metavar="FILE")
    ],
    data: Data = None,
    cluster: Cluster = None,
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
    settings = serving.read_settings(_given(data, cluster))
    if settings.cluster is None or data:
        keeping.back_up(settings.data, file, with_access=access)
    else:
        keeping.back_up_broker(settings.cluster, file, with_access=access)


def restore(
    file: Annotated[Path, typer.Argument(help="File that parola backup wrote.", metavar="FILE")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data folder to fill; it has no transcripts yet.", show_default="parola-data"
        ),
    ] = None,
    cluster: Cluster = None,
) -> None:
    """Fill a data folder, or a broker, from a backup, after looking at every byte of it."""
    with server_part():
        from parola.cli import keeping, serving  # noqa: PLC0415 - needs the server's extra
    settings = serving.read_settings(_given(data, cluster))
    if settings.cluster is None or data:
        keeping.restore(file, settings.data)
    else:
        keeping.restore_to_broker(file, settings.cluster)


def _given(data: Path | None, cluster: str | None) -> dict[str, object]:
    """Return the settings that the command line gives.

    Raises:
        CommandError: it names two places.
    """
    if data and cluster:
        raise CommandError("Transcripts are in --data or at --cluster: name one of them.", USAGE)
    return {"data": data} if data else {"cluster": cluster} if cluster else {}
