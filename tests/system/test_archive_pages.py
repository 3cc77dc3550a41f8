"""The archive in a real Chromium: what was said is found again, as it reads now."""

import httpx
import pytest
from playwright.async_api import expect

from tests import browser
from tests.browser import PHONE, Open
from tests.servers import RunningServer
from tests.system.test_reading_pages import violations

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name


async def lines_of(server: RunningServer, room: str) -> list[dict[str, object]]:
    """Play the sample as fast as can be, and return its lines."""
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        assert (await client.post(f"/api/rooms/{room}/sample")).is_success
        while True:
            answer = await client.get(f"/api/rooms/{room}/transcript.json")
            if answer.is_success and (sessions := answer.json()["sessions"]):
                segments: list[dict[str, object]] = sessions[0]["segments"]
                if len(segments) >= 2:
                    await client.delete(f"/api/rooms/{room}/playback")
                    return segments


async def test_a_corrected_talk_is_found_and_read_again(
    scripted: RunningServer, open_tab: Open
) -> None:
    """New words are found and lead to their line; old and struck ones are not found any more."""
    first, second, *_ = await lines_of(scripted, "hall")
    async with httpx.AsyncClient(base_url=scripted.url) as client:
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

    page = (await open_tab(scripted, "/archive", viewport=PHONE)).page
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
    await expect(page.locator("#lines")).not_to_contain_text(str(second["text"]))
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    links = await page.locator("#files a").all_inner_texts()
    assert links == [".srt", ".vtt", ".txt", ".json"]
