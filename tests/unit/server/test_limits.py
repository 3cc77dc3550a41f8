"""What strangers take: sound that comes too fast waits, and slow requests are let go."""

import asyncio
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from parola.beside import beside
from parola.domain.access import Rights
from parola.domain.errors import SlowRequest
from parola.server.access import Visit
from parola.server.limits import Limiter, Shares
from parola.server.proxies import Receive, Send
from parola.server.roles import asked
from parola.server.slow import protocol_within

STRANGER = "203.0.113.7"


class Hall:
    """A limiter on a clock of its own: whoever waits lets the time go by."""

    def __init__(self, shares: Shares) -> None:
        self.now_s = 0.0
        self.limiter = Limiter(shares, lambda: self.now_s, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now_s += seconds

    async def hear(self, room: str, address: str, seconds: int, path: str = "/ws/audio") -> float:
        """Send frames of a second as fast as they are taken; return how long that took."""
        scope = {"type": "websocket", "path": f"{path}/{room}", "query_string": b"", "headers": []}

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.receive", "bytes": bytes(32_000)}

        began_s = self.now_s
        read = self.limiter.sound(Visit(asked(scope), Rights(), address), receive)
        for _ in range(seconds):
            assert len((await read())["bytes"]) == 32_000
        return self.now_s - began_s


async def test_sound_that_comes_too_fast_waits() -> None:
    """Over the burst it flows at the share's pace, for an address and for a room alike."""
    shares = Shares(sound_bytes_per_s=10 * 32_000, sound_burst_bytes=60 * 32_000)
    hall = Hall(shares)
    assert await hall.hear("main", STRANGER, 60) == 0
    assert await hall.hear("main", STRANGER, 100) == pytest.approx(10)
    # Another room does not help that address, nor another address that room.
    assert await hall.hear("other", STRANGER, 50) == pytest.approx(5)
    assert await hall.hear("main", "198.51.100.1", 160) > 9
    assert await hall.hear("third", "198.51.100.2", 60) == 0
    # This computer, and who only reads, are not counted.
    assert await hall.hear("main", "127.0.0.1", 1000) == 0
    assert await hall.hear("main", STRANGER, 1000, path="/ws/transcript") == 0


@asynccontextmanager
async def served(shares: Shares, headers_within_s: float) -> AsyncIterator[int]:
    """Serve an application that reads whole bodies behind the limits; give its port."""
    limiter = Limiter(shares)

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        visit = Visit(asked(scope), Rights(), STRANGER)
        body, status = limiter.body(visit, scope, receive), 200
        try:
            while (await body()).get("more_body"):
                pass
        except SlowRequest:
            status = 408
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(
        app, http=protocol_within(headers_within_s), lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with beside(server.serve([listening])):
            yield listening.getsockname()[1]


async def drip(port: int, head: bytes) -> bytes:
    """Send a head, then a byte again and again, until the server has had enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    answer = asyncio.ensure_future(reader.read())
    while not answer.done():
        with suppress(OSError):
            writer.write(b"x")
            await writer.drain()
        await asyncio.wait({answer}, timeout=0.02)
    writer.close()
    with suppress(OSError):
        return answer.result()
    return b""


async def test_a_slow_loris_holds_nothing() -> None:
    """Headers that never end, and a body that drips, are let go; who is quick is answered."""
    shares = Shares(body_wait_s=0.3, body_bytes_per_s=500)
    async with asyncio.timeout(30), served(shares, headers_within_s=0.3) as port:
        assert await drip(port, b"GET / HTTP/1.1\r\nX-Slow: ") == b""
        whole = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
        assert (await drip(port, whole)).startswith(b"HTTP/1.1 408 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
