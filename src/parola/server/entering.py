"""Signing in: a link with a token becomes a cookie that no script can read."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

import parola
from parola.domain.access import Token
from parola.domain.captions import utc_iso
from parola.domain.errors import TokenNeeded
from parola.server.access import Access
from parola.server.credentials import COOKIE
from parola.server.deps import Services, services

router = APIRouter()

Running = Annotated[Services, Depends(services)]

ENTER_PAGE = Path(parola.__file__).parent / "pages" / "enter.html"


@router.get("/enter", include_in_schema=False)
async def enter(request: Request, running: Running, token: str = "", next: str = "") -> Response:  # noqa: A002 - as in the address
    """Take a token as a cookie, and go where it leads."""
    if not token:
        return FileResponse(ENTER_PAGE)
    try:
        read = running.access.read(token.strip())
    except TokenNeeded:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        return FileResponse(ENTER_PAGE, 401)
    answer = RedirectResponse(_local(next) or _home(read), 303)
    set_cookie(answer, running.access, token.strip(), secure=request.url.scheme == "https")
    return answer


@router.get("/api/audit", tags=["access"])
async def audit(
    running: Running, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000
) -> dict[str, Any]:
    """Return what operators did, newest first: who, what, when, and what was answered."""
    return {
        "audit": [
            {
                "at": utc_iso(entry.at_ms),
                "holder": entry.holder,
                "token": entry.token,
                "address": entry.address,
                "action": entry.action,
                "status": entry.status,
            }
            for entry in await running.access.book.audit(limit)
        ]
    }


def set_cookie(answer: Response, access: Access, text: str, *, secure: bool) -> None:
    """Let the answer set a token as a cookie of its own, for as long as it is good.

    Lax: a link in a message leads in; a form or a script of another site does not.

    Raises:
        TokenNeeded: it is not good.
    """
    token = access.read(text)
    answer.set_cookie(
        f"{COOKIE}{token.id}",
        text,
        max_age=max(0, token.expires_at_s - int(access.now_s())),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def _home(token: Token) -> str:
    return "/" if token.room is None else f"/rooms/{quote(token.room, safe='')}"


def _local(address: str) -> str:
    """Return an address if it leads nowhere but here, else nothing."""
    if not address.startswith("/") or address.startswith("//") or "\\" in address:
        return ""
    if not address.isprintable() or urlsplit(address).netloc:
        return ""
    return quote(address, safe="/?&=%+,:@!$'()*;~#")
