"""The loops that the contracts are tried on."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

Loops = dict[str, Callable[[], asyncio.AbstractEventLoop]]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Loops:
    """Try what writes to sockets past their transports on both loops: each sends in its own way."""
    loops: Loops = {"asyncio": asyncio.new_event_loop}
    if item.path.name == "test_viewers.py":
        loops["uvloop"] = uvloop.new_event_loop
    return loops
