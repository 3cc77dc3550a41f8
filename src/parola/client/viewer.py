"""Reads a room as its viewers do."""

import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import quote

from parola.client.connection import socket_to, socket_url
from parola.domain.errors import BadMessage
from parola.domain.vocabulary import RoomName


async def follow(
    server: str, room: RoomName, after: int | None = None
) -> AsyncGenerator[dict[str, Any]]:
    """Yield everything that a viewer of the room gets, partials and states too.

    The messages are those of docs/reference/protocol.md. Ends when the server closes in order.

    Args:
        server: such as "ws://127.0.0.1:8000".
        room: which one.
        after: the last `seq` it has; without it, it gets what a newcomer gets.

    Raises:
        Unreachable, ParolaError: see `socket_to`.
        BadMessage: the server sends something else than JSON objects.
    """
    query = "partial=true&v=1" if after is None else f"partial=true&v=1&after={after}"
    url = socket_url(server, f"/ws/transcript/{quote(room, safe='')}", query)
    async with socket_to(url) as socket:
        async for frame in socket:
            yield _read(frame)


def _read(frame: str | bytes) -> dict[str, Any]:
    try:
        fields = json.loads(frame)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise BadMessage("The server sends no JSON objects; is it a Parola server?")
    return fields
