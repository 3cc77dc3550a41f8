"""Where the display page puts its text: it fits every screen, and stays where it was painted."""

import random
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect
from websockets.asyncio.client import connect

from parola.engines.scripted import marked_audio
from tests import browser
from tests.browser import BIG, PHONE, Open, wait_for_words
from tests.servers import RunningServer
from tests.speakers import Source
from tests.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name

NARROW = {"width": 320, "height": 568}

SAMPLER = """
() => {
  window.moves = [];
  const seen = new Map();
  const look = () => {
    for (const final of document.querySelectorAll(".final")) {
      const { top, left, width, height } = final.getBoundingClientRect();
      const now = { top, left, width, height, text: final.textContent };
      const then = seen.get(final.dataset.seq);
      if (then) {
        if (now.top > then.top + 0.5) window.moves.push(["sank", then, now]);
        for (const side of ["left", "width", "height"])
          if (Math.abs(now[side] - then[side]) > 0.1) window.moves.push([side, then, now]);
        if (now.text !== then.text) window.moves.push(["changed", then, now]);
      }
      seen.set(final.dataset.seq, now);
    }
    requestAnimationFrame(look);
  };
  look();
}
"""
"""Looks at every painted final in every frame the browser shows; only rolling up is allowed."""


async def pictures(page: Page) -> None:
    """Wait until the browser has shown what was painted, and the sampler has seen it."""
    await page.evaluate(
        "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
    )


async def test_a_painted_final_never_moves(scripted: RunningServer, open_tab: Open) -> None:
    """Frame by frame: a painted final keeps its words and its lines, and never sinks."""
    numbers = random.Random(1)  # noqa: S311 - the same each time
    eager = [
        (await open_tab(scripted, "/rooms/moving?partial=true", viewport=viewport)).page
        for viewport in (BIG, PHONE)
    ]
    for page in eager:
        await page.evaluate(SAMPLER)
    async with connect(f"{scripted.ws}/ws/audio/moving?lang=en-US") as socket:
        for _ in range(100):
            batch = [numbers.randrange(10 ** numbers.randrange(1, 18)) for _ in range(3)]
            await socket.send(marked_audio(batch))
            for page in eager:
                await expect(page.locator("#content")).to_contain_text(str(batch[-1]))
                await pictures(page)
    for page in eager:
        assert await page.locator(".final").count() >= 30
        assert await page.evaluate("window.moves.slice(0, 3)") == []


async def test_hostile_guesses_move_nothing(scripted: RunningServer, open_tab: Open) -> None:
    """Guesses that grow, shrink, vanish and are rewritten leave every final where it is."""
    words = random.Random(2)  # noqa: S311 - the same each time
    vocabulary = ["a", "beta", "gammas", "sixty-four", "theta,", "iota.", "extraordinarily"]
    stage = Stage()
    tab = await open_tab(scripted, "/rooms/moving?partial=true", stage.take, viewport=PHONE)
    await tab.page.evaluate(SAMPLER)
    for segment in range(1, 41):
        for _ in range(3):
            guess = " ".join(words.choices(vocabulary, k=words.randrange(25)))
            stage.partial(segment, guess)
            await expect(tab.page.locator("#partial")).to_have_text(guess)
            await pictures(tab.page)
        stage.final(segment, " ".join(words.choices(vocabulary, k=words.randrange(1, 16))))
        await expect(tab.page.locator(".final").last).to_have_attribute("data-seq", str(segment))
    assert await tab.page.evaluate("window.moves.slice(0, 3)") == []


async def test_reading_back_holds_its_place(scripted: RunningServer, open_tab: Open) -> None:
    """Who scrolls back stays there while text arrives, is told how much, and returns by one key."""
    page = (await open_tab(scripted, "/rooms/back", viewport=PHONE)).page
    source = Source("back")
    async with source.connected(scripted) as socket:
        await source.say(socket, 300)
        await wait_for_words(page, range(300))
        await page.mouse.move(200, 300)
        await page.mouse.wheel(0, -800)
        await expect(page.locator("#live")).to_have_text("Back to live")
        final = page.locator(".final").nth(20)
        place = await final.bounding_box()
        await source.say(socket, 350)
        await expect(page.locator("#live")).to_have_text("Back to live · 5 new")
        assert await final.bounding_box() == place
        await page.keyboard.press("Escape")
        await expect(page.locator("#live")).to_be_hidden()
        await expect(page.locator(".final").last).to_be_in_viewport(ratio=0.9)
        await source.end(socket)


@pytest.mark.parametrize("viewport", [BIG, PHONE, NARROW, {"width": 3840, "height": 1080}])
async def test_text_fits_every_screen(
    scripted: RunningServer, open_tab: Open, viewport: dict[str, int]
) -> None:
    """No scroll bar at any size, the newest line in view, and never more than 37 letters a line."""
    room = "Una sala dal nome straordinariamente lungoesenzaspaziperunpezzo"
    stage = Stage()
    page = (await open_tab(scripted, f"/rooms/{quote(room)}", stage.take, viewport=viewport)).page
    for segment in range(1, 13):
        stage.final(segment, "The quick brown fox jumps over the lazy dog again and again.")
    stage.final(13, "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung.")
    await expect(page.locator(".final").last).to_be_in_viewport(ratio=0.9)
    stage.state("failed", detail="The recogniser stopped. " * 4)
    await expect(page.locator("#error")).to_be_in_viewport(ratio=0.9)
    await expect(page.locator(".final").last).to_be_in_viewport(ratio=0.9)
    await expect(page.locator("#status")).to_be_in_viewport(ratio=0.9)
    assert await page.evaluate(
        """() => [document.documentElement, document.body, document.querySelector("#reader")]
             .map((box) => box.scrollWidth <= box.clientWidth)"""
    ) == [True, True, True]
    assert await page.evaluate(
        "document.documentElement.scrollHeight <= document.documentElement.clientHeight"
    )
    assert max(map(len, await lines_of(page))) <= 37


async def lines_of(page: Page) -> list[str]:
    """Return the lines that the page breaks its first final into."""
    lines: list[str] = await page.evaluate(
        """() => {
          const text = document.querySelector(".final").firstChild;
          const lines = new Map();
          for (let at = 0; at < text.length; at += 1) {
            const range = document.createRange();
            range.setStart(text, at);
            range.setEnd(text, at + 1);
            const top = Math.round(range.getBoundingClientRect().top);
            lines.set(top, (lines.get(top) ?? "") + text.data[at]);
          }
          return [...lines.values()];
        }"""
    )
    return [line.strip() for line in lines]
