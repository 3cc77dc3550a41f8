"""`parola models`: which recognisers there are to fetch, and the fetching."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from parola.cli.outcome import USAGE, CommandError, server_part
from parola.domain.errors import NotFound
from parola.engines.sherpa import read_models
from parola.engines.sherpa_catalogue import CATALOGUE, RELEASES, Offer, find
from parola.engines.sherpa_folders import install, remove


def models(
    action: Annotated[
        Literal["list", "get", "remove"], typer.Argument(help="What to do.", metavar="ACTION")
    ],
    name: Annotated[
        str | None,
        typer.Argument(help="Model to get or remove, as listed.", metavar="NAME"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data folder; models are kept in models/ in it.", show_default="parola-data"
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--models", help="Folder of the models.", show_default="models in --data"),
    ] = None,
    mirror: Annotated[
        str,
        typer.Option(help="Address that archives are fetched from.", show_default="upstream's own"),
    ] = RELEASES,
) -> None:
    """List, fetch or remove models for the engine sherpa."""
    with server_part():
        from parola.cli import serving  # noqa: PLC0415 - needs the server's extra
    given = {"data": data, "models": folder}
    settings = serving.read_settings({key: value for key, value in given.items() if value})
    place = settings.models_folder
    if action == "list":
        _list(place)
    elif not name:
        raise CommandError(f"Say which: parola models {action} NAME, see list.", USAGE)
    elif action == "get":
        _get(name, place, mirror)
    else:
        offer = find(name)
        there = offer is not None and (place / offer.name).is_dir()
        remove(offer.name if offer and there else name, place)
        typer.echo(f"Removed {name}.")


def _list(place: Path) -> None:
    found, refused = read_models(place)
    installed = {model.name: model for model in found}
    for offer in CATALOGUE:
        typer.echo(f"{offer.name}{'  (here)' if offer.name in installed else ''}")
        typer.echo(f"    {_described(offer)}")
    for model in found:
        if find(model.name) is None:
            typer.echo(f"{model.name}  (here)")
            typer.echo(f"    {' '.join(model.languages)} · {model.kind} · put there by hand")
    for sentence in refused:
        typer.echo(sentence)
    typer.echo(f"Models are kept in {place}.")


def _described(offer: Offer) -> str:
    size = f"{offer.size_mb} MB" if offer.size_mb else "size not published"
    source = f" ({offer.source})" if offer.source else ""
    return (
        f"{' '.join(offer.languages)} · {size} · {offer.licence} · "
        f"word error rate: {offer.errors}{source} · SHA-256: {offer.sha256 or 'none published'}"
    )


def _get(name: str, place: Path, mirror: str) -> None:
    offer = find(name)
    if offer is None:
        raise NotFound(f"There is no model {name}; see `parola models list`.")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Progress(*columns, TransferSpeedColumn(), console=console) as bar:
        task = bar.add_task(offer.name, total=None)
        model, sha256 = install(
            offer,
            place,
            lambda have, total: bar.update(task, completed=have, total=total),
            mirror if mirror.endswith("/") else f"{mirror}/",
        )
    typer.echo(f"{model.name} is in {model.folder}: {model.kind}, {' '.join(model.languages)}.")
    checked = "as published" if offer.sha256 else "none is published to compare it with"
    typer.echo(f"SHA-256 {sha256}, {checked}. Licence: {offer.licence}.")
