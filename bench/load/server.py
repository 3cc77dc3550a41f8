"""A server for load: rooms on memory, captions at a steady rate, on one of the two paths.

    python -m bench.load.server direct|plain ROOMS PAST [CHAIN KEY]

With a certificate it speaks TLS. Prints its port. A line "RATE SECONDS" on standard input makes
every room say a caption RATE times a second, the rooms one after the other, and is answered with
how many each said.
"""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator

import uvicorn
import uvloop

from parola.domain.log import Entry
from parola.domain.transcript import Segment
from parola.domain.vocabulary import RoomName
from parola.ports import Numbered
from parola.server.app import create_app
from parola.server.asgi import server_config
from parola.stores.memory import MemoryLog
from tests.houses import OTHER_SERVER, house, services_of

FILLER = "so the words that are spoken here are read by everybody"
"""Makes a frame of about 300 bytes, as of a line of captions without its words."""


def caption(room: int, number: int) -> Entry:
    """Return a final that says when it was made."""
    text = f"@{time.monotonic_ns()}@ {FILLER}"
    segment = Segment("talk", number, text, number * 16000, number * 16000 + 8000, True, "en-US")
    return Entry(f"r{room}", number, time.time_ns() // 1_000_000, segment)


async def serve(
    path: str, rooms: int, past: int, chain: str | None = None, key: str | None = None
) -> None:
    """Serve until standard input ends."""
    log = MemoryLog()
    if past:
        for room in range(rooms):
            await log.append([caption(room, n) for n in range(1, past + 1)])
    async with asyncio.timeout(3600), house(log=log, limit_s=3600) as home:
        app = create_app(services_of(home))
        others = {} if path == "direct" else OTHER_SERVER
        config = server_config(
            app, ssl_certfile=chain, ssl_keyfile=key, timeout_graceful_shutdown=1, **others
        )
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock:
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(server.serve([sock]))
                print(sock.getsockname()[1], flush=True)
                numbers = [past] * rooms
                while line := await asyncio.to_thread(sys.stdin.readline):
                    rate_hz, seconds = map(float, line.split())
                    said, began_s = 0, time.monotonic()
                    for room in _turns(rooms, int(rate_hz * seconds)):
                        due_s = began_s + said / (rate_hz * rooms)
                        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                        numbers[room] += 1
                        entry = caption(room, numbers[room])
                        await home.rooms.plugs.bus.publish(RoomName(f"r{room}"), Numbered(entry))
                        said += 1
                    print(said // rooms, flush=True)
                server.should_exit = True
                await serving


def _turns(rooms: int, times: int) -> Iterator[int]:
    for _ in range(times):
        yield from range(rooms)


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]))
