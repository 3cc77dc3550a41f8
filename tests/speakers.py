"""Sources of marked audio, which a scripted engine reads back as numbers."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from parola.engines.scripted import BLOCK_FRAMES, marked_audio
from tests.servers import RunningServer


class Source:
    """A source that resumes where its sound is safe: one number is a tenth of a second."""

    def __init__(self, room: str) -> None:
        self.room = room
        self.session = str(uuid4())
        self.safe = 0
        """Numbers whose text is in the log, as far as the server has said."""
        self.sent = 0
        """Numbers that have been sent, as far as the server goes on from them."""

    @asynccontextmanager
    async def connected(
        self, server: RunningServer, token: str = ""
    ) -> AsyncIterator[ClientConnection]:
        """Speak to a server, from the first number that is not safe."""
        start = {
            "type": "start",
            "session": self.session,
            "language": "en-US",
            "position": self.safe * BLOCK_FRAMES,
        }
        url = f"{server.ws}/ws/audio/{quote(self.room, safe='')}"
        async with connect(f"{url}?token={token}" if token else url) as socket:
            await socket.send(json.dumps(start))
            ready = json.loads(await socket.recv())
            assert ready["type"] == "ready"
            self.sent = ready["position"] // BLOCK_FRAMES
            yield socket

    async def say(self, socket: ClientConnection, until: int) -> None:
        """Send the numbers that are left before `until`."""
        await socket.send(marked_audio(range(self.sent, until)))
        self.sent = until

    async def hear_acks(self, socket: ClientConnection) -> None:
        """Take acknowledgements until the connection ends."""
        try:
            async for frame in socket:
                said = json.loads(frame)
                if said["type"] == "ack":
                    self.safe = said["position"] // BLOCK_FRAMES
        except ConnectionClosed:
            pass  # the server was killed

    async def end(self, socket: ClientConnection) -> None:
        """Say that this was all, and wait until it is in the log."""
        await socket.send(json.dumps({"type": "end"}))
        await self.hear_acks(socket)


async def speak(server: RunningServer, room: str, count: int) -> None:
    """Speak the numbers below `count` into a room, as one talk."""
    source = Source(room)
    async with source.connected(server) as socket:
        await source.say(socket, count)
        await source.end(socket)
    assert source.safe == count


async def goes_on(source: Source, node: RunningServer, until: int) -> None:
    """Speak what is left below a number at another node, as soon as that lets the source in."""
    until_s = time.monotonic() + 30
    while True:
        try:
            async with source.connected(node) as socket:
                await source.say(socket, until)
                await source.end(socket)
                return
        except (AssertionError, ConnectionClosed):
            assert time.monotonic() < until_s, "nobody takes over"
            await asyncio.sleep(0.2)
