"""Serves the endpoint on granian, which knows HTTP/2 and WebSocket, behind the wreck."""

import asyncio
import gc
import socket
import time
import weakref
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP2Settings
from granian.server.embed import Server

from parola.beside import tasks_beside
from parola.transcribe_api.app import create_app
from parola.transcribe_api.door import Door, Setup
from parola.transcribe_api.wreck import Wreck, open_wreck

LOOPBACK = "127.0.0.1"

STOP_S = 2.0
"""How long open streams have for their last frame when the endpoint stops."""

LOOK_S = 0.005
"""How often is looked whether granian's threads are done: they tell nobody."""

STREAM_WINDOW_BYTES = 65_535
"""HTTP/2's own default (RFC 9113, section 6.5.2), and on purpose no more: the clients' awscrt may
begin a stream before it has read a larger one, and then waits for ever after 64 kB (0.32.2)."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server shows and signs with, both as PEM files."""

    chain: Path
    key: Path


@asynccontextmanager
async def open_transcribe_api(
    setup: Setup, host: str = LOOPBACK, port: int = 0, certificate: Certificate | None = None
) -> AsyncIterator[str]:
    """Serve until the context ends, and give the address, such as "https://127.0.0.1:8443".

    Args:
        setup: engines, keys, filters and faults.
        host: the address to listen on.
        port: 0 takes a free one.
        certificate: for TLS with HTTP/2; without it http (h2c) and ws are served.

    Raises:
        OSError: the port is taken.
    """
    listening = _listen(host, port)
    # The server behind takes a port that nobody else can have until it does.
    reserved = _listen(LOOPBACK, 0, shared=True)
    upstream = reserved.getsockname()[:2]
    wreck = Wreck(upstream)
    door = Door(setup, wreck)
    server = _server(door, upstream[1], certificate)
    with closing(reserved):
        async with _running(server, upstream), open_wreck(wreck, listening):
            reserved.close()
            shown = f"[{host}]" if ":" in host else host
            scheme = "https" if certificate else "http"
            try:
                yield f"{scheme}://{shown}:{listening.getsockname()[1]}"
            finally:
                await door.close(STOP_S)


@asynccontextmanager
async def _running(server: Server, address: tuple[str, int]) -> AsyncIterator[None]:
    """Run granian while the context is open.

    It stops only when its last connection is closed, so whoever holds them has to go before.
    """
    async with tasks_beside() as tasks:
        serving = tasks.create_task(server.serve())
        try:
            await _until_listening(address)
            yield
        finally:
            server.stop()  # type: ignore[no-untyped-call]
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await serving


def run(main: Coroutine[Any, Any, None]) -> None:
    """Do as `asyncio.run` does, and return when granian's threads are done with Python, too.

    granian's `serve` returns while its threads still close connections and let go of what they
    hold of Python; the event loop comes last (2.8.7). A thread that asks for the interpreter when
    that shuts down is ended by it, and Rust aborts the process: "panic in a function that cannot
    unwind". So whoever ends a process after `open_transcribe_api` runs it with this.
    """
    with asyncio.Runner() as runner:
        loop = weakref.ref(runner.get_loop())
        runner.run(main)
    del runner, main
    until = time.monotonic() + STOP_S
    while loop() is not None and time.monotonic() < until:
        # Loops are in cycles of their own.
        gc.collect()
        time.sleep(LOOK_S)


def _server(door: Door, port: int, certificate: Certificate | None) -> Server:
    return Server(
        create_app(door),
        LOOPBACK,
        port,
        interface=Interfaces.ASGINL,
        # As many requests are answered at once; each stream is one.
        backlog=1024,
        log_enabled=False,
        ssl_cert=certificate.chain if certificate else None,
        ssl_key=certificate.key if certificate else None,
        http2_settings=HTTP2Settings(initial_stream_window_size=STREAM_WINDOW_BYTES),
    )


def _listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        reuse = socket.SO_REUSEPORT if shared else socket.SO_REUSEADDR
        taken.setsockopt(socket.SOL_SOCKET, reuse, 1)
        taken.bind((host, port))
    except OSError:
        taken.close()
        raise
    return taken


async def _until_listening(address: tuple[str, int]) -> None:
    """Wait until somebody takes connections: granian does not say when it does."""
    while True:
        try:
            _, writer = await asyncio.open_connection(*address)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
