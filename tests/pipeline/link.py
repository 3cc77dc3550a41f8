"""A line to AWS that loses answers, throttles and goes down: what no stand-in does by itself."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

THROTTLED = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "sqs": "com.amazonaws.sqs#RequestThrottled",
}


@dataclass(slots=True)
class Faults:
    """What goes wrong at the moment, as probabilities of a call."""

    lost_answer: float = 0.0
    """The call is passed on and its answer thrown away: the caller does not know."""
    throttled: float = 0.0
    is_down: bool = False
    seen: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Link:
    """Where a client finds the service, and what goes wrong on the way."""

    url: str
    faults: Faults


@asynccontextmanager
async def link(service: str, upstream: str, seed: int) -> AsyncIterator[Link]:
    """Listen on a free port and pass HTTP calls on to `upstream`, such as http://127.0.0.1:4566."""
    host, _, port = upstream.removeprefix("http://").partition(":")
    faults, dice = Faults(), random.Random(seed)  # noqa: S311 - replayable on purpose
    ends: set[asyncio.StreamWriter] = set()
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.add(writer)
        serving.add(task := asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError):
            while call := await _read_message(reader):
                answer = await _answer(call)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()
        ends.discard(writer)
        serving.discard(task)

    async def _answer(call: bytes) -> bytes | None:
        faults.seen["calls"] += 1
        if faults.is_down:
            faults.seen["down"] += 1
            return None
        if dice.random() < faults.throttled:
            faults.seen["throttled"] += 1
            return _refusal(THROTTLED[service])
        there, back = await asyncio.open_connection(host, int(port))
        ends.add(back)
        try:
            back.write(call)
            answer = await _read_message(there)
        finally:
            back.close()
            ends.discard(back)
        if dice.random() < faults.lost_answer:
            faults.seen["lost answers"] += 1
            return None
        return answer

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        address = server.sockets[0].getsockname()
        yield Link(f"http://127.0.0.1:{address[1]}", faults)
    finally:
        server.close()
        for end in list(ends):
            end.close()
        # Each ends by itself then; a loop that cancels them at its own end complains of it.
        await asyncio.gather(*filter(None, serving))


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """Return a whole HTTP/1.1 message; empty where the other side has gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length, chunked = 0, False
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
        chunked |= name == b"transfer-encoding" and b"chunked" in value
    if not chunked:
        return head + await reader.readexactly(length)
    body = b""
    while not body.endswith(b"0\r\n\r\n"):
        body += await reader.readuntil(b"\r\n")
    return head + body


def _refusal(kind: str) -> bytes:
    body = json.dumps({"__type": kind, "message": "slow down"}).encode()
    return (
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
