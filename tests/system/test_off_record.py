"""Words said off the record are in no byte that a server or a browser leaves behind."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from playwright.async_api import async_playwright
from websockets.asyncio.client import ClientConnection, connect

from parola.audio.decode import Decoder
from parola.engines.scripted import marked_audio
from tests.browser import FLAGS, chromium_path
from tests.servers import RunningServer, serving

pytestmark = [pytest.mark.browser]


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is said, and what it would leave behind."""

    pcm: bytes
    words: tuple[str, ...]
    """Of what the engine makes of it; nothing else here holds them."""

    @property
    def traces(self) -> list[bytes]:
        """What no file may hold: the words as text of any width, and pieces of the sound."""
        texts = [text for word in self.words for text in (word.encode(), word.encode("utf-16-le"))]
        pieces = [self.pcm[at : at + 16] for at in range(0, len(self.pcm), 3200)]
        return texts + [piece for piece in pieces if len(set(piece)) > 8]


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said on the record, off it, and on it again, to which engine."""

    engine: str
    before: Part
    canary: Part
    after: Part


def numbers(first: int) -> Part:
    """Return words that a scripted engine reads in the sound."""
    spoken = range(first, first + 20)
    return Part(marked_audio(spoken), (str(first), str(first + 5), str(first + 19)))


SCRIPTED = Talk(
    "scripted",
    numbers(1_111_222_333_444),
    numbers(98_765_123_454_321),
    numbers(5_555_666_777_888),
)


def recording(path: Path, word: str) -> Part:
    """Return a sentence with a pause behind it, so that it becomes final."""
    with Decoder(path) as decoder:
        return Part(b"".join(chunk.pcm for chunk in decoder.chunks()) + bytes(48_000), (word,))


@pytest.fixture(params=["scripted", pytest.param("pocketsphinx", marks=pytest.mark.audio)])
def talk(request: pytest.FixtureRequest) -> Talk:
    if request.param == "scripted":
        return SCRIPTED
    speech: Path = request.getfixturevalue("recordings") / "speech"
    return Talk(
        "pocketsphinx",
        recording(speech / "harvard-spk1_snt5.wav", "sunday"),
        recording(speech / "librivox-0930.wav", "amiable"),
        recording(speech / "cv-platforms.wav", "platforms"),
    )


async def final(viewer: ClientConnection, part: Part) -> dict[str, object]:
    """Return the final that has the part's first word."""
    while True:
        frame: dict[str, object] = json.loads(await viewer.recv())
        is_final = frame["type"] == "segment" and not frame["is_partial"]
        if is_final and part.words[0] in str(frame["text"]).split():
            return frame


def holding(folder: Path, part: Part) -> list[Path]:
    """Return the files below a folder that have anything of the part."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    traces = re.compile(b"|".join(map(re.escape, part.traces)))
    return [path for path in files if traces.search(path.read_bytes())]


async def switch(server: RunningServer, *, on: bool) -> None:
    async with httpx.AsyncClient() as client:
        mode = "off_record" if on else "live"
        answer = await client.put(
            f"{server.url}/api/rooms/hall/mode", json={"mode": mode}, timeout=20
        )
    assert answer.json() == {"room": "hall", "mode": mode}


async def answers(server: RunningServer, last: Part) -> str:
    """Return all that can be asked of the room afterwards, as one text."""
    paths = ["/metrics", "/api/rooms", "/api/rooms/hall", "/api/rooms/hall/withheld"]
    paths += [f"/api/rooms/hall/transcript.{form}" for form in ("txt", "srt", "vtt", "json")]
    paths += ["/api/rooms/hall/captions.txt?lines=6"]
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        texts = [(await client.get(path)).text for path in paths]
    async with connect(f"{server.ws}/ws/transcript/hall?after=0&v=1&partial=true") as late:
        while last.words[0] not in texts[-1]:
            texts.append(str(await late.recv()))
    return "\n".join(texts)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: Chromium puts a socket into its temporary one."""
    with TemporaryDirectory(prefix="off-", ignore_cleanup_errors=True) as path:
        yield Path(path)


async def test_canaries_off_the_record_are_in_no_byte(
    talk: Talk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Viewers read them as they are said, and that is all that there ever is of them.

    Data, temporary files, logs and the browser's profile have the words before and after, and
    none of those between, also after a kill.
    """
    temporary, profile = folder / "tmp", folder / "profile"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with serving(folder / "data", "--engine", talk.engine) as server:
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
                async with connect(f"{server.ws}/ws/audio/hall?lang=en-US") as source:
                    await source.send(talk.before.pcm)
                    assert (await final(viewer, talk.before))["seq"]
                    await client.get("/api/rooms/hall/captions.txt")
                    await switch(server, on=True)
                    await source.send(talk.canary.pcm)
                    said = await final(viewer, talk.canary)
                assert (said["seq"], said["off_record"]) == (None, True)
                await page.get_by_text(talk.canary.words[-1]).first.wait_for()
                await page.get_by_text("[off the record]").wait_for()
                await switch(server, on=False)
                while "session_ended" not in str(await viewer.recv()):
                    pass
                # The scripted engine reads marks only from a talk's first frame on.
                async with connect(f"{server.ws}/ws/audio/hall?lang=en-US") as source:
                    await source.send(talk.after.pcm)
                    assert (await final(viewer, talk.after))["seq"]
            told = await answers(server, talk.after)
            await window.close()
        server.kill()
    assert holding(folder / "data", talk.before)
    assert holding(folder / "data", talk.after)
    assert talk.before.words[0] in told
    assert [word for word in talk.canary.words if word in told] == []
    assert holding(folder, talk.canary) == []
