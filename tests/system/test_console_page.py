"""The operator's page in a real Chromium: two people put one talk right while it is said."""

from typing import Any

import httpx
import pytest
from playwright.async_api import Page, Route, expect

from tests import browser
from tests.browser import BIG, PHONE, Open
from tests.servers import RunningServer
from tests.speakers import speak
from tests.system.talks import until
from tests.system.test_reading_pages import NARROW, violations

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name


async def play(server: RunningServer, room: str) -> None:
    """Play the sample talk into a room."""
    async with httpx.AsyncClient() as client:
        assert (await client.post(f"{server.url}/api/rooms/{room}/sample")).is_success


async def type_over(page: Page, row: int, text: str) -> None:
    """Correct a line with the keyboard alone, up to the last key."""
    await page.locator("#lines .words").nth(row).focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("textarea")).to_be_focused()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type(text)


async def test_two_operators_correct_one_line(scripted: RunningServer, open_tab: Open) -> None:
    """The second to save is told what the first wrote; either may win, knowing; readers follow."""
    await play(scripted, "hall")
    anna = (await open_tab(scripted, "/console?room=hall")).page
    tab = await open_tab(scripted, "/console?room=hall", viewport=PHONE)
    tab.refusals.add(409)
    bruno = tab.page
    await anna.fill("#operator", "Anna")
    reader = (await open_tab(scripted, "/p/hall", viewport=PHONE)).page.locator(".final").first
    for page in (anna, bruno):
        await expect(page.locator("#lines .row").nth(1)).to_be_visible()
    await type_over(anna, 0, "Anna's words")
    await type_over(bruno, 0, "Bruno's words")
    await anna.keyboard.press("Enter")
    await expect(anna.locator("#lines .words").first).to_have_text("Anna's words")
    await expect(reader).to_have_text("Anna's words")
    await expect(bruno.locator("#note")).to_contain_text("Anna's words")
    await expect(bruno.locator("textarea")).to_have_value("Bruno's words")
    await bruno.keyboard.press("Escape")
    await expect(bruno.locator("#lines .words").first).to_have_text("Anna's words")

    seq = await bruno.locator("#lines .row").first.get_attribute("data-seq")
    path = f"{scripted.url}/api/rooms/hall/lines/{seq}"
    async with httpx.AsyncClient() as client:
        now = (await client.get(path)).json()
        assert (now["text"], now["by"]) == ("Anna's words", "Anna")
        stale = await client.put(path, json={"made_on": int(seq or 0), "text": "too late"})
        assert (stale.status_code, stale.json()["code"]) == (409, "edit_conflict")
        assert stale.json()["current"] == now

        await bruno.locator("#lines .words").first.focus()
        await bruno.keyboard.press("Delete")
        await expect(anna.locator("#lines .row").first).to_have_attribute("data-struck", "")
        text = (await client.get(f"{scripted.url}/api/rooms/hall/transcript.txt")).text
        assert "Anna's words" not in text
        await expect(reader).to_be_hidden()
        await anna.locator("#lines .strike").first.click()
        await expect(bruno.locator("#lines .words").first).to_have_text("Anna's words")
        await expect(reader).to_have_text("Anna's words")
        text = (await client.get(f"{scripted.url}/api/rooms/hall/transcript.txt")).text
        assert "Anna's words" in text


async def test_a_correction_teaches_a_rule(scripted: RunningServer, open_tab: Open) -> None:
    """One word put right is offered as a rule; the next lines are right by themselves."""
    await play(scripted, "school")
    page = (await open_tab(scripted, "/console?room=school")).page
    first = page.locator("#lines .words").first
    await expect(first).to_contain_text("room")
    await type_over(page, 0, (await first.inner_text()).replace("room", "Raum"))
    await page.keyboard.press("Enter")
    await expect(page.locator("#offer-text")).to_have_text("Always write “room” as “Raum”?")
    await page.click("#offer-room")
    await expect(page.locator("#rules")).to_contain_text("room → Raum")
    await page.fill("#new-blocked [name=word]", "screen")
    await page.press("#new-blocked [name=word]", "Enter")
    await expect(page.locator("#blocked")).to_contain_text("screen")
    await expect(page.locator("#guess")).to_contain_text("•••")
    await page.click("#rules button")
    await expect(page.locator("#rules li")).to_have_count(0)


async def test_what_holds_for_a_room_is_set_without_losing_a_word(
    scripted: RunningServer, open_tab: Open
) -> None:
    """Two operators set one room at once and both are heard; a refusal says why and stays."""
    await speak(scripted, "set", 3)
    tab = await open_tab(scripted, "/console?room=set")
    tab.refusals |= {400, 412}
    page = tab.page
    await expect(page.locator("#rules")).to_be_attached()
    async with httpx.AsyncClient(base_url=scripted.url) as client:

        async def settings() -> dict[str, Any]:
            found: dict[str, Any] = (await client.get("/api/rooms/set/settings")).json()
            return found

        others = [{"blocked": ["heck"]}]

        async def somebody_is_quicker(route: Route) -> None:
            if route.request.method == "PUT" and others:
                await client.put("/api/rooms/set/settings", json=others.pop())
            await route.continue_()

        await page.route("**/api/rooms/set/settings", somebody_is_quicker)
        await page.check("#keep")
        await expect(page.locator("#blocked")).to_contain_text("heck")
        now = await settings()
        assert (now["keep_recordings"], now["blocked"]) == (True, ["heck"])
        await page.fill("#beside", "set")
        await page.press("#beside", "Tab")
        await expect(page.locator("#error")).to_contain_text("cannot stand beside itself")
        await page.fill("#beside", "set-it")
        await page.press("#beside", "Tab")
        await expect(page.locator("#error")).to_be_hidden()

        async def is_set() -> bool:
            return bool((await settings())["beside"] == "set-it")

        await until(is_set)


async def test_the_screens_go_blank_at_a_key(scripted: RunningServer, open_tab: Open) -> None:
    """The kill screen empties the overlay at once, and the next press brings the words back."""
    await play(scripted, "stage")
    console = (await open_tab(scripted, "/console?room=stage")).page
    overlay = (await open_tab(scripted, "/rooms/stage/overlay")).page
    await expect(overlay.locator(".line").first).to_be_visible()
    await console.click("#hide")
    await expect(console.locator("#hide")).to_have_attribute("aria-pressed", "true")
    await expect(overlay.locator(".line").first).not_to_be_visible()
    await console.click("#hide")
    await expect(overlay.locator(".line").first).to_be_visible()


@pytest.mark.parametrize("viewport", [BIG, PHONE, NARROW], ids=["big", "phone", "narrow"])
async def test_the_console_is_in_nobodys_way(
    scripted: RunningServer, open_tab: Open, viewport: dict[str, int]
) -> None:
    """axe-core has no objection: empty, with text, while a line is corrected; nothing is cut."""
    page = (await open_tab(scripted, "/console", viewport=viewport, reduced_motion="reduce")).page
    assert await violations(page) == []
    await play(scripted, f"w{viewport['width']}")
    await page.click(f'[data-room="w{viewport["width"]}"] .open')
    await expect(page.locator("#lines .row").first).to_be_visible()
    await type_over(page, 0, "quite another word")
    assert await violations(page) == []
    await page.keyboard.press("Enter")
    await expect(page.locator("#note")).to_have_text("Saved.")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
