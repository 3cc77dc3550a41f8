"""A room's text for one viewer, by the cheapest way its connection offers.

Behind our own server that is the fan-out; elsewhere each viewer follows the room for itself. Both
keep the same promises (tests/contract/test_viewers.py).
"""

import asyncio
import random
from contextlib import aclosing, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from parola.beside import beside
from parola.domain.errors import ParolaError, TooSlow
from parola.domain.vocabulary import RoomName
from parola.live.feed import Feed, View
from parola.live.rooms import Rooms
from parola.server.deps import close_code
from parola.server.fanout import Fanout, event_bytes, event_text, websocket_bytes
from parola.server.outlet import PATIENCE_S
from parola.server.protocols import open_outlet
from parola.wire import messages

RETRY_S = 2.0
"""A browser that lost its events waits at least this long, and up to twice that."""


async def show_on_socket(socket: WebSocket, rooms: Rooms, name: RoomName, view: View) -> None:
    """Send a room's text to a socket that was accepted, until the viewer leaves.

    Raises:
        StoreFailed, ServerFull: see `Rooms.view`.
    """
    fanout: Fanout = socket.app.state.fanout
    outlet = open_outlet(socket.scope)
    if outlet is None:
        async with beside(_send_all(socket, rooms, name, view)):
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass  # viewers have nothing to say
        return
    try:
        async with rooms.view(name) as room:
            now_ms = rooms.plugs.now_ms()
            await fanout.serve(room.feed, view, outlet, websocket_bytes, now_ms)
    except TooSlow as error:
        outlet.give_up(close_code(error), messages.close_reason(error))


async def _send_all(socket: WebSocket, rooms: Rooms, name: RoomName, view: View) -> None:
    async with aclosing(rooms.follow(name, view)) as frames:
        async for frame in frames:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await socket.send_text(frame.text)
            except TimeoutError:
                raise TooSlow("Nothing was taken for a while; come back for the rest.") from None
            except (WebSocketDisconnect, RuntimeError):
                return  # the viewer has gone; the reading side ends the rest


class EventStream(Response):
    """A room's text as server-sent events."""

    media_type = "text/event-stream"

    def __init__(self, rooms: Rooms, name: RoomName, view: View) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._rooms = rooms
        self._name = name
        self._view = view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the viewer leaves."""
        async with self._rooms.view(self._name) as room:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            await _send_part(send, _retry(room.feed.return_within_s))
            outlet = open_outlet(scope)
            if outlet is None:
                await self._send_plainly(room.feed, receive, send)
                return
            fanout: Fanout = scope["app"].state.fanout
            now_ms = self._rooms.plugs.now_ms()
            try:
                await fanout.serve(room.feed, self._view, outlet, event_bytes, now_ms)
            except ParolaError as error:
                # The answer has begun, so that its end is all that tells.
                outlet.give_up(close_code(error), messages.close_reason(error))

    async def _send_plainly(self, feed: Feed, receive: Receive, send: Send) -> None:
        # The answer has begun, so that its end is all that tells.
        with suppress(ParolaError):
            async with beside(self._send_all(feed, send)):
                while (await receive())["type"] != "http.disconnect":
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, feed: Feed, send: Send) -> None:
        async with aclosing(feed.follow(self._view, self._rooms.plugs.now_ms())) as frames:
            async for frame in frames:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        await _send_part(send, event_text(frame))
                except TimeoutError:
                    raise TooSlow(
                        "Nothing was taken for a while; come back for the rest."
                    ) from None


async def _send_part(send: Send, part: str) -> None:
    await send({"type": "http.response.body", "body": part.encode(), "more_body": True})


def _retry(within_s: float) -> str:
    """Return when to come back after a break. Source: WHATWG HTML, section 9.2.6 (`retry`)."""
    spread_s = max(RETRY_S, within_s)
    wait_s = RETRY_S + spread_s * random.random()  # noqa: S311 - no secret
    return f"retry: {wait_s * 1000:.0f}\n\n"
