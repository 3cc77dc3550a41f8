"""A full hall is out of the garbage collector's sight; one that has left is in it."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from parola.server import freezer
from parola.server.freezer import FEW, MANY, Freezer


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(freezer, "QUIET_S", 0.01)
    gc.unfreeze()
    yield
    gc.unfreeze()


class Viewer:
    """Refers to itself, as protocols and their transports do."""

    def __init__(self) -> None:
        self.me = self


async def frozen() -> None:
    """Wait until something is out of sight."""
    async with asyncio.timeout(10):
        while not gc.get_freeze_count():  # noqa: ASYNC110 - the collector tells nobody
            await asyncio.sleep(0.005)


async def test_a_full_hall_is_walked_no_more_until_half_of_it_has_left() -> None:
    """What referred to itself is freed after that, as if it had never been frozen."""
    hall, keeper = [Viewer() for _ in range(2 * FEW)], Freezer()
    for _ in hall:
        keeper.came()
    await frozen()
    first = weakref.ref(hall[0])
    for _ in range(FEW):
        hall.pop(0)
        keeper.left()
    gc.collect()
    assert first() is not None
    hall.pop(0)
    keeper.left()
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert first() is None


async def test_those_who_come_later_are_frozen_too() -> None:
    """Also where somebody comes all the time, and after all has been in sight again."""
    keeper = Freezer()
    for _ in range(3):
        for _ in range(FEW):
            keeper.came()
        await frozen()
        for _ in range(FEW):
            keeper.left()
        assert gc.get_freeze_count() == 0


async def test_a_hall_that_is_never_quiet_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody comes every few milliseconds, and quiet would be a minute."""
    monkeypatch.setattr(freezer, "MANY", 10**9)
    monkeypatch.setattr(freezer, "LATEST_S", 0.05)
    keeper = Freezer()
    for _ in range(FEW):
        keeper.came()
    monkeypatch.setattr(freezer, "QUIET_S", 60.0)
    async with asyncio.timeout(10):
        while not gc.get_freeze_count():
            keeper.came()
            await asyncio.sleep(0.002)


async def test_thousands_are_frozen_while_they_come() -> None:
    """Not when the last one is there: until then they would be walked again and again."""
    keeper = Freezer()
    for _ in range(MANY - 1):
        keeper.came()
    assert not gc.get_freeze_count()
    keeper.came()
    assert gc.get_freeze_count()


async def test_a_few_are_left_alone() -> None:
    """Nothing is frozen for less than a hundred."""
    keeper = Freezer()
    for _ in range(FEW - 1):
        keeper.came()
    await asyncio.sleep(0.05)
    assert gc.get_freeze_count() == 0
