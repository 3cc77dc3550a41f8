"""Writes tokens into a data folder, beside the server that believes them."""

import asyncio
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import segno
import typer

from parola.cli.transcripts import api_url
from parola.domain.access import Role, Token, new_token
from parola.domain.errors import BadMessage, NotFound
from parola.domain.vocabulary import room_name
from parola.server import tokens
from parola.stores.sqlite_access import open_sqlite_access

_UNITS = {"m": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> int:
    """Return the seconds of a time such as 30m, 12h or 7d.

    Raises:
        BadMessage: it is written otherwise.
    """
    match = re.fullmatch(r"([0-9]{1,6})([mhd])", text.strip())
    if not match:
        raise BadMessage(f"--for cannot be {text!r}; write it like 30m, 12h or 7d.")
    return int(match[1]) * _UNITS[match[2]]


def give(
    folder: Path,
    roles: frozenset[Role],
    room: str | None,
    life_s: int,
    holder: str,
    server: str | None,
    *,
    qr: bool = False,
) -> None:
    """Print a new token, or a link with it; on stderr, what it is, and the link as a QR code.

    Raises:
        BadRoomName, BadMessage: it cannot be made so, or there is no link to draw.
        StoreFailed: it cannot be kept.
    """
    if qr and server is None:
        raise BadMessage("A QR code needs the server's address: add --server.")
    name = None if room is None else room_name(room)
    token = new_token(uuid4().hex[:12], holder, roles, name, int(time.time()), life_s)
    text = asyncio.run(_keep(folder, token))
    link = text if server is None else f"{api_url(server, '/enter')}?token={text}"
    typer.echo(link)
    if qr:
        segno.make(link, error="l", micro=False).terminal(out=sys.stderr, compact=True)
    typer.echo(_line(token), err=True)


def show(folder: Path) -> None:
    """Print a line for each token."""
    found = asyncio.run(_all(folder))
    for token, revoked in found:
        over = "revoked" if revoked else "over" if token.expires_at_s <= time.time() else ""
        typer.echo(f"{_line(token)}{f' ({over})' if over else ''}")
    if not found:
        typer.echo("Nobody was given a token yet.", err=True)


def revoke(folder: Path, token_id: str) -> None:
    """Make a token worthless; a server notices within a second.

    Raises:
        NotFound: there is none of that id.
    """
    if not asyncio.run(_revoke(folder, token_id)):
        raise NotFound(f"There is no token {token_id!r}; `parola token --list` lists them.")
    typer.echo(f"{token_id} is worth nothing any more.", err=True)


def rotate(folder: Path) -> None:
    """Add a key that signs from now on; the one before is still believed."""
    asyncio.run(_rotate(folder))
    typer.echo("A new key signs from now on; tokens signed with the last one stay good.", err=True)


async def _keep(folder: Path, token: Token) -> str:
    async with open_sqlite_access(folder) as book:
        if not await book.keys():
            await book.add_key(tokens.new_key())
        await book.add_token(token)
        return tokens.sign(token, (await book.keys())[0])


async def _all(folder: Path) -> list[tuple[Token, bool]]:
    async with open_sqlite_access(folder) as book:
        return await book.tokens()


async def _revoke(folder: Path, token_id: str) -> bool:
    async with open_sqlite_access(folder) as book:
        return await book.revoke(token_id)


async def _rotate(folder: Path) -> None:
    async with open_sqlite_access(folder) as book:
        await book.add_key(tokens.new_key())


def _line(token: Token) -> str:
    place = "all rooms" if token.room is None else f"{token.room!r}"
    until = datetime.fromtimestamp(token.expires_at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{token.id}  {token.holder}: {', '.join(sorted(token.roles))} in {place} until {until}"
