"""Keeping sound delays nobody, and says so where it cannot be kept."""

import asyncio
from collections.abc import Sequence

import pytest

from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk
from parola.domain.errors import StoreFailed
from parola.live.tape import BEHIND_S, Tape


class Disk:
    """A recording on a disk that the test makes slow, or takes away."""

    def __init__(self) -> None:
        self.kept: list[AudioChunk] = []
        self.is_closed = False
        self.failure: Exception | None = None
        self.turning = asyncio.Event()
        self.turning.set()

    async def write(self, chunks: Sequence[AudioChunk]) -> None:
        await self.turning.wait()
        if self.failure:
            raise self.failure
        self.kept += chunks

    async def close(self) -> None:
        self.is_closed = True


def second(number: int) -> AudioChunk:
    return AudioChunk(number * RATE_HZ, bytes(RATE_HZ * FRAME_BYTES))


def trouble(tape: Tape) -> str:
    """Return what is wrong, "" for nothing."""
    return tape.failure or ""


async def settle() -> None:
    """Let the tape's task do what it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_is_heard_while_it_is_on_is_kept_in_order() -> None:
    """Switched off nothing is; what still waits at the end is kept before the end."""
    disk = Disk()
    tape = Tape(disk, is_on=False)
    async with tape.running():
        tape.hear([second(0)])
        tape.is_on = True
        tape.hear([second(1), second(2)])
        await settle()
        assert disk.kept == [second(1), second(2)]
        tape.hear([second(3)])
    assert disk.kept == [second(1), second(2), second(3)]
    assert disk.is_closed


@pytest.mark.parametrize("failure", [StoreFailed("The disk is gone."), RuntimeError("a bug")])
async def test_a_failing_disk_costs_only_its_own_sound(failure: Exception) -> None:
    """The trouble is told while it lasts; nothing is raised, and what comes later is kept."""
    disk = Disk()
    disk.failure = failure
    tape = Tape(disk, is_on=True)
    async with tape.running():
        tape.hear([second(0)])
        await settle()
        assert trouble(tape)
        disk.failure = None
        tape.hear([second(1)])
        await settle()
        assert trouble(tape) == ""
    assert disk.kept == [second(1)]


async def test_a_slow_disk_makes_nobody_wait() -> None:
    """Two minutes wait for it in memory; what comes beyond is a gap, and is told."""
    disk = Disk()
    disk.turning.clear()
    tape = Tape(disk, is_on=True)
    async with tape.running():
        tape.hear([second(0)])
        await settle()
        tape.hear(map(second, range(1, BEHIND_S + 1)))
        assert trouble(tape) == ""
        tape.hear([second(BEHIND_S + 1)])
        assert "too slow" in trouble(tape)
        disk.turning.set()
        await settle()
        tape.hear([second(BEHIND_S + 2)])
    assert [chunk.first_frame // RATE_HZ for chunk in disk.kept] == [
        *range(BEHIND_S + 1),
        BEHIND_S + 2,
    ]
