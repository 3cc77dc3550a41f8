"""The microphone page in a real Chromium, whose microphone plays a real recording or counts."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from parola.audio.decode import Decoder
from tests import browser
from tests.audio_files import wav
from tests.browser import PHONE, Open, Tab
from tests.microphones import chromium_hearing, count
from tests.servers import RunningServer, free_port, serving
from tests.stage import Stage
from tests.system.test_reading_pages import NARROW, violations
from tests.system.web_app import microphone, web_app

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

open_tab = browser.open_tab  # a fixture, which pytest finds by name

ALLOWED = {"permissions": ["microphone"], "locale": "en-GB"}
SPOKEN = "sunday is the best part of the week"
PAUSE_S = 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(
    recordings: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Browser]:
    """A Chromium that hears a sentence and a pause, again and again."""
    with Decoder(recordings / "speech" / "harvard-spk1_snt5.wav") as decoder:
        pcm = b"".join(chunk.pcm for chunk in decoder.chunks())
    path = tmp_path_factory.mktemp("sound") / "sentence.wav"
    path.write_bytes(wav(pcm + bytes(32_000 * PAUSE_S)))
    async with chromium_hearing(path) as started:
        yield started


async def stage_is(page: Page, stage: str) -> None:
    """Wait until the page is at a stage."""
    await expect(page.locator("body")).to_have_attribute("data-stage", stage)


async def open_mic(server: RunningServer, open_tab: Open, path: str, **options: object) -> Tab:
    """Open the page, with a microphone that it may use, and wait until it is ready."""
    tab = await open_tab(server, path, **(ALLOWED | options))
    await expect(tab.page.locator("body[data-ready]")).to_be_attached()
    return tab


async def start(page: Page) -> None:
    """Start to speak English."""
    await page.fill("#language", "en-US")
    await page.click("#go")
    await stage_is(page, "live")


async def numbers(server: RunningServer, room: str) -> list[int]:
    """Return the numbers that the room's log holds, in order."""
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.get(f"/api/rooms/{room}/transcript.json")
    if answer.status_code == 404:
        return []
    segments = [s for session in answer.json()["sessions"] for s in session["segments"]]
    return [int(word) for s in segments for word in s["text"].split() if word.isdigit()]


