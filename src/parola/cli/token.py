"""`parola token`: gives people roles, for a time, and takes them back."""

from pathlib import Path
from typing import Annotated

import typer

from parola.cli.outcome import server_part
from parola.domain.access import role as checked_role


def token(  # noqa: PLR0913, PLR0917 - one for each option
    room: Annotated[
        str | None, typer.Option(help="Room that it is for.", show_default="all rooms")
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            help="What it gives, speak, read or operate; may be said several times.",
            show_default="read",
        ),
    ] = None,
    life: Annotated[
        str, typer.Option("--for", help="How long it is good, such as 30m, 12h or 7d.")
    ] = "12h",
    holder: Annotated[
        str, typer.Option(help="Whom it is for; stands in the audit log.")
    ] = "somebody",
    server: Annotated[
        str | None,
        typer.Option(
            help="Server's address as people reach it; with it, a link is printed.",
            show_default=False,
        ),
    ] = None,
    qr: Annotated[
        bool,
        typer.Option(
            "--qr", help="Draw the link as a QR code too; needs --server.", show_default=False
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            help="The server's data folder; the server may be running.", show_default="parola-data"
        ),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--list", help="List what was given out, and end.", show_default=False)
    ] = False,
    revoke: Annotated[
        str | None,
        typer.Option(help="Make the token of this id worthless, and end.", show_default=False),
    ] = None,
    rotate: Annotated[
        bool,
        typer.Option(
            "--rotate",
            help="Sign with a new key from now on, and end; twice makes every token worthless.",
            show_default=False,
        ),
    ] = False,
) -> None:
    """Give somebody a role in a room for a time, as a token or a link; list and revoke them."""
    with server_part():
        from parola.cli import serving, token_book  # noqa: PLC0415 - needs the server's extra
    settings = serving.read_settings({"data": data} if data else {})
    if show_all:
        token_book.show(settings)
    elif revoke is not None:
        token_book.revoke(settings, revoke)
    elif rotate:
        token_book.rotate(settings)
    else:
        roles = frozenset(map(checked_role, role or ["read"]))
        token_book.give(settings, roles, room, token_book.seconds(life), holder, server, qr=qr)
