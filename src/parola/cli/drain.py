"""`parola drain`: lets a server go in order, and waits until it has gone."""

import time
import urllib.error
import urllib.request
from typing import Annotated

import typer

from parola.cli.asking import post
from parola.cli.outcome import FAILED, CommandError
from parola.cli.transcripts import api_request, shown_server

LOOK_S = 0.3
"""How often to look whether it has gone."""

STOP_S = 30.0
"""How long a stop itself may take; `stop_within_s` is 10 s unless set otherwise."""


def drain(
    server: Annotated[
        str,
        typer.Option(
            help="Server to let go; a token goes as the password.",
            show_default="http://127.0.0.1:8000",
        ),
    ] = "http://127.0.0.1:8000",
    wait: Annotated[
        float,
        typer.Option(
            "--wait", min=0, help="Seconds that running talks may go on, at most.", show_default="0"
        ),
    ] = 0.0,
) -> None:
    """Let a server go: no new talks, the running ones end or move on, then its process ends."""
    talks = post(server, "/api/drain", {"wait_s": wait})["talks"]
    typer.echo(f"{shown_server(server)} takes no new talks; {talks} run.", err=True)
    until_s = time.monotonic() + wait + STOP_S
    while _answers(server):
        if time.monotonic() > until_s:
            raise CommandError(
                f"{shown_server(server)} has not ended yet; its log says why."
                " SIGTERM ends it at once.",
                FAILED,
            )
        time.sleep(LOOK_S)
    typer.echo(f"{shown_server(server)} has gone.", err=True)


def _answers(server: str) -> bool:
    """Return whether the process that was asked is still there, behind no proxy."""
    try:
        with urllib.request.urlopen(api_request(server, "/healthz"), timeout=5):  # noqa: S310 - http(s) only
            return False  # it is another one already, in the same place
    except urllib.error.HTTPError as error:
        return error.code == 503
    except TimeoutError:
        return True
    except OSError:
        return False
