"""What the guard does with words, as people get to see it: withheld, or shown as doubtful."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.async_api import expect

from parola.domain.log import Entry, Withheld
from parola.domain.transcript import Segment, Word
from parola.stores.sqlite import open_sqlite_log
from tests import browser
from tests.browser import Open
from tests.servers import RunningServer, serving
from tests.system.test_reading_pages import violations

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name

SAID = Segment(
    "talk",
    1,
    "good mourning",
    0,
    24_000,
    True,
    "en-US",
    (Word("good", 0, 12_000, 0.9), Word("mourning", 12_000, 24_000, 0.3, doubtful=True)),
)
INVENTED = Withheld("talk", "thank you for watching", 32_000, 48_000, "no speech", 3.1, "hostile")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that finds a talk in its log: a doubtful word, and a sentence withheld."""
    data = tmp_path_factory.mktemp("kept") / "data"

    async def keep() -> None:
        async with open_sqlite_log(data) as log:
            now_ms = time.time_ns() // 1_000_000
            await log.append(
                [Entry("sala", 1, now_ms, SAID), Entry("sala", 2, now_ms + 1, INVENTED)]
            )

    asyncio.run(keep())
    with serving(data, "--engine", "scripted") as running:
        yield running


def test_an_operator_can_look_at_what_was_withheld(server: RunningServer) -> None:
    """With its time, its evidence and the reason; no transcript and no other room has it."""
    with httpx.Client(base_url=server.url) as http:
        kept = http.get("/api/rooms/sala/withheld").raise_for_status().json()
        assert kept.pop("room") == "sala"
        (entry,) = kept["withheld"]
        assert entry.pop("at").endswith("Z")
        assert entry == {
            "seq": 2,
            "session": "talk",
            "text": "thank you for watching",
            "start_s": 2.0,
            "end_s": 3.0,
            "reason": "no speech",
            "strength": 3.1,
            "engine": "hostile",
        }
        for form in ("txt", "srt", "vtt", "json"):
            written = http.get(f"/api/rooms/sala/transcript.{form}").raise_for_status().text
            assert "mourning" in written
            assert "watching" not in written
        assert http.get("/api/rooms/aula/withheld").json() == {"room": "aula", "withheld": []}


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_doubtful_word_is_shown_and_marked(server: RunningServer, open_tab: Open) -> None:
    """It was said, so it is readable; readers see that it may have been another word."""
    page = (await open_tab(server, "/rooms/sala")).page
    await expect(page.locator(".line")).to_have_text("good mourning")
    await expect(page.locator(".doubtful")).to_have_text("mourning")
    await expect(page.locator(".doubtful")).not_to_have_css("text-decoration-line", "none")


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_the_console_shows_what_was_withheld(server: RunningServer, open_tab: Open) -> None:
    """An operator sees the words and the reason; nothing is asked for before that."""
    tab = await open_tab(server, "/console?room=sala")
    page = tab.page
    await expect(page.locator("#lines .row")).to_have_count(1)
    assert not [url for url in tab.requests if url.endswith("/withheld")]
    await page.click("#withheld-box summary")
    await expect(page.locator("#withheld li")).to_contain_text("thank you for watching")
    await expect(page.locator("#withheld li")).to_contain_text("no speech under it")
    assert await violations(page) == []
