"""A server of captions that makes one mistake: what the load's viewers have to find."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal

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
        self.entrance = Entrance(0, "/%d", setting.medium)
        self._head = HEADS[setting.medium]
        self._mistake = mistake
        self._viewers: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._stretches = 0

    async def serve(self, ready: threading.Event, over: asyncio.Event) -> None:
        async with await asyncio.start_server(self._greet, "127.0.0.1", 0) as server:
            port: int = server.sockets[0].getsockname()[1]
            self.entrance = Entrance(port, "/%d", self.entrance.medium)
            ready.set()
            await over.wait()
            for viewer in self._viewers:
                viewer.transport.abort()
            ends = (viewer.wait_closed() for viewer in self._viewers)
            await asyncio.gather(*ends, return_exceptions=True)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        refused = self._mistake == "refuses"
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n" if refused else self._head)
        self._viewers.append(writer)

    def say(self, rate_hz: float, seconds: float) -> int:
        count = int(rate_hz * seconds)
        asyncio.run_coroutine_threadsafe(self._say(count), self._loop).result(10)
        return count

    async def _say(self, count: int) -> None:
        mistake = self._mistake if self._stretches else "none"
        self._stretches += 1
        for number in range(count):
            if mistake == "cuts off" and number == count - 1:
                self._viewers[0].close()
            caption = f"@{time.monotonic_ns()}@ ".encode()
            self._viewers[0].write(_first_viewers(caption, number, mistake))
            for viewer in self._viewers[1:]:
                viewer.write(caption)


def _first_viewers(caption: bytes, number: int, mistake: Mistake) -> bytes:
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
    thread = threading.Thread(
        target=partial(server._loop.run_until_complete, server.serve(ready, over))
    )
    thread.start()
    try:
        assert ready.wait(10)
        yield server
    finally:
        server._loop.call_soon_threadsafe(over.set)
        thread.join(10)
        server._loop.close()