async def until_said(
    server: RunningServer, room: str, enough: Callable[[list[int]], bool]
) -> list[int]:
    """Return the numbers in the log once there are enough."""
    async with asyncio.timeout(30):
        while not enough(found := await numbers(server, room)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # The log does not tell when.
    return found


def gaps(found: list[int]) -> list[tuple[int, int]]:
    """Return where numbers are missing, or come twice."""
    return [(before, after) for before, after in pairwise(found) if after != before + 1]


async def test_real_words_appear(real: RunningServer, open_tab: Open) -> None:
    """Start, speak, see one's own words with their age, stop: by keyboard alone."""
    page = (await open_mic(real, open_tab, "/rooms/hall/mic")).page
    await expect(page.locator("#room")).to_have_value("hall")
    await expect(page.locator("#no-news")).to_be_visible()
    assert await violations(page) == []
    await page.focus("#language")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("en-US")
    await page.keyboard.press("Enter")
    await stage_is(page, "live")
    await page.wait_for_function(
        "() => Number(document.getElementById('level').getAttribute('aria-valuenow')) > -40"
    )
    newest = page.locator("#messages li").first
    await expect(newest).to_be_visible()
    await expect(newest.locator("time")).to_have_text(re.compile("just now|seconds ago"))
    await expect(page.locator("#no-news")).to_be_hidden()
    assert await violations(page) == []
    await page.focus("#go")
    await page.keyboard.press("Space")
    await stage_is(page, "off")
    words = Counter((await page.inner_text("#messages")).lower().split())
    assert (words & Counter(SPOKEN.split())).total() >= 5
    async with httpx.AsyncClient(base_url=real.url) as http:
        state = (await http.get("/api/rooms/hall")).json()["state"]
    assert state == "idle"


async def test_a_server_that_dies_in_mid_speech_loses_nothing(
    tmp_path: Path, open_tab: Open
) -> None:
    """The page speaks on, and its successor gets all of it: nothing lost, nothing twice."""
    engine = ("--engine", "scripted", "--port", str(free_port()))
    with serving(tmp_path / "data", *engine) as first:
        tab = await open_tab(first, "/rooms/hall/mic", count, **ALLOWED)
        tab.may_break = True
        await start(tab.page)
        before = await until_said(first, "hall", lambda found: len(found) >= 20)
        await asyncio.to_thread(first.kill)
        await stage_is(tab.page, "lost")
        await expect(tab.page.locator("#why")).to_contain_text("kept here")
        assert await violations(tab.page) == []
    with serving(tmp_path / "data", *engine) as second:
        await stage_is(tab.page, "live")
        await until_said(second, "hall", lambda found: len(found) >= len(before) + 20)
        await tab.page.click("#go")
        await stage_is(tab.page, "off")
        found = await numbers(second, "hall")
    assert found[: len(before)] == before
    assert gaps(found) == []


async def test_a_tab_that_is_loaded_again_goes_on(scripted: RunningServer, open_tab: Open) -> None:
    """By itself, in the same talk; only what was said while it was away is missing, and once."""
    tab = await open_tab(scripted, "/rooms/again/mic", count, **ALLOWED)
    await start(tab.page)
    before = await until_said(scripted, "again", lambda found: len(found) >= 10)
    await tab.page.reload()
    await stage_is(tab.page, "live")
    await until_said(scripted, "again", lambda found: len(found) >= len(before) + 20)
    await tab.page.click("#go")
    await stage_is(tab.page, "off")
    found = await numbers(scripted, "again")
    ((last, first_after),) = gaps(found)
    assert first_after > last
    async with httpx.AsyncClient(base_url=scripted.url) as http:
        talks = (await http.get("/api/rooms/again/transcript.json")).json()["sessions"]
    assert len(talks) == 1


async def test_a_tab_that_died_has_its_last_words_brought_home(
    tmp_path: Path, open_tab: Open
) -> None:
    """What it heard while the server was away is sent by the next page that is opened."""
    engine = ("--engine", "scripted", "--port", str(free_port()))
    with serving(tmp_path / "data", *engine) as first:
        tab = await open_tab(first, "/rooms/hall/mic", count, **ALLOWED)
        tab.may_break = True
        await start(tab.page)
        await until_said(first, "hall", lambda found: len(found) >= 10)
        await asyncio.to_thread(first.kill)
        await expect(tab.page.locator("#sent")).to_have_text(re.compile("[2-9] s wait"))
        await tab.page.close()
    with serving(tmp_path / "data", *engine) as second:
        page = await tab.page.context.new_page()
        await page.goto(f"{second.url}/mic")
        found = await until_said(second, "hall", lambda found: len(found) >= 30)
        await expect(page.locator("body")).to_have_attribute("data-stage", "off")
    assert gaps(found) == []


KEPT = """async () => {
  const request = indexedDB.open("parola.microphone", 1);
  await new Promise((done) => (request.onsuccess = done));
  const store = request.result.transaction("sound").objectStore("sound").count();
  await new Promise((done) => (store.onsuccess = done));
  request.result.close();
  return store.result;
}"""


async def test_nothing_is_kept_off_the_record(scripted: RunningServer, open_tab: Open) -> None:
    """While the room is off the record the browser's disk holds nothing; after a talk neither."""
    stage = Stage()

    async def prepare(page: Page) -> None:
        await stage.take(page)
        await count(page)

    page = (await open_tab(scripted, "/rooms/secret/mic", prepare, **ALLOWED)).page
    await start(page)
    async with asyncio.timeout(20):
        while not await page.evaluate(KEPT):
            pass
        stage.state("off_record")
        await expect(page.locator("#why")).to_contain_text("nothing is kept")
        while await page.evaluate(KEPT):
            pass
    await page.wait_for_timeout(500)
    assert await page.evaluate(KEPT) == 0
    stage.state("listening")
    await page.click("#go")
    await stage_is(page, "off")
    assert await page.evaluate(KEPT) == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotAllowedError", "may not use the microphone"),
        ("NotFoundError", "No microphone was found"),
        ("NotReadableError", "in use by another program"),
    ],
)
async def test_a_microphone_that_cannot_be_heard_is_told_in_words(
    scripted: RunningServer, open_tab: Open, name: str, words: str
) -> None:
    """Refused, absent or busy: what is wrong and what to do, and Start is there again."""

    async def prepare(page: Page) -> None:
        await page.add_init_script(
            "navigator.mediaDevices.getUserMedia = async () => {"
            f" throw new DOMException('', '{name}'); }};"
        )

    page = (await open_tab(scripted, "/mic", prepare, **ALLOWED)).page
    await page.fill("#language", "en-US")
    await page.click("#go")
    await expect(page.locator("#error")).to_contain_text(words)
    await expect(page.locator("#go")).to_be_enabled()
    await expect(page.locator("#go")).to_have_text("Start")
    assert await violations(page) == []


