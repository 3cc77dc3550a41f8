"""Changes a room's settings on a server."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from parola.cli.outcome import FAILED, CommandError
from parola.cli.transcripts import PATIENCE_S, api_url, refused
from parola.domain.vocabulary import RoomName


def change_settings(server: str, room: RoomName, new: dict[str, Any]) -> dict[str, Any]:
    """Set what is new; the rest stays. Return all that is set then.

    Raises:
        BadMessage: the server's address cannot be one.
        TooLarge and so on: the server refused, in its own words.
        CommandError: the server cannot be reached.
    """
    url = api_url(server, f"/api/rooms/{quote(room, safe='')}/settings")
    settings = _ask(server, urllib.request.Request(url))  # noqa: S310 - http(s) only
    own = settings["terms"] | new.pop("terms", {})
    body = json.dumps(settings | new | {"terms": own}).encode()
    headers = {"Content-Type": "application/json"}
    return _ask(server, urllib.request.Request(url, body, headers, method="PUT"))  # noqa: S310


def _ask(server: str, request: urllib.request.Request) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            fields: dict[str, Any] = json.load(answer)
            return fields
    except urllib.error.HTTPError as error:
        raise refused(error) from error
    except urllib.error.URLError as error:
        raise CommandError(
            f"No server at {server} ({error.reason}); start one with `parola serve`.", FAILED
        ) from error
