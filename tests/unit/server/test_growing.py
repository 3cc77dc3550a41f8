"""A file that grows while it is sent is sent as it was announced."""

import asyncio
from pathlib import Path

import pytest
from starlette.types import Message

from parola.server.growing import GrowingFile


async def stays() -> Message:
    """Wait for a reader that does not leave."""
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("asked", "wanted"), [([], b"x" * 200_000), ([(b"range", b"bytes=10-19")], b"x" * 10)]
)
async def test_what_came_since_it_was_announced_is_left_out(
    tmp_path: Path, asked: list[tuple[bytes, bytes]], wanted: bytes
) -> None:
    """More than was announced would break the connection; a part is a part as ever."""
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"x" * 200_000)
    response = GrowingFile(path, stat_result=path.stat())
    path.write_bytes(b"x" * 200_000 + b"y" * 300_000)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "headers": asked, "extensions": {}}
    await response(scope, stays, send)
    assert b"".join(message.get("body", b"") for message in sent) == wanted
    assert not sent[-1].get("more_body")
