"""A server's part towards one page, played by a test."""

import json
import re
from typing import Any

from playwright.async_api import Page, WebSocketRoute


class Stage:
    """Plays the server's part towards one page, for what no real engine can be made to say."""

    def __init__(self) -> None:
        self.sockets: list[WebSocketRoute] = []

    async def take(self, page: Page) -> None:
        """Take the page's connections from now on."""
        await page.route_web_socket(re.compile("/ws/transcript/"), self._connected)

    def _connected(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)

    @property
    def socket(self) -> WebSocketRoute:
        """The page's latest connection."""
        return self.sockets[-1]

    def state(self, state: str, detail: str = "", at: str | None = None) -> None:
        """Say what the room is doing."""
        self._send({"type": "state", "state": state, "detail": detail, "engine": "stage", "at": at})

    def tell_the_past(self) -> None:
        """Let every final that follows be one from before the reader came: painted at once."""
        self.state("listening", at="2026-12-31T00:00:00.000Z")

    def partial(self, segment: int, text: str, stable: int = 0) -> None:
        """Send a guess, of which so many words will not change."""
        words = [{"text": w, "stable": n < stable} for n, w in enumerate(text.split())]
        self._send(self._segment(segment, text) | {"is_partial": True, "words": words})

    def final(self, segment: int, text: str, **more: str) -> None:
        """Send a final whose number in the log is that of the segment."""
        at = f"2026-05-28T09:{segment // 60:02}:{segment % 60:02}.000Z"
        self._send(
            self._segment(segment, text) | {"is_partial": False, "seq": segment, "at": at} | more
        )

    def _segment(self, segment: int, text: str) -> dict[str, Any]:
        return {
            "type": "segment",
            "session": "s",
            "segment": segment,
            "text": text,
            "language": "en-US",
            "made_by": "automatic",
            "engine": "stage",
        }

    def _send(self, frame: dict[str, Any]) -> None:
        self.socket.send(json.dumps(frame))
