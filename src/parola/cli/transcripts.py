"""Fetches transcripts from a server."""

import base64
import json
import shutil
import urllib.error
import urllib.request
from typing import BinaryIO
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from parola.cli.outcome import FAILED, CommandError
from parola.client.connection import socket_url
from parola.client.source_messages import refusal
from parola.domain.errors import ParolaError
from parola.domain.vocabulary import RoomName

PATIENCE_S = 30.0
"""How long a server may take to begin its answer."""


def copy_from_server(
    server: str, room: RoomName, form: str, session: str | None, file: BinaryIO
) -> None:
    """Write a room's transcript, as a server gives it, into a file.

    Raises:
        BadMessage: the server's address cannot be one.
        NotFound and so on: the server refused, in its own words.
        CommandError: the server cannot be reached.
    """
    query = urlencode({"session": session}) if session else ""
    path = f"/api/rooms/{quote(room, safe='')}/transcript.{form}"
    request = api_request(server, path, query)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            shutil.copyfileobj(answer, file)
    except urllib.error.HTTPError as error:
        raise refused(error) from error
    except urllib.error.URLError as error:
        raise CommandError(
            f"No server at {shown_server(server)} ({error.reason}); start one with `parola serve`,"
            " or read its folder with --data.",
            FAILED,
        ) from error


def api_request(server: str, path: str, query: str = "") -> urllib.request.Request:
    """Return a request to an endpoint; a token in the address goes where no log keeps it.

    Raises:
        BadMessage: the server's address cannot be one.
    """
    parts = urlsplit(api_url(server, path, query))
    carried, _, place = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=place)))  # noqa: S310
    if carried:
        basic = base64.b64encode(unquote(carried).encode()).decode()
        request.add_header("Authorization", f"Basic {basic}")
    return request


def shown_server(server: str) -> str:
    """Return a server's address without the token that it may hold."""
    scheme, separator, rest = server.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def api_url(server: str, path: str, query: str = "") -> str:
    """Return the URL of an endpoint of a server, whichever scheme its address was given with.

    Raises:
        BadMessage: the server's address cannot be one.
    """
    parts = urlsplit(socket_url(server, path, query))
    scheme = {"ws": "http", "wss": "https"}[parts.scheme]
    return urlunsplit((scheme, *parts[1:]))


def refused(error: urllib.error.HTTPError) -> ParolaError | CommandError:
    """Return what a server's refusal means, in its own words where they can be read."""
    try:
        fields = json.loads(error.read())
        return refusal(fields["code"], fields["detail"])
    except (ValueError, KeyError, TypeError):
        return CommandError(f"The server answered {error.code}; is it Parola?", FAILED)
