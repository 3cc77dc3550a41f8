import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
import websockets
from starlette.applications import Starlette
from starlette.routing import Mount

from parola.engines.scripted import Script, ScriptedEngine, marked_audio
from parola.transcribe_api.app import HTTP2_PATH, create_app
from parola.transcribe_api.door import Door, Setup
from parola.wire.transcribe import BadRequest
from tests.unit.transcribe_api.callers import over_websocket, text


@asynccontextmanager
async def mounted() -> AsyncIterator[str]:
    """Serve the endpoint as a part of another server, without a wreck before it."""
    door = Door(Setup([ScriptedEngine(Script())], lambda: None, time.monotonic))
    app = Starlette(routes=[Mount("/aws", create_app(door))])
    config = uvicorn.Config(app, ws="websockets-sansio", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server._serve([listening]))
            try:
                yield f"http://127.0.0.1:{listening.getsockname()[1]}/aws"
            finally:
                server.should_exit = True


async def test_it_can_be_mounted_beside_another_application() -> None:
    """Under a path of another server's, a stream is answered as on its own."""
    async with mounted() as url, over_websocket(url) as caller:
        results = await caller.converse(marked_audio(range(10)))
    assert [text(one) for one in results if not one.is_partial] == ["0 1 2 3 4 5 6 7 8 9"]


async def test_faults_of_the_line_are_refused_without_a_wreck() -> None:
    """Who asks for what cannot be done there is told how it can."""
    async with mounted() as url, over_websocket(url, fault="reset@1") as caller:
        with pytest.raises(BadRequest, match="parola transcribe-api"):
            await caller.finals()


async def test_other_addresses_are_not_found() -> None:
    """The medical stream and anything else is answered as AWS answers the unknown."""
    async with mounted() as url, httpx.AsyncClient(trust_env=False) as client:
        for path in ("/medical-stream-transcription", "/", HTTP2_PATH):
            answer = await client.get(f"{url}{path}")
            assert answer.status_code == 404
            assert answer.headers["x-amzn-errortype"] == "UnknownOperationException"
        with pytest.raises(websockets.InvalidStatus, match="403"):
            await websockets.connect(f"{url.replace('http', 'ws')}/medical", proxy=None)
