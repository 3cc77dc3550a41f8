"""`parola cost`: what an event will cost on AWS."""

from decimal import Decimal
from typing import Annotated

import typer

from parola.domain.event_cost import PRICES_OF, SOURCE, TALKING, Prices, event_cost


def cost(
    rooms: Annotated[
        int, typer.Option(help="Rooms recognised at the same time.", show_default="1", min=1)
    ] = 1,
    hours: Annotated[
        float, typer.Option(help="How long, in hours.", show_default="8.0", min=0.1, max=10_000)
    ] = 8.0,
    talking: Annotated[
        float,
        typer.Option(
            help="Part of the time in which somebody talks.",
            show_default=str(TALKING),
            min=0,
            max=1,
        ),
    ] = float(TALKING),
) -> None:
    """Print what an event costs on AWS, and what closing streams in breaks saves."""
    found = event_cost(rooms, Decimal(str(hours)), Decimal(str(talking)))
    for amount, what in (
        (found.always_open, "Amazon Transcribe, streams open all the time"),
        (found.in_talks, "Amazon Transcribe, streams closed in breaks"),
        (found.saved, "saved by closing them"),
        (found.stack, "server and pipeline (deploy/aws/event.yaml)"),
        (found.pipeline, "  of that the pipeline: queue, functions, table, conversations' windows"),
        (found.sentiment, "  of that sentiment: table_to_mood's calls, GB-seconds and writes"),
        (found.in_talks + found.stack, "in all, streams closed in breaks"),
    ):
        typer.echo(f"{amount:10.2f} $  {what}")
    small = Prices().small_month
    typer.echo(f"{small:10.2f} $  instead of the server: a month of deploy/aws/small.yaml")
    typer.echo(f"Prices of {PRICES_OF}: {SOURCE}.")
    typer.echo("A recogniser of your own (--engine sherpa) costs nothing of this but the server.")
