"""Stands before every endpoint: lets in who may, bounds what they take, and writes down operators.

What is let in is decided by `parola.server.access`; how much, by `parola.server.limits`.
"""

import logging
from collections.abc import Awaitable
from contextlib import suppress
from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response

from parola.beside import beside
from parola.domain.access import AuditEntry
from parola.domain.errors import Forbidden, ParolaError, StoreFailed, TokenNeeded
from parola.server.access import Access, Visit
from parola.server.credentials import from_query, headers_of
from parola.server.deps import VISIT, close_code, http_status
from parola.server.entering import ENTER_PAGE, set_cookie
from parola.server.limits import Limiter
from parola.server.proxies import App, Receive, Scope, Send
from parola.wire import messages

logger = logging.getLogger(__name__)


class Guard:
    """Lets through who may, as an ASGI application around another."""

    def __init__(self, app: App, access: Access, limiter: Limiter) -> None:
        self._app = app
        self._access = access
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed; answer the rest."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        try:
            self._limiter.ask(scope)
            visit = self._access.admit(scope)
        except ParolaError as error:
            if isinstance(error, TokenNeeded | Forbidden):
                self._limiter.refused(scope)
            await _refuse(scope, receive, send, error)
            return
        scope[VISIT] = visit
        if scope["type"] == "websocket":
            await self._socket(visit, scope, receive, send)
        elif visit.asked.rule.page and from_query(scope):
            await self._sign_in(scope, receive, send)
        else:
            await self._request(visit, scope, receive, send)

    async def _request(self, visit: Visit, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500

        async def send_and_look(message: Scope) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            body = self._limiter.body(visit, scope, receive)
        except ParolaError as error:
            await _refuse(scope, receive, send, error)
            return
        try:
            with self._access.visiting(visit):
                await self._until_lost_or_answered(visit, self._app(scope, body, send_and_look))
        finally:
            if visit.asked.rule.role == "operate" and not visit.asked.is_safe:
                await self._note(visit, scope, status)

    async def _until_lost_or_answered(self, visit: Visit, answer: Awaitable[None]) -> None:
        """Answer; a stream that somebody has lost the right to breaks off."""
        if visit.token is None:
            await answer
            return
        with suppress(_Lost):
            async with beside(_until_lost(visit)):
                await answer

    async def _socket(self, visit: Visit, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._limiter.place(visit), self._access.visiting(visit):
                if visit.asked.rule.role == "operate":
                    await self._note(visit, scope, 101)
                sound = self._limiter.sound(visit, receive)
                if visit.token is None:
                    await self._app(scope, sound, send)
                else:
                    async with beside(_until_lost(visit)):
                        await self._app(scope, sound, send)
        except ParolaError as error:
            if isinstance(error, _Lost):
                # The peer may have gone at the same moment.
                with suppress(RuntimeError, OSError):
                    await send(_close(error))
            else:
                await _refuse(scope, receive, send, error)

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Turn the token in a page's address into a cookie, and the address into a clean one."""
        fields = parse_qsl(scope["query_string"].decode("ascii", "replace"))
        rest = urlencode([(name, value) for name, value in fields if name != "token"])
        path = quote(scope["path"], safe="/")
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        with suppress(TokenNeeded):  # reading may be open: then a bad token is only dropped
            set_cookie(answer, self._access, from_query(scope), secure=scope["scheme"] == "https")
        await answer(scope, receive, send)

    async def _note(self, visit: Visit, scope: Scope, status: int) -> None:
        token = visit.token
        entry = AuditEntry(
            at_ms=int(self._access.now_s() * 1000),
            holder=token.holder if token else "anybody",
            token=token.id if token else "",
            address=visit.address,
            # Quoted again: no line of a log is broken by what somebody put into a path.
            action=f"{visit.asked.method} {quote(scope['path'])}"[:500],
            status=status,
        )
        try:
            await self._access.book.note(entry)
        except StoreFailed as error:
            logger.warning("the audit log misses %s: %s", entry.action, error.message)


class _Lost(TokenNeeded):
    """What somebody was let in by is not good any more."""


async def _until_lost(visit: Visit) -> None:
    await visit.lost.wait()
    raise _Lost("The token was revoked, or has passed its time; ask for a new one.")


async def _refuse(scope: Scope, receive: Receive, send: Send, error: ParolaError) -> None:
    if scope["type"] == "http":
        await _answer(scope, error)(scope, receive, send)
    elif b"v=1" in scope["query_string"].split(b"&"):
        # Who speaks our messages is told in them: a browser hides what a handshake answers.
        await receive()
        with suppress(RuntimeError, OSError):
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": messages.error_message(error)})
            await send(_close(error))
    elif "websocket.http.response" in scope.get("extensions", {}):
        answer = _answer(scope, error)
        answer.status_code = 403 if answer.status_code == 401 else answer.status_code
        await answer(scope, receive, send)
    else:
        await send(_close(error))


def _answer(scope: Scope, error: ParolaError) -> Response:
    status = http_status(error)
    headers = {"www-authenticate": 'Bearer realm="Parola"'} if status == 401 else {}
    if status == 429:
        headers["retry-after"] = "5"
    wants_page = "text/html" in headers_of(scope).get("accept", "")
    if wants_page and status in {401, 403} and scope["method"] == "GET":
        return FileResponse(ENTER_PAGE, status, headers)
    content = {"detail": error.message, "code": error.code}
    return JSONResponse(content, status, headers)


def _close(error: ParolaError) -> Scope:
    reason = messages.close_reason(error)
    return {"type": "websocket.close", "code": close_code(error), "reason": reason}
