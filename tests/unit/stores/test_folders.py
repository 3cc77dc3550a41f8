"""What is made is durable in the folder that holds it, and one process holds a data folder."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from parola.domain.errors import StoreFailed
from parola.stores.sqlite import open_sqlite_log
from parola.stores.sqlite_file import LOG_FILE
from parola.stores.sqlite_hold import held


async def test_new_folders_and_files_are_synced_into_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the start takes neither the folder, nor those above it, nor the log."""
    synced: list[Path] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        synced.append(path)
        if path == tmp_path / "a" / "b":
            assert (path / LOG_FILE).exists()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    async with open_sqlite_log(tmp_path / "a" / "b"):
        assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]


async def test_whoever_waits_gets_the_folder_when_it_is_free(tmp_path: Path) -> None:
    """Neither before nor never; without waiting it is refused at once."""
    order: list[str] = []

    async def wait() -> None:
        async with held(tmp_path, wait_s=60):
            order.append("next")

    async with asyncio.TaskGroup() as tasks, held(tmp_path):
        tasks.create_task(wait())
        with pytest.raises(StoreFailed, match=f"in use by process {os.getpid()}"):
            async with held(tmp_path, wait_s=0.3):
                pass
        order.append("first")
    assert order == ["first", "next"]


async def test_a_wait_that_is_cancelled_holds_nothing(tmp_path: Path) -> None:
    """Whoever gives up waiting leaves the folder, and no thread."""
    async with held(tmp_path):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), held(tmp_path, wait_s=60):
                pass
    async with held(tmp_path):
        pass
    while any(thread.name.startswith("parola-log") for thread in threading.enumerate()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
