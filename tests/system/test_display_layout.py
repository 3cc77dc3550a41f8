"""Where the pages put their text: it fits every screen, and stays where it was painted."""

import random
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from tests import browser
from tests.browser import BIG, PHONE, Open, wait_for_words
from tests.servers import RunningServer
from tests.speakers import Source, speak
from tests.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name

NARROW = {"width": 320, "height": 568}

WATCH_WORDS = """
() => {
  window.moves = [];
  const seen = new Map();
  const look = () => {
    for (const word of document.querySelectorAll(".word, .mark")) {
      const { top, left, width } = word.getBoundingClientRect();
      const now = { top, left, width, text: word.textContent };
      const then = seen.get(word);
      if (then) {
        if (now.top > then.top + 0.5) window.moves.push(["sank", then, now]);
        for (const side of ["left", "width"])
          if (Math.abs(now[side] - then[side]) > 0.1) window.moves.push([side, then, now]);
        if (now.text !== then.text) window.moves.push(["changed", then, now]);
      }
      seen.set(word, now);
    }
    // Words leave at the top only: the oldest of those still there is younger than all that left.
    const order = [...seen.keys()];
    const first = order.findIndex((word) => word.isConnected);
    if (first >= 0 && order.slice(first).some((word) => !word.isConnected))
      window.moves.push(["erased", order.slice(first).find((w) => !w.isConnected).textContent]);
    window.painted = seen.size;
    requestAnimationFrame(look);
  };
  look();
}
"""
"""Looks at every painted word in every frame the browser shows; only rolling up is allowed."""

WATCH_PARAGRAPHS = """
() => {
  window.moves = [];
  const seen = new Map();
  const look = () => {
    for (const block of document.querySelectorAll(".paragraph")) {
      const { top, left } = block.getBoundingClientRect();
      const now = { top, left, text: block.textContent };
      const then = seen.get(block);
      if (then && now.top > then.top + 0.5) window.moves.push(["sank", then, now]);
      if (then && now.left !== then.left) window.moves.push(["left", then, now]);
      if (then && !now.text.startsWith(then.text)) window.moves.push(["changed", then, now]);
      seen.set(block, now);
    }
    requestAnimationFrame(look);
  };
  look();
}
"""
"""The same for the phone page, whose paragraphs only get more words."""

VOCABULARY = ["a", "beta", "gammas", "sixty-four", "theta,", "iota.", "extraordinarily"]


async def pictures(page: Page) -> None:
    """Wait until the browser has shown what was painted, and the watcher has seen it."""
    await page.evaluate(
        "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
    )


@pytest.mark.parametrize("viewport", [BIG, PHONE])
async def test_a_painted_word_never_moves(
    scripted: RunningServer, open_tab: Open, viewport: dict[str, int]
) -> None:
    """Frame by frame, under an engine that rewrites everything: erasure is 0 in 100 words."""
    chance = random.Random(1)  # noqa: S311 - the same each time
    stage = Stage()
    tab = await open_tab(scripted, "/rooms/moving?partial=true", stage.take, viewport=viewport)
    page = tab.page
    await expect(page.locator("body")).to_have_attribute("data-link", "open")
    stage.tell_the_past()
    await page.evaluate(WATCH_WORDS)
    for segment in range(1, 26):
        for _ in range(4):
            guess = " ".join(chance.choices(VOCABULARY, k=chance.randrange(14)))
            stage.partial(segment, guess, stable=chance.randrange(6))
            await pictures(page)
        stage.final(segment, " ".join(chance.choices(VOCABULARY, k=chance.randrange(3, 12))))
        await pictures(page)
    await expect(page.locator(".partial")).to_have_count(0)
    assert await page.evaluate("window.painted") >= 100
    assert await page.evaluate("window.moves.slice(0, 3)") == []


async def test_pictures_differ_nowhere_in_painted_lines(
    scripted: RunningServer, open_tab: Open
) -> None:
    """Pixel by pixel: whatever is guessed, a line that is full looks the same, wherever it is."""
    chance = random.Random(2)  # noqa: S311 - the same each time
    stage = Stage()
    path = "/rooms/pictures?partial=true"
    page = (await open_tab(scripted, path, stage.take, reduced_motion="reduce")).page
    await expect(page.locator("body")).to_have_attribute("data-link", "open")
    stage.tell_the_past()
    seen: dict[str, bytes] = {}
    compared = 0
    for segment in range(1, 9):
        stage.final(segment, " ".join(chance.choices(VOCABULARY, k=5)) + f" number-{segment}")
        await expect(page.locator(".lines")).to_contain_text(f"number-{segment}")
        for _ in range(2):
            stage.partial(segment + 1, " ".join(chance.choices(VOCABULARY, k=9)))
            await pictures(page)
            lines = await page.locator(".line").all()
            for line in lines[:-1]:
                text, picture = await line.inner_text(), await line.screenshot()
                compared += text in seen
                assert seen.setdefault(text, picture) == picture, text
    assert compared >= 20


