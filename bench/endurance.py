"""A three-hour talk as fast as the server takes it, with thirty broken connections.

Run with: python -m bench.endurance [HOURS]

Prints the server's memory over the talk (slope and peak, without the first tenth, in which caches
fill) and how many words were lost or came twice. Linux only: it reads /proc.
"""

import asyncio
import json
import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from parola.engines.scripted import BLOCK_FRAMES, marked_audio
from tests.servers import RunningServer, serving

BLOCKS_PER_HOUR = 36_000
AHEAD_BLOCKS = 600
"""A minute: how far the source goes ahead of what is acknowledged."""

FAULTS = 30


def memory_mib(server: RunningServer) -> float:
    """Return the server's resident memory."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


class Talk:
    """One source that resumes, and what it has seen of the server's memory."""

    def __init__(self, server: RunningServer, blocks: int) -> None:
        self._server = server
        self._blocks = blocks
        self._session = str(uuid4())
        draw = random.Random(1)  # noqa: S311 - the same faults each time
        self._faults = sorted(draw.sample(range(blocks), FAULTS))
        self.safe = 0
        self.memory: list[tuple[int, float]] = []

    async def run(self) -> None:
        """Speak to the end, breaking the connection at each fault."""
        while self.safe < self._blocks:
            try:
                async with connect(f"{self._server.ws}/ws/audio/main") as socket:
                    await self._speak(socket)
            except ConnectionClosed:
                pass

    async def _speak(self, socket: ClientConnection) -> None:
        start = {"type": "start", "session": self._session, "language": "en-US"}
        await socket.send(json.dumps(start | {"position": self.safe * BLOCK_FRAMES}))
        sent = json.loads(await socket.recv())["position"] // BLOCK_FRAMES
        while True:
            while sent < min(self._blocks, self.safe + AHEAD_BLOCKS):
                await socket.send(marked_audio(range(sent, min(sent + 10, self._blocks))))
                sent = min(sent + 10, self._blocks)
                if self._faults and sent >= self._faults[0]:
                    self._faults.pop(0)
                    socket.transport.abort()
            if sent == self._blocks:
                await socket.send(json.dumps({"type": "end"}))
            said = json.loads(await socket.recv())
            if said["type"] == "ack":
                self.safe = said["position"] // BLOCK_FRAMES
                self.memory.append((self.safe, memory_mib(self._server)))


def lost_and_twice(url: str, blocks: int) -> tuple[int, int]:
    """Return how many words are missing from the transcript, and how many are there again."""
    talks = httpx.get(f"{url}/api/rooms/main/transcript.json", timeout=60).json()["sessions"]
    words = [word for talk in talks for s in talk["segments"] for word in s["text"].split()]
    return blocks - len(set(words)), len(words) - len(set(words))


def main(hours: float) -> int:
    """Print the figures; return 1 when a word was lost or came twice."""
    blocks = int(hours * BLOCKS_PER_HOUR)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with serving(data, "--engine", "scripted") as server:
            talk, began_s = Talk(server, blocks), time.monotonic()
            asyncio.run(talk.run())
            took_s = time.monotonic() - began_s
            lost, twice = lost_and_twice(server.url, blocks)
    settled = [(at / BLOCKS_PER_HOUR, mib) for at, mib in talk.memory if at > blocks / 10]
    hours_at, mib = zip(*settled, strict=True)
    slope = statistics.linear_regression(hours_at, mib).slope
    peak = max(mib for _, mib in talk.memory)
    sys.stdout.write(
        f"{hours:g} h of talk in {took_s:.0f} s ({hours * 3600 / took_s:.0f} times real time), "
        f"{FAULTS} broken connections\n"
        f"memory: peak {peak:.1f} MiB, {slope:+.2f} MiB an hour\n"
        f"words: {blocks}, lost {lost}, twice {twice}\n"
    )
    return 1 if lost or twice else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
