"""A server of captions that makes one mistake: what the load's viewers have to find."""

import asyncio
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, cast

import psutil

from bench.load.crowd import Entrance
from bench.load.systems import Setting

Mistake = Literal["none", "loses", "doubles", "loses and doubles", "cuts off", "refuses"]

HEADS = {
    "socket": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "events": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
}


class Careless:
    """Says captions to everybody at once; one viewer suffers from the second time it speaks on."""

    def __init__(self, setting: Setting, mistake: Mistake) -> None:
        self.process = psutil.Process()
        self.entrance = Entrance(0, "/%d", setting.medium, setting.certificate is not None)
        refuses = mistake == "refuses"
        self.head = b"HTTP/1.1 403 Forbidden\r\n\r\n" if refuses else HEADS[setting.medium]
        self.connected: set[asyncio.Transport] = set()
        self.viewers: list[asyncio.Transport] = []
        self.loop = asyncio.new_event_loop()
        self.awaited = 0
        """So many viewers have to be there before it speaks: it keeps nothing for later ones."""
        self._mistake = mistake
        self._tls: ssl.SSLContext | None = None
        if setting.certificate:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(setting.certificate.chain, setting.certificate.key)
        self._stretches = 0

    async def serve(self, ready: threading.Event, over: asyncio.Event) -> None:
        listening = await self.loop.create_server(
            lambda: Viewer(self), "127.0.0.1", 0, ssl=self._tls
        )
        async with listening as server:
            port: int = server.sockets[0].getsockname()[1]
            entrance = self.entrance
            self.entrance = Entrance(port, entrance.path, entrance.medium, entrance.tls)
            ready.set()
            await over.wait()
            while self.connected:
                for viewer in self.connected:
                    viewer.abort()
                await asyncio.sleep(0.001)

    def say(self, rate_hz: float, seconds: float) -> int:
        count = int(rate_hz * seconds)
        asyncio.run_coroutine_threadsafe(self._say(count), self.loop).result(10)
        return count

    async def _say(self, count: int) -> None:
        while len(self.viewers) < self.awaited:  # noqa: ASYNC110 - as in tests.viewers
            await asyncio.sleep(0.001)
        mistake = self._mistake if self._stretches else "none"
        self._stretches += 1
        for number in range(count):
            if mistake == "cuts off" and number == count - 1:
                self.viewers[0].close()
            caption = f"@{time.monotonic_ns()}@ ".encode()
            self.viewers[0].write(_for_the_first(caption, number, mistake))
            for viewer in self.viewers[1:]:
                viewer.write(caption)


class Viewer(asyncio.Protocol):
    """Answers a request, and reads nothing else."""

    def __init__(self, server: Careless) -> None:
        self._server = server
        self._heard = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connected.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connected.discard(self._transport)
        if self._transport in self._server.viewers:
            self._server.viewers.remove(self._transport)

    def data_received(self, data: bytes) -> None:
        is_new = b"\r\n\r\n" not in self._heard
        self._heard += data
        if is_new and b"\r\n\r\n" in self._heard:
            self._transport.write(self._server.head)
            self._server.viewers.append(self._transport)


def _for_the_first(caption: bytes, number: int, mistake: Mistake) -> bytes:
    if number == 1 and mistake.startswith("loses"):
        return b""
    if number == 2 and mistake.endswith("doubles"):
        return caption * 2
    return caption


@contextmanager
def careless(setting: Setting, mistake: Mistake) -> Iterator[Careless]:
    """Run it in a thread."""
    server = Careless(setting, mistake)
    ready, over = threading.Event(), asyncio.Event()
    serving = server.serve(ready, over)
    thread = threading.Thread(target=lambda: server.loop.run_until_complete(serving))
    thread.start()
    try:
        assert ready.wait(10)
        yield server
    finally:
        server.loop.call_soon_threadsafe(over.set)
        thread.join(10)
        server.loop.close()
