"""No endpoint waits for a thread: FastAPI takes what is not async to one, and back."""

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute

import parola.server


def called(dependant: Dependant) -> Iterator[Callable[..., object]]:
    """Yield an endpoint and all that it depends on."""
    assert dependant.call
    yield dependant.call
    for needed in dependant.dependencies:
        yield from called(needed)


def test_every_endpoint_and_what_it_needs_is_async() -> None:
    """A thread's turn was a sixth of what it costs to let a viewer in."""
    modules = [
        import_module(f"parola.server.{module.name}")
        for module in pkgutil.iter_modules(parola.server.__path__)
    ]
    routers = [
        found for module in modules if isinstance(found := vars(module).get("router"), APIRouter)
    ]
    routes = [route for router in routers for route in router.routes]
    calls = {
        call
        for route in routes
        if isinstance(route, APIRoute | APIWebSocketRoute)
        for call in called(route.dependant)
    }
    assert len(calls) > 50
    assert [call for call in calls if not inspect.iscoroutinefunction(call)] == []
