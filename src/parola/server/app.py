"""Puts the endpoints and the pages together."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from parola.domain.errors import ParolaError
from parola.server import (
    archive,
    conversations,
    entering,
    http,
    jobs,
    metrics,
    mood,
    operate,
    predecessors,
    room_settings,
    sockets,
    upkeep,
)
from parola.server.deps import Services, http_status
from parola.server.fanout import Fanout
from parola.server.guard import Guard
from parola.server.limits import Limiter
from parola.server.pages import add_pages
from parola.server.proxies import Proxies

POLICY = (
    "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; base-uri 'none'; "
    "frame-ancestors 'self'; form-action 'self'"
)
"""Pages load nothing from elsewhere and run no inline script."""

HOST = re.compile(rb"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")

HEADERS = {
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
"""Sent with every answer, beside the policy."""


def create_app(services: Services) -> FastAPI:
    """Return the application that serves `services`."""
    app = FastAPI(
        title="Parola",
        version=services.version,
        description="Live captions and transcripts that write down only what was said.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.fanout = Fanout()
    app.add_exception_handler(ParolaError, _answer_error)
    app.add_exception_handler(ClientDisconnect, _let_go)
    # The last one added is the first one asked.
    app.add_middleware(Guard, access=services.access, limiter=Limiter(services.shares))
    app.add_middleware(SafeHeaders)
    app.add_middleware(Proxies, trusted=services.trusted_proxies)
    app.include_router(http.router)
    app.include_router(entering.router)
    app.include_router(room_settings.router)
    app.include_router(operate.router)
    app.include_router(archive.router)
    app.include_router(mood.router)
    app.include_router(metrics.router)
    app.include_router(upkeep.router)
    app.include_router(sockets.router)
    app.include_router(jobs.router)
    app.include_router(predecessors.router)
    app.include_router(conversations.router)
    add_pages(app)
    return app


async def _answer_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ParolaError)  # noqa: S101 - registered for nothing else
    return JSONResponse({"detail": error.message, "code": error.code}, http_status(error))


async def _let_go(_: Request, __: Exception) -> Response:
    """Return an answer that nobody is there to read: a client left in mid-upload, no fault here."""
    return Response(status_code=400)


Message = MutableMapping[str, Any]


class SafeHeaders:
    """Adds `HEADERS` and the policy to every HTTP answer; plain ASGI, so streams stay streams."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Pass everything on, with more headers."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", _policy(scope).encode())
                message["headers"] = [*message.get("headers", ()), *self._headers, policy]
            await send(message)

        await self._app(scope, receive, send_safely)


def _policy(scope: Message) -> str:
    """Return the policy for the host that was asked.

    Source: Content Security Policy 3, section 6.7.2.8; older browsers do not count ws: as 'self'.
    """
    host = dict(scope.get("headers", ())).get(b"host", b"")
    if not HOST.fullmatch(host):
        return POLICY
    return f"{POLICY}; connect-src 'self' ws://{host.decode()} wss://{host.decode()}"
