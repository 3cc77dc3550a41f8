"""Opens a socket to a server, and says in one sentence why it cannot be had or went away."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)

from parola.client.source_messages import refusal
from parola.domain.errors import BadMessage, ParolaError

PING_EVERY_S = 5.0
PONG_WITHIN_S = 10.0
"""A network that swallows everything is noticed after a quarter of a minute."""

CLOSE_WITHIN_S = 2.0
"""How long a server may take to answer a goodbye; what is safe does not depend on it."""

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Unreachable(ParolaError):  # noqa: N818 - said of the server
    """No server answers there, or it broke off; the message names the address."""

    code: ClassVar[str] = "unreachable"


def socket_url(server: str, path: str, query: str = "") -> str:
    """Return the address of a socket on a server.

    Raises:
        BadMessage: the server's address is not like ws://127.0.0.1:8000.
    """
    kinds = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
    try:
        parts = urlsplit(server if "://" in server else f"ws://{server}")
        usable = parts.scheme in kinds and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise BadMessage(f"{server!r} is no server's address; write it like ws://127.0.0.1:8000.")
    whole = f"{parts.path.rstrip('/')}{path}"
    return urlunsplit((kinds[parts.scheme], parts.netloc, whole, query, ""))


@asynccontextmanager
async def socket_to(url: str) -> AsyncIterator[ClientConnection]:
    """Open a socket, and say in one sentence why it cannot be had or went away.

    Raises:
        Unreachable: nobody answers, not with a WebSocket, or the connection broke.
        ParolaError: the server refused or closed it with one of our codes.
    """
    try:
        # A proxy could not reach this computer's own addresses.
        proxy: Literal[True] | None = None if urlsplit(url).hostname in LOOPBACK else True
        socket = await connect(
            url,
            compression=None,
            max_size=2**20,
            proxy=proxy,
            ping_interval=PING_EVERY_S,
            ping_timeout=PONG_WITHIN_S,
            close_timeout=CLOSE_WITHIN_S,
        )
    except InvalidStatus as error:
        if reason := _refused(bytes(error.response.body)):
            raise reason from error
        status = error.response.status_code
        raise Unreachable(f"{_host(url)} refused the socket ({status}); is it Parola?") from error
    except (InvalidHandshake, InvalidURI, EOFError) as error:
        raise Unreachable(f"{_host(url)} does not answer as a Parola server does.") from error
    except OSError as error:
        raise Unreachable(
            f"No server at {_host(url)} ({_why(error)}); start one with `parola serve`,"
            " or name another with --server."
        ) from error
    try:
        async with socket:
            yield socket
    except ConnectionClosed as error:
        raise _closed(url, error) from error


def _refused(body: bytes) -> ParolaError | None:
    """Return what a refused handshake says, if it is ours: an error's JSON as over HTTP."""
    try:
        fields = json.loads(body)
        return refusal(fields["code"], fields["detail"])
    except (ValueError, KeyError, TypeError):
        return None


def _closed(url: str, error: ConnectionClosed) -> ParolaError:
    """Return the reason of a close frame as our error: "code: message" if the server is ours."""
    reason = error.rcvd.reason if error.rcvd else ""
    code, colon, message = reason.partition(": ")
    if colon:
        return refusal(code, message)
    return Unreachable(f"The connection to {_host(url)} broke; see that the server still runs.")


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    # The event loop's own words tell addresses twice; a failed look-up has no errno of the system.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


def _host(url: str) -> str:
    """Return scheme, host and port, without the password that an address may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
