"""The conversation pipeline's web app, as its server sees it on the wire."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.protocol import State
from websockets.typing import Origin

from tests.servers import RunningServer

ITEM = {
    "callId",
    "endTime",
    "eventTimestamp",
    "resultId",
    "speakerName",
    "startTime",
    "transcript",
}
OPTIONAL = {"speakerName"}
PAGE = Origin("http://localhost:5173")
"""Where its page comes from: another server on this computer."""

DEADLINE_S = 30.0

Line = dict[str, Any]


class WebApp:
    """One window of it: who it is, and the lines that it shows."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.caller = ""
        self.call = ""
        self.windows: list[list[Line]] = []
        """Every window, in the order they came."""

    async def greet(self) -> None:
        """Take what comes first: its Start button stays disabled until it does."""
        first, second = [json.loads(await self._socket.recv()) for _ in range(2)]
        assert first.keys() == second.keys() == {"type", "value"}
        assert (first["type"], second["type"]) == ("callerId", "callId")
        assert UUID(first["value"]).version == 4
        self.caller, self.call = first["value"], second["value"]

    async def window(self) -> list[Line]:
        """Return the next window, once it is what its page can show."""
        while True:
            frame = json.loads(await self._socket.recv())
            if frame["type"] != "transcripts":
                continue  # Its page ignores kinds that it does not know.
            self.windows.append(_shown(frame["value"], self.call))
            return self.windows[-1]

    async def other(self) -> dict[str, Any]:
        """Return the next message of a kind that its page ignores."""
        async with asyncio.timeout(DEADLINE_S):
            while (frame := json.loads(await self._socket.recv()))["type"] == "transcripts":
                pass
        told: dict[str, Any] = frame
        return told

    async def until(self, holds: Callable[[list[Line]], bool]) -> list[Line]:
        """Return the first window from now on of which it is so."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds(found := await self.window()):
                pass
        return found


def _shown(value: object, call: str) -> list[Line]:
    """Return a window's lines: an array, oldest first, each with a React key of its own."""
    assert isinstance(value, list)
    for line in value:
        assert line.keys() | OPTIONAL == ITEM
        assert all(isinstance(text, str) for text in line.values())
        assert line["callId"] == call
        assert float(line["startTime"]) <= float(line["endTime"])
    keys = [line["eventTimestamp"] for line in value]
    assert all(datetime.fromisoformat(key).tzinfo for key in keys)
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys)
    return value


@asynccontextmanager
async def web_app(server: RunningServer, call: str | None = None) -> AsyncIterator[WebApp]:
    """Open its window on a call."""
    query = f"?{urlencode({'callId': call})}" if call else ""
    async with connect(f"{server.ws}/api/stt/connect{query}", origin=PAGE) as socket:
        app = WebApp(socket)
        await app.greet()
        yield app


@asynccontextmanager
async def microphone(server: RunningServer, **query: object) -> AsyncIterator[ClientConnection]:
    """Open its socket for sound; its Stop hangs up without a code, which arrives as 1005."""
    url = f"{server.ws}/api/stt/transcribe?{urlencode(query)}"
    async with connect(url, origin=PAGE, max_queue=1) as socket:
        yield socket
        if socket.state is State.OPEN:
            async with socket.send_context():
                socket.protocol.send_close()
            await socket.wait_closed()


async def speak(socket: ClientConnection, pcm: bytes, frame_bytes: int = 7526) -> None:
    """Send sound in frames of the size that its worklet makes at 48 kHz."""
    for at in range(0, len(pcm), frame_bytes):
        await socket.send(pcm[at : at + frame_bytes])
