"""Who may use which endpoint."""

from types import SimpleNamespace
from typing import cast

import pytest
from fastapi.routing import APIRoute, APIRouter, APIWebSocketRoute
from starlette.routing import Mount, Route

from parola.server.app import create_app
from parola.server.deps import Services
from parola.server.limits import Shares
from parola.server.roles import RULES, UNKNOWN, asked
from tests.unit.docs.reference import page, rows


def endpoints() -> set[tuple[str, str]]:
    """Return method and path of every endpoint, as the application has them."""
    # No request is made: the application only asks for what it is built with.
    services = SimpleNamespace(version="0", access=None, shares=Shares(), trusted_proxies=())
    return _endpoints(create_app(cast("Services", services)).router)


def _endpoints(router: APIRouter) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for route in router.routes:
        if isinstance(route, APIWebSocketRoute):
            found.add(("WebSocket", route.path))
        elif isinstance(route, Mount):
            found.add(("GET", f"{route.path}/"))
        elif isinstance(route, APIRoute | Route):
            found |= {(method, route.path) for method in (route.methods or set()) - {"HEAD"}}
        else:
            # FastAPI keeps a router that was included as one route of its own kind.
            found |= _endpoints(route.original_router)  # type: ignore[attr-defined]
    return found


def test_every_endpoint_has_a_role() -> None:
    """An endpoint that nobody has thought about fails here, and is for operators of all rooms."""
    # Swagger UI's files lie below /static/.
    real = {e for e in endpoints() if not e[1].startswith("/static/swagger/")}
    assert len(real) > 20
    assert {(rule.method, rule.path) for rule in RULES} == real, "declare it in server/roles.py"


def test_the_roles_are_described() -> None:
    """The page says of each endpoint who may use it, and where."""
    described = {(row[0], row[1]): (row[2], row[3]) for row in rows(page("access.md"), "Method")}
    where = {"room": "in the room", "somewhere": "in any room", "everywhere": "in all rooms"}
    assert described == {
        (rule.method, rule.path): (rule.role or "anybody", where[rule.where] if rule.role else "–")
        for rule in RULES
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/rooms/main/secrets"),
        ("DELETE", "/api/rooms/main"),
        ("GET", "/static"),
        ("GET", "//api/rooms"),
        ("POST", "/"),
        ("GET", "/rooms/a/b"),
    ],
)
def test_what_nobody_thought_about_is_for_operators(method: str, path: str) -> None:
    """An unknown path, or a known one by another method, takes the greatest right."""
    assert asked({"type": "http", "method": method, "path": path}).rule is UNKNOWN


def test_a_room_is_the_one_that_the_endpoint_will_see() -> None:
    """Two ways to write "à" are one room."""
    scope = {"type": "websocket", "path": "/ws/audio/Sala a\u0300"}
    assert asked(scope).room == "Sala à"
    assert asked({"type": "http", "method": "HEAD", "path": "/rooms/x"}).room == "x"
