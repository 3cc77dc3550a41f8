"""`parola devices`: which entry of which microphone delivers sound."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parola.cli.meter import bar
from parola.cli.outcome import FAILED, MISSING, CommandError
from parola.client.capture import LiveSource
from parola.client.devices import Device
from parola.client.impression import Impression, listen_briefly
from parola.client.microphones import every_device, open_listed
from parola.domain.errors import ParolaError

COLOURS = {"sound": "green", "clipping": "yellow", "faint": "yellow"}


def devices(
    seconds: Annotated[
        float,
        typer.Option(help="How long to listen to each.", show_default="1.0", min=0.1, max=60),
    ] = 1.0,
) -> None:
    """Listen to every device for a second, and say which deliver sound."""
    try:
        found = every_device()
    except ParolaError as error:
        raise CommandError(error.message, MISSING) from error
    if not found:
        raise CommandError("No device delivers sound here; plug in a microphone.", FAILED)
    # One after the other: two entries of one microphone can keep each other busy.
    heard = [(device, asyncio.run(_hear(device, seconds))) for device in found]
    # Too narrow a table would cut the names that --device takes.
    console = Console(highlight=False, soft_wrap=True)
    console.print(_table(heard))
    alive = [pair for pair in heard if pair[1].verdict in COLOURS]
    if alive:
        best, _ = max(alive, key=lambda pair: pair[1].level_dbfs)
        typer.echo(f"The loudest: parola listen --device {best.number}")
    else:
        typer.echo("None delivers sound: is the microphone on, and somebody speaking?")


async def _hear(device: Device, seconds: float) -> Impression:
    source = LiveSource(
        device.label, lambda channel: open_listed(device, channel), "mix", lambda _: None
    )
    return await listen_briefly(source, seconds)


def _table(heard: list[tuple[Device, Impression]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "Device", "Gives", "Level"):
        table.add_column(heading, overflow="fold")
    for device, impression in heard:
        verdict = impression.verdict
        table.add_row(
            f"{'*' if device.is_default else ' '}{device.number}",
            Text(device.label),
            Text(verdict, style=COLOURS.get(verdict, "red")),
            Text(impression.trouble or bar(impression.level_dbfs)),
        )
    return table
