"""Phone page and overlay in a real Chromium: for eyes, ears, thumbs and video mixers."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from tests import browser
from tests.browser import BIG, PHONE, Open, Tab, wait_for_words
from tests.servers import RunningServer
from tests.speakers import Source, speak
from tests.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name

AXE = Path(__file__).parents[1] / "npm" / "node_modules" / "axe-core" / "axe.min.js"
NARROW = {"width": 320, "height": 568}


async def open_phone(
    server: RunningServer, open_tab: Open, stage: Stage, query: str = "", **options: object
) -> Tab:
    """Open a phone page whose server the stage plays."""
    tab = await open_tab(
        server, f"/p/hall{query}", stage.take, **({"viewport": PHONE, "locale": "en-GB"} | options)
    )
    await expect(tab.page.locator("body")).to_have_attribute("data-link", "open")
    return tab


def wait_until(condition: Callable[[], bool]) -> None:
    """Look again and again until it is so, for what says nothing by itself."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


async def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong, contrast included."""
    source = await asyncio.to_thread(AXE.read_text)
    await page.evaluate(source)  # Not as a script element: the page's policy holds here too.
    found: list[str] = await page.evaluate(
        """async () => (await axe.run()).violations
             .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`)"""
    )
    return found


@pytest.mark.parametrize("path", ["/", "/rooms/hall?partial=true", "/rooms/hall?with=b", "/p/hall"])
async def test_nothing_is_in_anybodys_way(
    scripted: RunningServer, open_tab: Open, path: str
) -> None:
    """axe-core finds nothing to object to: while empty, with text, in trouble, with panels open."""
    stage = Stage()
    page = (await open_tab(scripted, path, stage.take, reduced_motion="reduce")).page
    assert await violations(page) == []
    if path == "/":
        return
    await expect(page.locator("body")).to_have_attribute("data-link", "open")
    stage.tell_the_past()
    stage.final(1, "Good morning.", speaker="Ada")
    stage.partial(2, "words to come")
    await wait_for_words(page, ["Ada:", "Good", "morning."])
    assert await violations(page) == []
    if "with=" in path:
        return  # The stage plays the second room only, and the first one's trouble is told.
    stage.state("failed", detail="The recogniser stopped.")
    await expect(page.locator("#error")).to_be_visible()
    await page.click("#more-open" if path == "/p/hall" else "#looks", force=True)
    assert await violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark", "yellow", "sepia"])
async def test_every_theme_has_contrast_enough(
    scripted: RunningServer, open_tab: Open, theme: str
) -> None:
    """Text has a contrast of 7:1 at least, the guess too. Source: WCAG 2.2, 1.4.6."""
    stage = Stage()
    page = (await open_phone(scripted, open_tab, stage, f"?theme={theme}&guess=on")).page
    stage.tell_the_past()
    stage.final(1, "Good morning.", speaker="Ada")
    stage.partial(2, "words to come")
    await expect(page.locator("#partial")).to_be_visible()
    await page.evaluate(await asyncio.to_thread(AXE.read_text))
    assert (
        await page.evaluate(
            """async () => (await axe.run("#reader", { runOnly: ["color-contrast-enhanced"],
             rules: { "color-contrast-enhanced": { enabled: true } } }))
           .violations.map((each) => each.nodes.map((node) => node.failureSummary))"""
        )
        == []
    )


async def test_the_ear_gets_each_sentence_once(scripted: RunningServer, open_tab: Open) -> None:
    """One polite live region; one announcement a sentence; nothing of guesses or of the past."""
    stage = Stage()
    page = (await open_phone(scripted, open_tab, stage, "?guess=on")).page
    stage.tell_the_past()
    stage.final(1, "Said before.")
    await wait_for_words(page, ["Said", "before."])
    assert await page.locator("[aria-live=polite], [role=status], [role=log]").count() == 1
    assert await page.locator("[aria-live=assertive], [role=alert]").count() == 0
    await page.wait_for_timeout(1600)  # What is the past for the ear, phone.js says.
    await page.evaluate(
        """() => {
          window.said = [];
          new MutationObserver((changes) => {
            for (const { addedNodes } of changes)
              window.said.push(...[...addedNodes].map((node) => node.textContent));
          }).observe(document.getElementById("spoken"),
            { childList: true, characterData: true, subtree: true });
        }"""
    )
    stage.partial(2, "good morning every", stable=2)
    stage.partial(2, "good mourning", stable=0)
    stage.final(2, "Good morning. How are")
    stage.final(3, "you today?")
    stage.final(4, "Fine.")
    await page.wait_for_function("window.said.includes('Fine.')")
    assert await page.evaluate("window.said") == ["Good morning.", "How are you today?", "Fine."]


async def test_large_text_on_a_small_screen(scripted: RunningServer, open_tab: Open) -> None:
    """At 320 pixels and 300 % nothing scrolls sideways, and everything can be reached."""
    stage = Stage()
    page = (await open_phone(scripted, open_tab, stage, "?size=300", viewport=NARROW)).page
    stage.tell_the_past()
    for number in range(1, 8):
        stage.final(number, "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen again.")
    await expect(page.locator(".final").last).to_contain_text("again.")
    for button in ("#find-open", "#more-open"):
        await page.click(button)
        assert (
            await page.evaluate(
                """() => [document.documentElement, ...document.querySelectorAll("body *")]
                 .filter((box) => !box.closest(".for-ears")
                   && getComputedStyle(box).overflowX !== "visible" || box === document.body)
                 .filter((box) => box.scrollWidth > box.clientWidth + 1
                   && !box.matches("h1, select, input")).map((box) => box.id)"""
            )
            == []
        )
        await expect(page.locator("#more-open")).to_be_in_viewport(ratio=1)
        await page.keyboard.press("Escape")
    assert await page.evaluate("document.querySelector('#reader').clientHeight") >= 80


async def test_the_keyboard_is_enough(scripted: RunningServer, open_tab: Open) -> None:
    """Size, search, panel, theme, language and back to live, without a pointer."""
    stage = Stage()
    tab = await open_phone(scripted, open_tab, stage)
    tab.refusals = {404}  # The stage's talk is in nobody's log.
    page = tab.page
    stage.tell_the_past()
    for number in range(1, 60):
        stage.final(number, f"Perché no, number {number} of many sentences that are said here.")
    await expect(page.locator(".final").last).to_have_attribute("data-seq", "59")
    await page.keyboard.press("+")
    await expect(page.locator("#size")).to_have_text("125 %")
    await page.keyboard.press("/")
    await page.keyboard.type("perche no, NUMBER 7 ")
    await expect(page.locator("#found")).to_have_text("1 of 1")
    await expect(page.locator("[data-hit=now]")).to_be_in_viewport()
    await expect(page.locator("#live")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#find")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(page.locator("#live")).to_be_hidden()
    walked = []
    await page.evaluate("document.activeElement.blur()")
    for _ in range(6):
        await page.keyboard.press("Tab")
        walked.append(await page.evaluate("document.activeElement.id"))
    assert {"reader", "smaller", "larger", "find-open", "more-open"} <= set(walked)
    await page.focus("#more-open")
    await page.keyboard.press("Enter")
    await page.focus("[name=language]")
    await page.select_option("[name=language]", "it")
    await expect(page.locator("#find-open")).to_have_text("Cerca")
    await page.select_option("[name=theme]", "yellow")
    await page.keyboard.press("Escape")
    await expect(page.locator("#more")).to_be_hidden()
    await page.reload()
    await expect(page.locator("#find-open")).to_have_text("Cerca")
    await expect(page.locator("html")).to_have_attribute("data-theme", "yellow")


async def test_the_whole_talk_can_be_searched(scripted: RunningServer, open_tab: Open) -> None:
    """What was said before the page's hundred entries is found too, and the place is held."""
    source = Source("long")
    async with source.connected(scripted) as socket:
        for until in range(300, 1501, 300):
            await source.say(socket, until)
        await source.end(socket)
    page = (await open_tab(scripted, "/p/long", viewport=PHONE, locale="en-GB")).page
    await expect(page.locator(".final").last).to_contain_text("1499")
    assert "17 18 19" not in " ".join(await page.locator(".final").all_text_contents())
    await page.keyboard.press("/")
    await page.keyboard.type("17 18 19")
    await expect(page.locator("[data-hit=now]")).to_contain_text("17 18 19")
    await expect(page.locator("[data-hit=now]")).to_be_in_viewport()


async def test_the_kill_switch_and_the_clear_key(scripted: RunningServer, open_tab: Open) -> None:
    """The overlay is transparent, shows two lines, and no word at all while the room is hidden."""
    stage = Stage()
    page = (await open_tab(scripted, "/rooms/hall/overlay", stage.take)).page
    await expect(page).to_have_title("hall – Parola")
    await page.wait_for_function("document.querySelector('.pane')")
    await asyncio.to_thread(wait_until, lambda: bool(stage.sockets))
    stage.tell_the_past()
    stage.final(1, "The quick brown fox jumps over the lazy dog again and again and again.")
    await expect(page.locator(".line")).to_have_count(2)
    for element in ("html", "body"):
        await expect(page.locator(element)).to_have_css("background-color", "rgba(0, 0, 0, 0)")
    box = await page.locator(".lines").bounding_box()
    assert box is not None
    assert box["x"] >= BIG["width"] * 0.05
    assert box["y"] + box["height"] <= BIG["height"] * 0.95
    stage.state("hidden")
    await expect(page.locator(".line").first).to_be_hidden()
    stage.state("listening")
    await expect(page.locator(".line").first).to_be_visible()
    await page.keyboard.press("c")
    await expect(page.locator(".line")).to_have_count(0)
    stage.final(2, "Here again.")
    await expect(page.locator(".line")).to_have_text("Here again.")


async def test_a_mixer_reads_plain_text(
    scripted: RunningServer, open_tab: Open, tmp_path: Path
) -> None:
    """The endpoint and the file hold the lines that the overlay shows, word for word."""
    await speak(scripted, "mixer", 30)
    url = f"{scripted.url}/api/rooms/mixer/captions.txt"
    texts = (await asyncio.to_thread(httpx.get, url)).text
    page = (await open_tab(scripted, "/rooms/mixer/overlay")).page
    await expect(page.locator(".line")).to_have_count(2)
    assert texts.splitlines() == await page.locator(".line").all_text_contents()
    file = tmp_path / "captions.txt"
    command = [sys.executable, "-m", "parola.cli", "follow", "mixer"]
    options = ["--server", scripted.ws, "--text-file", str(file)]
    follower = subprocess.Popen([*command, *options])
    try:
        same = lambda: file.exists() and file.read_text() == texts  # noqa: E731
        await asyncio.to_thread(wait_until, same)
        source = Source("mixer")
        async with source.connected(scripted) as socket:
            await source.say(socket, 3)
            await asyncio.to_thread(wait_until, lambda: file.read_text().endswith("0 1 2\n"))
            await source.end(socket)
    finally:
        follower.terminate()
        follower.wait(10)


async def test_the_way_to_the_phone_page(scripted: RunningServer, open_tab: Open) -> None:
    """An idle screen shows a QR code; with text it is there on a key; looks are remembered."""
    stage = Stage()
    page = (await open_tab(scripted, "/rooms/Sala%20B", stage.take)).page
    await expect(page.locator("#qr")).to_be_visible()
    assert await page.locator("#qr-code").evaluate("(code) => code.decode().then(() => true)")
    await expect(page.locator("#qr-link")).to_have_attribute("href", f"{scripted.url}/p/Sala%20B")
    stage.tell_the_past()
    stage.final(1, "Good morning.")
    await expect(page.locator("#qr")).to_be_hidden()
    await page.keyboard.press("q")
    await expect(page.locator("#qr")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("s")
    await page.select_option("[name=colours]", "black-on-white")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-colours", "black-on-white")
    await expect(page.locator("html")).to_have_css("background-color", "rgb(255, 255, 255)")


async def test_two_rooms_side_by_side(scripted: RunningServer, open_tab: Open) -> None:
    """A room that is set to stand beside another does, with words and name of its own; or alone."""
    await speak(scripted, "one", 5)
    await speak(scripted, "<b>two", 7)
    async with httpx.AsyncClient(base_url=scripted.url) as client:
        beside = {"beside": "<b>two"}
        assert (await client.put("/api/rooms/one/settings", json=beside)).is_success
    page = (await open_tab(scripted, "/rooms/one?lines=3")).page
    assert page.url == f"{scripted.url}/rooms/one?lines=3&with=%3Cb%3Etwo"
    panes = page.locator(".pane")
    await expect(panes.nth(0).locator(".line")).to_have_text("0 1 2 3 4")
    await expect(panes.nth(1).locator(".line")).to_have_text("0 1 2 3 4 5 6")
    await expect(panes.nth(1).locator(".pane-room")).to_have_text("<b>two")
    await page.goto(f"{scripted.url}/rooms/one?with=")
    await expect(panes).to_have_count(1)
