"""uvicorn's two protocols, handing their transport to the fan-out where an endpoint asks for it."""

from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from parola.server.outlet import Outlet
from parola.server.slow import TimelyHTTP

EXTENSION = "parola.outlet"
"""The name in the ASGI scope's extensions under which `open_outlet` finds the connection."""

LAST_WORD_S = 5.0
"""How long a viewer that was given up may take to read why."""


class ViewerWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket; once its transport is handed over, what the viewer says is read and dropped."""

    outlet: Outlet | None = None

    def open_outlet(self) -> Outlet:
        """Hand the transport over; call it after the handshake."""
        self.outlet = Outlet(self)
        if self.disconnected or self.close_sent or self.transport.is_closing():
            self.outlet.end()
        return self.outlet

    def handle_connect(self, event: Request) -> None:
        """Tell the application that the transport can be had."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[Any, Any] = self.scope["extensions"] or {}
            extensions[EXTENSION] = self

    def send_receive_event_to_app(self) -> None:
        """Drop what a viewer says: nobody reads it, and it must not wait for anybody."""
        if self.outlet:
            self.frames = []
        else:
            super().send_receive_event_to_app()

    def handle_cont(self, event: Frame) -> None:
        """Drop a viewer's fragments one by one."""
        if not self.outlet:
            super().handle_cont(event)

    def handle_text(self, event: Frame) -> None:
        """Drop a viewer's text, whatever bytes it is made of."""
        if not self.outlet:
            super().handle_text(event)

    def pause_writing(self) -> None:
        """Pass it on."""
        super().pause_writing()
        if self.outlet:
            self.outlet.pause()

    def resume_writing(self) -> None:
        """Pass it on."""
        super().resume_writing()
        if self.outlet:
            self.outlet.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._end()
        super().connection_lost(exc)

    def handle_close(self, event: Frame) -> None:
        """Let no caption follow the close frame."""
        self._end()
        super().handle_close(event)

    def handle_parser_exception(self) -> None:
        """Let no caption follow the close frame."""
        self._end()
        if self.conn.close_sent is None:
            # The rubbish came before the handshake's answer, so that there is nothing to close.
            self.transport.abort()
        else:
            super().handle_parser_exception()

    def keepalive_timeout(self) -> None:
        """Let no caption follow the close frame, and do not wait for ever until it is read."""
        self._end()
        super().keepalive_timeout()
        if self.outlet:
            self.loop.call_later(LAST_WORD_S, self.transport.abort)

    def shutdown(self) -> None:
        """Let no caption follow the close frame."""
        self._end()
        super().shutdown()

    def _end(self) -> None:
        if self.outlet:
            self.outlet.end()

    def give_up(self, code: int, reason: str) -> None:
        """Close with a reason, and cut the connection if that is not read soon."""
        self._end()
        self.stop_keepalive()
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        # Closing would wait for the viewer to read, for ever.
        self.close_timer = self.loop.call_later(LAST_WORD_S, self.transport.abort)


class ViewerHttp(TimelyHTTP):
    """HTTP/1.1; a response whose transport is handed over goes on as chunks of that transport."""

    outlet: Outlet | None = None

    def open_outlet(self) -> Outlet:
        """Hand the transport over; call it after the response's head was sent."""
        self.outlet = Outlet(self)
        if self.transport.is_closing():
            self.outlet.end()
        return self.outlet

    def handle_events(self) -> None:
        """Tell the application that the transport can be had."""
        before = self.scope
        super().handle_events()
        # The request's task has not run yet. HTTP/1.0 has no chunks.
        if self.scope is not before and self.scope["http_version"] == "1.1":
            self.scope["extensions"] = cast("dict[str, dict[object, object]]", {EXTENSION: self})

    def pause_writing(self) -> None:
        """Pass it on."""
        super().pause_writing()
        if self.outlet:
            self.outlet.pause()

    def resume_writing(self) -> None:
        """Pass it on."""
        super().resume_writing()
        if self.outlet:
            self.outlet.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        if self.outlet:
            self.outlet.end()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End a viewer's response as well: it has no end of its own."""
        if self.outlet:
            self.outlet.end()
        super().shutdown()

    def give_up(self, code: int, reason: str) -> None:  # noqa: ARG002 - HTTP has no last word
        """Cut the connection; a response that has begun cannot tell why."""
        if self.outlet:
            self.outlet.end()
        self.transport.abort()


def open_outlet(scope: Scope) -> Outlet | None:
    """Return the transport behind a connection; None where the server is not ours."""
    connection: Any = scope.get("extensions", {}).get(EXTENSION)
    outlet: Outlet | None = connection.open_outlet() if connection else None
    return outlet
