"""Every page by keyboard alone, at 200 %, and in trouble: whatever can be used is reached."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from parola.engines.scripted import marked_audio
from tests import browser
from tests.audio_files import wav
from tests.browser import Open
from tests.servers import RunningServer
from tests.speakers import speak
from tests.system.test_jobs import send, watched
from tests.system.test_reading_pages import violations
from tests.unit.docs.reference import page as reference
from tests.unit.docs.reference import section

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name

PAGES = {
    "/": "#rooms .name",
    "/rooms/walk": ".line",
    "/rooms/walk, after S": "#panel select",
    "/p/walk": ".final",
    "/p/walk, after More": "#more select",
    "/p/walk, after Search": "#find",
    "/rooms/walk/mic": "#messages li",
    "/console?room=walk": "#rules li",
    "/archive?q=1": "#found .hit",
    "/archive/walk": "#lines .said",
    "/jobs": ".job[data-status=done] .files a",
    "/enter": "#token",
}
"""Each page that is used with hands, and what is there when it has something to show."""

KEYBOARD = reference("keyboard.md")

TWICE_AS_LARGE = {"viewport": {"width": 640, "height": 512}, "device_scale_factor": 2}
"""A window of 1280 × 1024 at 200 %: a browser lays out half the pixels, and draws each larger."""

OPENED_BY = {"S": ["s"], "More": ["Shift+Tab", "Enter"], "Search": ["/"]}

USABLE = """() => {
  const all = document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, audio[controls], [tabindex]");
  return [...all].filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({
    visibilityProperty: true })).length;
}"""

CUT = """() => [...document.querySelectorAll("a, button, input, select, summary")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }))
  .filter((one) => {
    const { left, right } = one.getBoundingClientRect();
    return left < -1 || right > innerWidth + 1;
  }).map((one) => one.outerHTML)"""

FROM_THE_TOP = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""

STOP = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const seen = one.checkVisibility({ visibilityProperty: true });
  const style = getComputedStyle(one);
  const labels = [...(one.labels ?? [])].map((label) => {
    const copy = label.cloneNode(true);
    for (const field of copy.querySelectorAll("input, select, datalist")) field.remove();
    return copy.textContent;
  });
  const about = one.getAttribute("aria-labelledby");
  const name = one.getAttribute("aria-label")
    || (about && document.getElementById(about).textContent)
    || labels.join(" ").trim() || one.textContent || one.placeholder || one.title;
  window.stops ??= new Map();
  if (!window.stops.has(one)) window.stops.set(one, window.stops.size);
  return {
    at: window.stops.get(one),
    kind: one.getAttribute("role") ?? one.localName,
    name: name.trim().split(/\\s+/).join(" ").slice(0, 60),
    seen: seen && (style.outlineStyle !== "none" || one.matches(":focus-visible")),
  };
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walked(scripted: RunningServer) -> AsyncIterator[RunningServer]:
    """A server with a room in which ten numbers were said and kept, and a recording of them."""
    async with httpx.AsyncClient(base_url=scripted.url) as client:
        rules = {
            "keep_recordings": True,
            "blocked": ["heck"],
            "replacements": [{"heard": "grace hooper", "shown": "Grace Hopper"}],
        }
        assert (await client.put("/api/rooms/walk/settings", json=rules)).is_success
    await speak(scripted, "walk", 10)
    job = await send(scripted, wav(marked_audio(range(10))), name="walk.wav")
    assert (await watched(scripted, job.json()["id"]))[-1]["status"] == "done"
    yield scripted


async def walk(page: Page) -> list[str]:
    """Press Tab until it is round; return each stop as "kind: name"."""
    stops: list[str] = []
    last = -1
    for _ in range(200):
        await page.keyboard.press("Tab")
        stop: dict[str, Any] | None = await page.evaluate(STOP)
        if stop is None or stop["at"] < last:
            return stops
        if stop["at"] > last:  # a player has several stops within
            assert stop["seen"], stop
            stops.append(f"{stop['kind']}: {stop['name']}")
            last = stop["at"]
    raise AssertionError(f"Tab never comes round: {stops}")


async def opened(server: RunningServer, open_tab: Open, name: str, **options: object) -> Page:
    """Open a page, and with the keyboard what its name says is open on it."""
    path, _, key = name.partition(", after ")
    page = (await open_tab(server, path, reduced_motion="reduce", **options)).page
    if key:
        await expect(page.locator(PAGES[path]).first).to_be_visible()
        for press in OPENED_BY[key]:
            await page.keyboard.press(press)
    await expect(page.locator(PAGES[name]).first).to_be_visible()
    return page


@pytest.mark.parametrize("name", PAGES)
async def test_by_keyboard_and_twice_as_large(
    walked: RunningServer, open_tab: Open, name: str
) -> None:
    """Tab reaches all there is, visibly and without a trap, and nothing is cut at 200 %.

    docs/reference/keyboard.md tells the same stops. Source: WCAG 2.2, 1.4.4, 2.1.1, 2.1.2, 2.4.7.
    """
    page = await opened(walked, open_tab, name, **TWICE_AS_LARGE)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate(CUT) == []
    assert await violations(page) == []
    usable = await page.evaluate(USABLE)
    await page.evaluate(FROM_THE_TOP)
    stops = await walk(page)
    assert len(stops) >= usable
    told = section(KEYBOARD, f"`{name}`").split("\n")
    assert stops == [line.removeprefix("- ") for line in told if line]


@pytest.mark.parametrize(
    ("path", "ready"),
    [
        ("/rooms/walk/overlay", ".line"),
        ("/docs", ".opblock"),
        ("/archive/nobody", "#note:text('no such talk')"),
        ("/archive?q=nowhere", "#note:text('Nothing found')"),
        ("/rooms/walk/mic?room=%2F", "#go"),
    ],
)
async def test_less_usual_states_are_in_nobodys_way(
    walked: RunningServer, open_tab: Open, path: str, ready: str
) -> None:
    """axe-core has no objection to the overlay, to the HTTP interface, or to pages in trouble."""
    page = (await open_tab(walked, path, reduced_motion="reduce")).page
    await expect(page.locator(ready).first).to_be_visible()
    if ready == "#go":
        await page.click("#go")
        await expect(page.locator("#error")).to_be_visible()
    found = await violations(page)
    # Swagger UI's own markup, which is not ours to change.
    theirs = ("heading-order:", "nested-interactive:") if path == "/docs" else ()
    assert [each for each in found if not each.startswith(theirs)] == []
