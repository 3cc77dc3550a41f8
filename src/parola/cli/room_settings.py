"""Changes a room's settings on a server."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from parola.cli.outcome import FAILED, CommandError
from parola.cli.transcripts import PATIENCE_S, api_request, refused, shown_server
from parola.domain.errors import Outdated
from parola.domain.vocabulary import RoomName

ATTEMPTS = 5
"""Somebody at the console may set something between our look and our word."""


def change_settings(server: str, room: RoomName, new: dict[str, Any]) -> dict[str, Any]:
    """Set what is new; the rest stays. Return all that is set then.

    Raises:
        BadMessage: the server's address cannot be one.
        TooLarge and so on: the server refused, in its own words.
        CommandError: the server cannot be reached.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _change(server, room, new)
        except Outdated:
            continue
    return _change(server, room, new)


def _change(server: str, room: RoomName, new: dict[str, Any]) -> dict[str, Any]:
    path = f"/api/rooms/{quote(room, safe='')}/settings"
    settings, seen = _ask(server, api_request(server, path))
    terms = settings["terms"] | new.get("terms", {})
    request = api_request(server, path)
    request.method, request.data = "PUT", json.dumps(settings | new | {"terms": terms}).encode()
    request.add_header("Content-Type", "application/json")
    request.add_header("If-Match", seen)
    return _ask(server, request)[0]


def _ask(server: str, request: urllib.request.Request) -> tuple[dict[str, Any], str]:
    """Return what the server answers, and its version."""
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            return json.load(answer), answer.headers.get("ETag", "*")
    except urllib.error.HTTPError as error:
        raise refused(error) from error
    except urllib.error.URLError as error:
        raise CommandError(
            f"No server at {shown_server(server)} ({error.reason}); start one with `parola serve`.",
            FAILED,
        ) from error
