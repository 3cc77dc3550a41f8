"""Words said off the record are in no byte that a server or a browser leaves behind."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from playwright.async_api import async_playwright
from websockets.asyncio.client import ClientConnection, connect

from parola.engines.scripted import marked_audio
from tests.browser import FLAGS, chromium_path
from tests.servers import RunningServer, serving

pytestmark = [pytest.mark.browser]

BEFORE, CANARY, AFTER = 1_111_222_333_444, 98_765_123_454_321, 5_555_666_777_888
"""A scripted engine says the numbers in the sound: words that nothing else holds."""


def sound(first: int) -> bytes:
    return marked_audio(range(first, first + 20))


async def final(viewer: ClientConnection, number: int) -> dict[str, object]:
    """Return the final that has the number's word."""
    while True:
        frame: dict[str, object] = json.loads(await viewer.recv())
        is_final = frame["type"] == "segment" and not frame["is_partial"]
        if is_final and str(number) in str(frame["text"]).split():
            return frame


def holding(folder: Path, number: int) -> list[Path]:
    """Return the files below a folder that have the number: as text of any width, or as sound."""
    text, mark = str(number), marked_audio([number])[:16]
    traces = (text.encode(), text.encode("utf-16-le"), mark)
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if any(trace in path.read_bytes() for trace in traces)]


async def switch(server: RunningServer, *, on: bool) -> None:
    async with httpx.AsyncClient() as client:
        mode = "off_record" if on else "live"
        answer = await client.put(
            f"{server.url}/api/rooms/hall/mode", json={"mode": mode}, timeout=20
        )
    assert answer.json() == {"room": "hall", "mode": mode}


async def answers(server: RunningServer) -> str:
    """Return all that can be asked of the room afterwards, as one text."""
    paths = ["/metrics", "/api/rooms", "/api/rooms/hall", "/api/rooms/hall/withheld"]
    paths += [f"/api/rooms/hall/transcript.{form}" for form in ("txt", "srt", "vtt", "json")]
    paths += ["/api/rooms/hall/captions.txt?lines=6"]
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        texts = [(await client.get(path)).text for path in paths]
    async with connect(f"{server.ws}/ws/transcript/hall?after=0&v=1&partial=true") as late:
        while str(AFTER) not in texts[-1]:
            texts.append(str(await late.recv()))
    return "\n".join(texts)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: Chromium puts a socket into its temporary one."""
    with TemporaryDirectory(prefix="off-", ignore_cleanup_errors=True) as path:
        yield Path(path)


async def test_canaries_off_the_record_are_in_no_byte(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Viewers read them as they are said, and that is all that there ever is of them.

    Data, temporary files, logs and the browser's profile have the words before and after, and
    none of those between, also after a kill.
    """
    temporary, profile = folder / "tmp", folder / "profile"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with serving(folder / "data", "--engine", "scripted") as server:
        async with async_playwright() as playwright, asyncio.timeout(100):
            window = await playwright.chromium.launch_persistent_context(
                str(profile),
                executable_path=chromium_path(),
                args=list(FLAGS),
                headless=True,
            )
            page = await window.new_page()
            await page.goto(f"{server.url}/rooms/hall")
            async with (
                connect(f"{server.ws}/ws/transcript/hall?v=1&partial=true") as viewer,
                httpx.AsyncClient(base_url=server.url) as client,
            ):
                async with connect(f"{server.ws}/ws/audio/hall") as source:
                    await source.send(sound(BEFORE))
                    assert (await final(viewer, BEFORE))["seq"]
                    await client.get("/api/rooms/hall/captions.txt")
                    await switch(server, on=True)
                    await source.send(sound(CANARY))
                    said = await final(viewer, CANARY)
                assert (said["seq"], said["off_record"]) == (None, True)
                await page.get_by_text(str(CANARY + 19)).first.wait_for()
                await page.get_by_text("[off the record]").wait_for()
                await switch(server, on=False)
                while "session_ended" not in str(await viewer.recv()):
                    pass
                # The scripted engine reads marks only from a talk's first frame on.
                async with connect(f"{server.ws}/ws/audio/hall") as source:
                    await source.send(sound(AFTER))
                    assert (await final(viewer, AFTER))["seq"]
            told = await answers(server)
            await window.close()
        server.kill()
    kept = holding(folder / "data", BEFORE)
    assert kept
    assert holding(folder / "data", AFTER)
    assert str(BEFORE) in told
    for number in (CANARY, CANARY + 5, CANARY + 19):
        assert str(number) not in told
        assert holding(folder, number) == []
