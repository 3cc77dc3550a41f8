"""A source and viewers that keep to docs/reference/protocol.md, and come back whatever happens."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from parola.engines.scripted import BLOCK_FRAMES, marked_audio
from tests.chaos.link import Closed, Link

PING_S = 40.0
"""After so long without a word from the server a peer takes the connection for dead."""


@dataclass(slots=True)
class Source:
    """Speaks the numbers below `count`, one each tenth of a second; its spool survives it."""

    connect: Callable[[str], Link | None]
    session: UUID
    count: int
    safe: int = 0
    """In the spool: the first frame whose text is not known to be in the log."""

    link: Link | None = None
    began_s: float | None = None
    is_done: bool = False

    async def run(self) -> None:
        """Speak until the last word is safe."""
        loop = asyncio.get_running_loop()
        self.began_s = self.began_s if self.began_s is not None else loop.time()
        pause_s = 0.2
        while not self.is_done:
            self.link = self.connect("audio")
            if self.link:
                try:
                    await self._speak(self.link)
                    pause_s = 0.2
                except (Closed, TimeoutError):
                    self.link.cut(60.0)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 5.0)

    async def _speak(self, link: Link) -> None:
        start = {"type": "start", "session": str(self.session), "language": "en-US"}
        link.send(json.dumps(start | {"position": self.safe}))
        async with asyncio.timeout(PING_S):
            said = json.loads(await link.receive())
        while said["type"] != "ready":
            said = json.loads(await link.receive())
        sending = asyncio.create_task(self._send(link, said["position"]))
        try:
            await self._listen(link)
        finally:
            sending.cancel()

    async def _send(self, link: Link, position: int) -> None:
        assert self.began_s is not None
        assert position % BLOCK_FRAMES == 0
        for number in range(position // BLOCK_FRAMES, self.count):
            spoken_s = self.began_s + (number + 1) * 0.1
            await asyncio.sleep(spoken_s - asyncio.get_running_loop().time())
            link.send(marked_audio([number]))
        link.send(json.dumps({"type": "end"}))

    async def _listen(self, link: Link) -> None:
        while True:
            try:
                async with asyncio.timeout(PING_S):
                    said = json.loads(await link.receive())
            except Closed as closed:
                self.is_done = closed.code == 1000 and self.safe == self.count * BLOCK_FRAMES
                raise
            if said["type"] == "ack":
                assert said["position"] >= self.safe or said["position"] % BLOCK_FRAMES == 0
                self.safe = max(self.safe, said["position"])


@dataclass(slots=True)
class Viewer:
    """Reads a room, and resumes by number."""

    connect: Callable[[str], Link | None]
    seen: list[dict[str, Any]] = field(default_factory=list)
    link: Link | None = None

    @property
    def last(self) -> int:
        """The number of the newest segment seen."""
        return int(self.seen[-1]["seq"]) if self.seen else 0

    async def run(self) -> None:
        """Read for ever."""
        while True:
            self.link = self.connect(f"transcript?after={self.last}")
            if self.link:
                try:
                    await self._read(self.link)
                except (Closed, TimeoutError):
                    self.link.cut()
            await asyncio.sleep(0.5)

    async def _read(self, link: Link) -> None:
        while True:
            async with asyncio.timeout(PING_S):
                said = json.loads(await link.receive())
            if said["type"] == "segment" and not said["is_partial"]:
                self.seen.append(said)