async def test_a_visitor_who_refuses_is_told_how_to_allow_it(
    scripted: RunningServer, open_tab: Open
) -> None:
    """The browser's own refusal, here without a permission to ask for."""
    page = (await open_tab(scripted, "/mic", locale="it-IT")).page
    await page.fill("#language", "en-US")
    await page.click("#go")
    await expect(page.locator("#error")).to_contain_text("Consentilo nella barra dell'indirizzo")


async def test_an_insecure_page_says_so(tmp_path: Path, open_tab: Open) -> None:
    """Browsers give no microphone to plain http from elsewhere: the page names the remedy."""
    with serving(tmp_path / "data", "--engine", "scripted", "--open") as server:
        port = server.url.rsplit(":", 1)[1]
        outside = RunningServer(server.process, [f"http://insecure.test:{port}"], server.data)
        page = (await open_tab(outside, "/mic", locale="en-GB")).page
        await expect(page.locator("#error")).to_contain_text("only to pages over https")
        await page.fill("#language", "en-US")
        await page.click("#go")
        await expect(page.locator("#error")).to_contain_text("only to pages over https")
        # Before its server is gone, which it would complain of.
        await page.context.close()


async def test_a_room_in_use_is_told_and_nothing_is_kept(
    scripted: RunningServer, open_tab: Open
) -> None:
    """Who comes second hears who has the room; a conversation's lines show their speakers."""
    async with (
        microphone(scripted, sampleRate=16_000, callId="busy", username="Ada") as sound,
        web_app(scripted, "busy") as app,
    ):
        await sound.send(bytes(32_000 * 4))
        await app.until(lambda lines: len(lines) > 0)
        page = (await open_mic(scripted, open_tab, "/rooms/busy/mic")).page
        await expect(page.locator("#messages li").first).to_contain_text("Ada:")
        await page.fill("#language", "en-US")
        await page.click("#go")
        await expect(page.locator("#error")).to_contain_text("Another source is speaking")
        await stage_is(page, "off")
        assert await page.evaluate(KEPT) == 0


async def test_a_microphone_that_is_unplugged_is_waited_for(
    scripted: RunningServer, open_tab: Open
) -> None:
    """The talk goes on with the same sound, by itself, when there is a microphone again."""
    keep_tracks = """
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wish) => {
        if (window.pulled) throw new DOMException("", "NotFoundError");
        return (window.heard = await open(wish));
      };
    """

    async def prepare(page: Page) -> None:
        await page.add_init_script(keep_tracks)

    page = (await open_tab(scripted, "/rooms/unplugged/mic", prepare, **ALLOWED)).page
    await start(page)
    await page.evaluate(
        "() => { window.pulled = true;"
        " window.heard.getTracks()[0].dispatchEvent(new Event('ended')); }"
    )
    await stage_is(page, "unplugged")
    await expect(page.locator("#error")).to_contain_text("No microphone was found")
    await page.evaluate(
        "() => { window.pulled = false;"
        " navigator.mediaDevices.dispatchEvent(new Event('devicechange')); }"
    )
    await stage_is(page, "live")
    await expect(page.locator("#error")).to_be_hidden()


@pytest.mark.parametrize("size", [PHONE, NARROW], ids=["phone", "320 px"])
async def test_a_small_screen_scrolls_one_way_only(
    scripted: RunningServer, open_tab: Open, size: dict[str, int]
) -> None:
    """Everything is reachable, nothing scrolls sideways, and axe-core has nothing to object to."""
    page = (
        await open_mic(scripted, open_tab, f"/rooms/small {size['width']}/mic", viewport=size)
    ).page
    await start(page)
    await expect(page.locator("#messages li").first).to_be_visible()
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= size["width"]
    assert await violations(page) == []
    await page.click("#go")
    await stage_is(page, "off")


async def test_the_pages_language_is_shown_before_it_is_chosen(
    scripted: RunningServer, open_tab: Open
) -> None:
    """It is the browser's, and the list says so."""
    page = (await open_mic(scripted, open_tab, "/mic", locale="it-IT")).page
    await expect(page.locator("#page")).to_have_value("it")
    await expect(page.locator("#go")).to_have_text("Avvia")