async def test_hostile_guesses_move_nothing(scripted: RunningServer, open_tab: Open) -> None:
    """On the phone page guesses that grow, shrink and vanish leave every paragraph where it is."""
    chance = random.Random(2)  # noqa: S311 - the same each time
    stage = Stage()
    tab = await open_tab(scripted, "/p/moving?guess=on", stage.take, viewport=PHONE)
    await expect(tab.page.locator("body")).to_have_attribute("data-link", "open")
    stage.tell_the_past()
    await tab.page.evaluate(WATCH_PARAGRAPHS)
    for segment in range(1, 31):
        for _ in range(3):
            guess = " ".join(chance.choices(VOCABULARY, k=chance.randrange(12)))
            stage.partial(segment, guess)
            await expect(tab.page.locator("#partial")).to_have_text(guess)
            await pictures(tab.page)
        stage.final(segment, " ".join(chance.choices(VOCABULARY, k=chance.randrange(1, 16))))
        await expect(tab.page.locator(".final").last).to_have_attribute("data-seq", str(segment))
    assert await tab.page.evaluate("window.moves.slice(0, 3)") == []


async def test_reading_back_holds_its_place(scripted: RunningServer, open_tab: Open) -> None:
    """Who scrolls back stays there while text arrives, is told how much, and returns by one key."""
    await speak(scripted, "back", 300)
    page = (await open_tab(scripted, "/p/back", viewport=PHONE)).page
    await wait_for_words(page, range(300))
    source = Source("back")
    async with source.connected(scripted) as socket:
        await page.mouse.move(200, 300)
        await page.mouse.wheel(0, -500)
        await expect(page.locator("#live")).to_have_text("Back to live")
        final = page.locator(".final").nth(20)
        place = await final.bounding_box()
        await source.say(socket, 20)
        await expect(page.locator("#live")).to_have_text("Back to live · 2 new")
        assert await final.bounding_box() == place
        await page.keyboard.press("Escape")
        await expect(page.locator("#live")).to_be_hidden()
        await expect(page.locator(".final").last).to_be_in_viewport(ratio=0.9)
        await source.end(socket)


@pytest.mark.parametrize("viewport", [BIG, PHONE, NARROW, {"width": 3840, "height": 1080}])
@pytest.mark.parametrize("query", ["", "?partial=true&position=bottom&lines=12&font=wide"])
async def test_text_fits_every_screen(
    scripted: RunningServer, open_tab: Open, viewport: dict[str, int], query: str
) -> None:
    """No scroll bar at any size, the newest line in view, and never more than 37 letters a line."""
    room = "Una sala dal nome straordinariamente lungoesenzaspaziperunpezzo"
    stage = Stage()
    path = f"/rooms/{quote(room)}{query}"
    page = (await open_tab(scripted, path, stage.take, viewport=viewport)).page
    await expect(page.locator("body")).to_have_attribute("data-link", "open")
    stage.tell_the_past()
    for segment in range(1, 13):
        stage.final(segment, "The quick brown fox jumps over the lazy dog again and again.")
    stage.final(13, "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung.")
    await expect(page.locator(".line").last).to_be_in_viewport(ratio=0.99)
    await expect(page.locator(".line").first).to_be_in_viewport(ratio=0.99)
    lines = await page.locator(".line").all_text_contents()
    stage.state("failed", detail="The recogniser stopped. " * 4)
    await expect(page.locator("#error")).to_be_in_viewport(ratio=0.9)
    await expect(page.locator("#status")).to_be_in_viewport(ratio=0.9)
    assert await page.locator(".line").all_text_contents() == lines
    assert await page.evaluate(
        """() => [document.documentElement, document.body, ...document.querySelectorAll(".pane")]
             .every((box) => box.scrollWidth <= box.clientWidth
               && (box.matches(".pane") || box.scrollHeight <= box.clientHeight))"""
    )
    assert await page.evaluate(
        """() => [...document.querySelectorAll(".line")]
             .every((line) => line.scrollWidth <= line.parentElement.clientWidth)"""
    )
    assert max(map(len, lines)) <= 37
