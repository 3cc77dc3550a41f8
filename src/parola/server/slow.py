"""Ends connections that do not bring a whole request in time: holding thousands of them is free."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_WITHIN_S = 15.0
"""From the connection, or the first byte of a next request, to the end of its headers."""


class TimelyHTTP(H11Protocol):
    """uvicorn's HTTP/1.1, which by itself waits for headers for ever."""

    within_s = REQUEST_WITHIN_S
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop the time when a request is whole; start it when the next one begins."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._due is None and self.conn.trailing_data[0]:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._due = self.loop.call_later(self.within_s, self._give_up)

    def _stop(self) -> None:
        if self._due:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        self._due = None
        if not self.transport.is_closing():
            self.transport.close()


def protocol_within(within_s: float) -> type[Any]:
    """Return the protocol with another limit, for tests."""
    return type("TimelyHTTP", (TimelyHTTP,), {"within_s": within_s})
