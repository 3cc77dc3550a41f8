"""A connection between a simulated peer and a real endpoint, which can go wrong in any way."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.websockets import WebSocket

Message = dict[str, Any]


class Closed(Exception):  # noqa: N818 - a state of the connection
    """The connection is gone; `code` is the server's, or 1006."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class Link:
    """One connection: ordered both ways, each way with a delay, until it breaks."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self._loop = asyncio.get_running_loop()
        self._to_server: asyncio.Queue[Message] = asyncio.Queue()
        self._to_peer: asyncio.Queue[Message] = asyncio.Queue()
        self._busy_until = {True: 0.0, False: 0.0}
        self._is_cut = False
        self._is_black = False

    async def serve(self, endpoint: Callable[[WebSocket], Awaitable[None]], app: object) -> None:
        """Run the server's side, as of an application."""
        self._to_server.put_nowait({"type": "websocket.connect"})
        scope = {
            "type": "websocket",
            "path": "/",
            "headers": [],
            "subprotocols": [],
            "app": app,
        }
        await endpoint(WebSocket(scope, self._to_server.get, self._sent_by_server))

    async def _sent_by_server(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] != "websocket.accept":
            self._carry(self._to_peer, dict(message), upwards=False)

    def send(self, data: str | bytes) -> None:
        """Send a frame to the server.

        Raises:
            Closed: the peer knows that the connection is gone.
        """
        if self._is_cut:
            raise Closed(1006)
        kind = "text" if isinstance(data, str) else "bytes"
        self._carry(self._to_server, {"type": "websocket.receive", kind: data}, upwards=True)

    async def receive(self) -> str:
        """Return the server's next text frame.

        Raises:
            Closed: the connection is gone.
        """
        message = await self._to_peer.get()
        if message["type"] == "websocket.close":
            raise Closed(int(message.get("code", 1000)))
        return str(message["text"])

    def cut(self, server_hears_after_s: float = 0.0) -> None:
        """Break: the peer hears at once, the server later; what is on its way up still arrives."""
        if self._is_cut:
            return
        self._is_cut = True
        self._to_peer.put_nowait({"type": "websocket.close", "code": 1006})
        gone = {"type": "websocket.disconnect", "code": 1006}
        self._loop.call_later(server_hears_after_s + self.delay_s, self._to_server.put_nowait, gone)

    def swallow(self) -> None:
        """Turn into a black hole: from now on nothing arrives, and nobody hears of it."""
        self._is_black = True

    def _carry(self, queue: asyncio.Queue[Message], message: Message, *, upwards: bool) -> None:
        if self._is_black or (self._is_cut and not upwards):
            return
        # Timers for the same instant fire in any order; frames never do.
        at = max(self._loop.time() + self.delay_s, self._busy_until[upwards] + 1e-6)
        self._busy_until[upwards] = at
        self._loop.call_at(at, queue.put_nowait, message)
