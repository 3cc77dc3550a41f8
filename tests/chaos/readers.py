"""Viewers over real sockets that come back by number, whatever happens to their connections."""

import json
import logging
import threading
from contextlib import suppress
from typing import Any, Self

from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.sync.client import connect

PING_EVERY_S, PONG_WITHIN_S = 1.0, 2.0
"""A network that swallows everything is noticed after three seconds."""

AGAIN_S = 0.2

SILENT = logging.getLogger(__name__)
"""The library writes pages about each connection that is lost, which is what happens here."""
SILENT.disabled = True


class Reader:
    """Reads a room in a thread of its own, from its first line on, until it is left."""

    def __init__(self, server: str, room: str = "main") -> None:
        self._url = f"{server}/ws/transcript/{room}"
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seen: list[dict[str, Any]] = []
        """The finals, in the order in which they came."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    @property
    def last(self) -> int:
        """The number of the newest line seen."""
        return int(self.seen[-1]["seq"]) if self.seen else 0

    @property
    def texts(self) -> list[str]:
        """What the finals say."""
        return [str(said["text"]) for said in self.seen]

    def _run(self) -> None:
        while not self._left.wait(AGAIN_S):
            with suppress(OSError, EOFError, WebSocketException, InvalidHandshake):
                self._read()

    def _read(self) -> None:
        with connect(
            f"{self._url}?after={self.last}",
            proxy=None,
            open_timeout=5,
            close_timeout=0.1,
            ping_interval=PING_EVERY_S,
            ping_timeout=PONG_WITHIN_S,
            logger=SILENT,
        ) as socket:
            while not self._left.is_set():
                with suppress(TimeoutError):
                    said = json.loads(socket.recv(timeout=0.1))
                    if said["type"] == "segment" and not said["is_partial"]:
                        self.seen.append(said)
