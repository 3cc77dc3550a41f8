"""An outlet over TLS, on the event loop that the server runs on."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import uvloop

from parola.server.outlet import Outlet
from parola.transcribe_api.dev_ca import dev_certificate


class Viewed(asyncio.Protocol):
    """The server's end of a viewer's connection."""

    transport: asyncio.Transport
    outlet: Outlet | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.outlet = Outlet(self)

    def pause_writing(self) -> None:
        if self.outlet:
            self.outlet.pause()

    def resume_writing(self) -> None:
        if self.outlet:
            self.outlet.resume()

    def give_up(self, code: int, reason: str) -> None:
        self.transport.abort()


def test_a_viewer_over_tls_who_takes_everything_keeps_up(tmp_path: Path) -> None:
    """In a room where nothing more is said it would be cut for taking nothing."""
    assert uvloop.run(_who_keeps_up(tmp_path)) == [True, True, True]


async def _who_keeps_up(folder: Path) -> list[bool]:
    authority, certificate = dev_certificate(folder, datetime.now(UTC))
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(certificate.chain, certificate.key)
    viewed, found = Viewed(), []
    async with asyncio.timeout(20):
        server = await asyncio.get_running_loop().create_server(
            lambda: viewed, "127.0.0.1", 0, ssl=secure
        )
        async with server:
            trust = ssl.create_default_context(cafile=authority)
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
            while viewed.outlet is None:  # noqa: ASYNC110 - the client may be ready first
                await asyncio.sleep(0.001)
            for _ in range(3):
                viewed.outlet.write(b"a caption")
                await reader.readexactly(9)
                found.append(viewed.outlet.keeps_up())
            writer.close()
            viewed.transport.abort()
    return found
