"""Asks a server to do something, over its HTTP API."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from parola.cli.outcome import FAILED, CommandError
from parola.cli.transcripts import PATIENCE_S, api_request, refused, shown_server


def post(
    server: str, path: str, body: Mapping[str, Any], patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """Return what the server answers to a POST; both are JSON.

    Args:
        server: its address; a token goes as the password, http://name:TOKEN@host:8000.
        path: the endpoint.
        body: what is sent.
        patience_s: how long it may take to begin its answer.

    Raises:
        BadMessage: the server's address cannot be one.
        TokenNeeded and so on: the server refused, in its own words.
        CommandError: it cannot be reached.
    """
    request = api_request(server, path)
    request.method, request.data = "POST", json.dumps(body).encode()
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=patience_s) as answer:  # noqa: S310
            fields: dict[str, Any] = json.load(answer)
            return fields
    except urllib.error.HTTPError as error:
        raise refused(error) from error
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        why = getattr(error, "reason", error)
        raise CommandError(
            f"No server at {shown_server(server)} ({why}); start one with `parola serve`.", FAILED
        ) from error
