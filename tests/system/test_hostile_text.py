"""Whatever people write into names and texts is text on every page, and never markup."""

from urllib.parse import quote, urlencode

import httpx
import pytest
from playwright.async_api import expect
from websockets.asyncio.client import connect

from parola.engines.scripted import marked_audio
from tests import browser
from tests.browser import Open
from tests.servers import RunningServer
from tests.system.talks import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name

EVIL = """x'"><img src=x onerror="window.ran=1"><svg onload='window.ran=1'>{{7*7}}${7*7}"""


async def test_markup_is_text_on_every_page(scripted: RunningServer, open_tab: Open) -> None:
    """As a room's, a speaker's and an operator's name, as text, rule and word: nothing runs."""
    room, path = EVIL[:100], quote(EVIL[:100], safe="")
    query = urlencode({"sampleRate": 16000, "callId": room, "username": EVIL})
    async with connect(f"{scripted.ws}/api/stt/transcribe?{query}") as socket:
        await socket.send(marked_audio(range(30)))
    async with httpx.AsyncClient(base_url=scripted.url) as client:

        async def lines() -> list[int]:
            answer = await client.get(f"/api/rooms/{path}/transcript.json")
            sessions = answer.json().get("sessions", [])
            return [segment["seq"] for one in sessions for segment in one["segments"]]

        await until(lines)
        (seq, *_) = await lines()
        line = {"text": EVIL, "made_on": seq}
        by = {"x-operator": EVIL}
        url = f"/api/rooms/{path}/lines/{seq}"
        assert (await client.put(url, json=line, headers=by)).is_success
        rules = {"replacements": [{"heard": EVIL, "shown": EVIL}], "blocked": [EVIL]}
        assert (await client.put(f"/api/rooms/{path}/settings", json=rules)).is_success
        language = {"language": '"><script>'}
        refused = await client.put(f"/api/rooms/{path}/settings", json=language)
        assert refused.json()["code"] == "bad_language"
    tab = await open_tab(scripted, "/")
    tab.may_break = True  # Leaving a page breaks off what it asks.
    page = tab.page
    seen = {
        "/": "#rooms .name",
        f"/rooms/{path}": ".lines",  # the evil line may have rolled away by then
        f"/rooms/{path}?with={path}": ".pane-room",
        f"/p/{path}": ".final",
        f"/rooms/{path}/overlay": ".lines",
        f"/rooms/{path}/mic": "#messages",
        f"/console?room={path}": "#rules li",
        "/archive?q=onerror": "#found .hit",
        f"/archive/{path}": "#lines .said",
    }
    for address, place in seen.items():
        await page.goto(scripted.url + address)
        text = "28 29" if place in {".lines", "#messages"} else "ran=1"
        await expect(page.locator(place).first).to_contain_text(text)
        assert await page.evaluate("window.ran") is None, address
        assert await page.locator("img[src=x]").count() == 0, address
        assert "49" not in await page.locator("h1").all_inner_texts()
