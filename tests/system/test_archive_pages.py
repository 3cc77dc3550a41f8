"""The archive in a real Chromium: what was said is found again, as it reads now."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from playwright.async_api import expect
from websockets.asyncio.client import connect

from parola.engines.scripted import marked_audio
from tests import browser
from tests.broker import running_broker
from tests.browser import PHONE, Open
from tests.servers import RunningServer, serving
from tests.speakers import speak
from tests.system.talks import until
from tests.system.test_reading_pages import violations

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name


async def lines_of(server: RunningServer, room: str) -> list[dict[str, object]]:
    """Speak the numbers below 30 into the room, a tenth of a second each; return the lines."""
    await speak(server, room, 30)
    async with httpx.AsyncClient(base_url=server.url) as client:
        (session,) = (await client.get(f"/api/rooms/{room}/transcript.json")).json()["sessions"]
        segments: list[dict[str, object]] = session["segments"]
        return segments


@pytest.fixture(params=["alone", "one of several"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningServer]:
    """A server by itself, and one that keeps everything on a broker."""
    if request.param == "alone":
        yield request.getfixturevalue("scripted")
        return
    with (
        running_broker(tmp_path) as broker,
        serving(tmp_path / "data", "--engine", "scripted", "--cluster", broker.url) as node,
    ):
        yield node


async def test_a_corrected_talk_is_found_and_read_again(
    served: RunningServer, open_tab: Open
) -> None:
    """New words are found and lead to their line; old and struck ones are not found any more."""
    first, second, *_ = await lines_of(served, "hall")
    async with httpx.AsyncClient(base_url=served.url) as client:
        path = f"/api/rooms/hall/lines/{first['seq']}"
        right = {"text": "Grazia Deledda nacque a Nùoro", "made_on": first["seq"]}
        assert (await client.put(path, json=right)).is_success
        struck = f"/api/rooms/hall/lines/{second['seq']}/strike"
        assert (await client.post(struck, json={"made_on": second["seq"]})).is_success
        for rubbish in (
            '"',
            "AND OR NOT",
            "a* NEAR(b",
            "col:x",
            "'; DROP TABLE said",
            "-",
            "(",
            "\x00",
        ):
            answer = await client.get("/api/search", params={"q": rubbish})
            assert answer.status_code == 200, rubbish
        assert (await client.get("/api/search", params={"q": "x" * 201})).status_code == 413

    page = (await open_tab(served, "/archive", viewport=PHONE)).page
    await expect(page.locator("#talks .talk")).to_have_count(1)
    assert await violations(page) == []
    await page.fill("#q", str(second["text"]))
    await expect(page.locator("#note")).to_have_text("Nothing found.")
    await page.fill("#q", "deledda nuoro")
    await expect(page.locator("#found .hit")).to_have_count(1)
    assert await violations(page) == []
    await page.click("#found .hit a")
    marked = page.locator('#lines [aria-current="true"]')
    await expect(marked).to_contain_text("Grazia Deledda nacque a Nùoro")
    await expect(page.locator("#timeline rect.corrected")).to_have_count(1)
    # It was told faster than it can be said: nobody waited for its text.
    await expect(page.locator("#timeline .lag")).to_have_count(0)
    await expect(page.locator("#lines")).not_to_contain_text(str(second["text"]))
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    links = await page.locator("#files a").all_inner_texts()
    assert links == [".srt", ".vtt", ".txt", ".json"]


async def test_the_words_are_played_beside_the_kept_sound(
    scripted: RunningServer, open_tab: Open
) -> None:
    """A click on a word plays from there; the word that is being said is marked."""
    async with httpx.AsyncClient(base_url=scripted.url) as client:
        settings = "/api/rooms/heard/settings"
        assert (await client.put(settings, json={"keep_recordings": True})).is_success
    first, second, *_ = await lines_of(scripted, "heard")
    page = (await open_tab(scripted, "/archive/heard", reduced_motion="reduce")).page
    await expect(page.locator("#no-recording")).to_be_hidden()
    sound = page.locator("#sound")
    await expect(sound).to_be_visible()
    assert await violations(page) == []
    word = page.locator(f'[data-seq="{second["seq"]}"] [data-at]').nth(1)
    at = float(await word.get_attribute("data-at") or 0)
    assert at > float(str(first["start_s"]))
    await word.click()
    await page.wait_for_function(
        """at => {
          const sound = document.getElementById("sound");
          return !sound.paused && sound.currentTime >= at;
        }""",
        arg=at,
    )
    await page.evaluate("document.getElementById('sound').pause()")
    line = page.locator('#lines [aria-current="true"]')
    await expect(line).to_have_attribute("data-seq", str(second["seq"]))
    # Set to a moment within the word, it is this word and no other that is marked.
    await page.evaluate("at => { document.getElementById('sound').currentTime = at + 0.01; }", at)
    await expect(page.locator(".now")).to_have_text(await word.inner_text())
    await expect(page.locator(".now")).to_have_count(1)
    await page.keyboard.press("Tab")
    await page.locator(f'[data-seq="{first["seq"]}"] .at').press("Enter")
    await page.wait_for_function("() => !document.getElementById('sound').paused")
    assert await violations(page) == []


VOICES = """async (address) => {
  const video = document.createElement("video");
  const track = document.createElement("track");
  video.append(track);
  document.body.append(video);
  track.track.mode = "hidden";
  const loaded = new Promise((resolve, reject) => {
    track.onload = resolve;
    track.onerror = reject;
  });
  track.src = address;
  await loaded;
  return [...track.track.cues].map((cue) => [
    [...cue.getCueAsHTML().querySelectorAll("span")].map(({ title }) => title),
    cue.getCueAsHTML().textContent,
  ]);
}"""
"""A WebVTT file by the browser's own reader: each cue's voices, and its text."""


async def test_a_browser_reads_who_speaks(scripted: RunningServer, open_tab: Open) -> None:
    """Chromium's reader of WebVTT finds each cue's speaker, whatever the name is."""
    name = 'R&D <2> "x"'
    query = urlencode({"sampleRate": 16000, "callId": "panel", "username": name})
    async with connect(f"{scripted.ws}/api/stt/transcribe?{query}") as socket:
        await socket.send(marked_audio(range(30)))
    async with httpx.AsyncClient(base_url=scripted.url) as client:

        async def is_written() -> bool:
            return (await client.get("/api/rooms/panel/transcript.vtt")).is_success

        await until(is_written)
    page = (await open_tab(scripted, "/archive")).page
    cues = await page.evaluate(VOICES, "/api/rooms/panel/transcript.vtt")
    assert cues
    assert all(voices == [name] for voices, _ in cues)
    assert cues[0][1].startswith("0 1")
