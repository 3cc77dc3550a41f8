"""`parola doctor`: what is missing, before the day."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parola.cli.checks import Finding, examine
from parola.cli.outcome import MISSING

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    data: Annotated[
        Path | None,
        typer.Option(help="Data folder that will be used.", show_default="parola-data"),
    ] = None,
) -> None:
    """Check that this computer has what Parola needs, and say what to do where it has not."""
    findings = list(examine(data))
    Console(highlight=False).print(_table(findings))
    failed = sum(finding.verdict == "fail" for finding in findings)
    if failed:
        typer.echo(f"{failed} of {len(findings)} checks failed; the table says what to do.")
        raise typer.Exit(MISSING)
    typer.echo("Nothing is missing.")


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "Check", "Found", "What to do"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        table.add_row(
            Text(finding.verdict, style=COLOURS[finding.verdict]),
            Text(finding.what),
            Text(finding.found),
            Text(finding.remedy),
        )
    return table
