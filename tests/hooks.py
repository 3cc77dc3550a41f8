"""A webhook for tests."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class Hook:
    """A webhook on loopback, and what it was told."""

    port: int = 0
    answer: bytes | None = b"HTTP/1.1 204 No Content\r\n\r\n"
    heard: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    taking: set[asyncio.Task[None] | None] = field(default_factory=set)

    async def is_told(self) -> bool:
        """Return whether it was told anything."""
        return bool(self.heard)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.taking.add(asyncio.current_task())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.heard.append((head[0], headers, body))
        if self.answer is None:
            await reader.read()  # says nothing, as long as somebody listens
        else:
            writer.write(self.answer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def hook(context: ssl.SSLContext | None = None) -> AsyncIterator[Hook]:
    """Listen on loopback, with TLS where there is a context."""
    one = Hook()
    server = await asyncio.start_server(one.take, "127.0.0.1", 0, ssl=context)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one
        for task in filter(None, one.taking):
            await task
