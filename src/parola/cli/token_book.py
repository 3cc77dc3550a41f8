"""Writes tokens into a data folder, or where nodes share them, beside the servers."""

import asyncio
import re
import sys
import time
from datetime import UTC, datetime
from uuid import uuid4

import segno
import typer

from parola.cli.transcripts import api_url
from parola.domain.access import Role, Token, new_token
from parola.domain.errors import BadMessage, NotFound
from parola.domain.vocabulary import room_name
from parola.server import tokens
from parola.wiring import Settings
from parola.wiring_stores import open_access_book

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
    settings: Settings,
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
    text = asyncio.run(_keep(settings, token))
    link = text if server is None else f"{api_url(server, '/enter')}?token={text}"
    typer.echo(link)
    if qr:
        segno.make(link, error="l", micro=False).terminal(out=sys.stderr, compact=True)
    typer.echo(_line(token), err=True)


def show(settings: Settings) -> None:
    """Print a line for each token."""
    found = asyncio.run(_all(settings))
    for token, revoked in found:
        over = "revoked" if revoked else "over" if token.expires_at_s <= time.time() else ""
        typer.echo(f"{_line(token)}{f' ({over})' if over else ''}")
    if not found:
        typer.echo("Nobody was given a token yet.", err=True)


def revoke(settings: Settings, token_id: str) -> None:
    """Make a token worthless; a server notices within a second.

    Raises:
        NotFound: there is none of that id.
    """
    if not asyncio.run(_revoke(settings, token_id)):
        raise NotFound(f"There is no token {token_id!r}; `parola token --list` lists them.")
    typer.echo(f"{token_id} is worth nothing any more.", err=True)


def rotate(settings: Settings) -> None:
    """Add a key that signs from now on; the one before is still believed."""
    asyncio.run(_rotate(settings))
    typer.echo("A new key signs from now on; tokens signed with the last one stay good.", err=True)


async def _keep(settings: Settings, token: Token) -> str:
    async with open_access_book(settings) as book:
        if not await book.keys():
            await book.add_key(tokens.new_key())
        await book.add_token(token)
        return tokens.sign(token, (await book.keys())[0])


async def _all(settings: Settings) -> list[tuple[Token, bool]]:
    async with open_access_book(settings) as book:
        return await book.tokens()


async def _revoke(settings: Settings, token_id: str) -> bool:
    async with open_access_book(settings) as book:
        return await book.revoke(token_id)


async def _rotate(settings: Settings) -> None:
    async with open_access_book(settings) as book:
        await book.add_key(tokens.new_key())


def _line(token: Token) -> str:
    place = "all rooms" if token.room is None else f"{token.room!r}"
    until = datetime.fromtimestamp(token.expires_at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{token.id}  {token.holder}: {', '.join(sorted(token.roles))} in {place} until {until}"
