"""How a talk sounds, from a voice to the API and the pages, in a real Chromium."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.async_api import expect

from tests import browser
from tests.browser import PHONE, Open
from tests.servers import RunningServer
from tests.system.test_archive_pages import lines_of
from tests.system.test_reading_pages import violations
from tests.system.web_app import web_app
from tests.unit.docs.reference import examples, page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name

PRAISE = "Thank you, that was a wonderful and useful talk"
BLAME = "The microphone does not work again, this is a terrible disaster"


async def mood(
    client: httpx.AsyncClient, room: str, until: Callable[[dict[str, Any]], object]
) -> dict[str, Any]:
    """Return the room's mood once it is as it should be."""
    while True:
        found: dict[str, Any] = (await client.get(f"/api/rooms/{room}/mood?lines=true")).json()
        if until(found):
            return found
        await asyncio.sleep(0.05)


async def correct(client: httpx.AsyncClient, room: str, line: dict[str, object], text: str) -> None:
    """Put a person's words in a line's place, which an engine of numbers and verse cannot say."""
    path = f"/api/rooms/{room}/lines/{line['seq']}"
    now = (await client.get(path)).json()
    answer = await client.put(path, json={"text": text, "made_on": now["version"]})
    assert answer.is_success, answer.text


async def test_a_talk_is_read_as_it_reads_now(scripted: RunningServer) -> None:
    """Finals are read, corrections count, what is struck does not; the reading outlives nothing."""
    first, second, *_ = await lines_of(scripted, "hall")
    async with httpx.AsyncClient(base_url=scripted.url, timeout=20) as client:
        found = await mood(client, "hall", lambda m: m["read"] >= 2)
        assert (found["read_by"], found["failure"]) == ("local", None)
        (example,) = examples(page("mood.md"), "mood")
        assert found.keys() == example.keys()
        assert found["lines"][0].keys() == example["lines"][0].keys()
        assert found["curve"][0].keys() == example["curve"][0].keys()
        await correct(client, "hall", first, PRAISE)
        found = await mood(client, "hall", lambda m: m["lines"][0]["intent"] == "thanks")
        assert found["lines"][0]["label"] == "positive"
        await correct(client, "hall", second, BLAME)
        found = await mood(client, "hall", lambda m: m["lines"][1]["label"] == "negative")
        assert found["lines"][1]["intent"] == "complaint"
        before = found["read"]
        path = f"/api/rooms/hall/lines/{first['seq']}"
        version = (await client.get(path)).json()["version"]
        assert (await client.post(f"{path}/strike", json={"made_on": version})).is_success
        found = await mood(client, "hall", lambda m: m["read"] == before - 1)
        assert first["seq"] not in [line["seq"] for line in found["lines"]]
        assert "parola_mood_failing 0.0" in (await client.get("/metrics")).text


async def test_a_call_is_told_how_it_sounds(scripted: RunningServer) -> None:
    """The conversation's socket has it beside the window."""
    first, *_ = await lines_of(scripted, "call")
    async with httpx.AsyncClient(base_url=scripted.url, timeout=20) as client:
        await correct(client, "call", first, PRAISE)
        await mood(client, "call", lambda m: m["lines"][0]["intent"] == "thanks")
        async with web_app(scripted, "call") as app:
            await app.window()
            told = await app.other()
            assert told["type"] == "mood"
            assert told["value"]["label"] in {"positive", "neutral"}
            assert set(told["value"]) == {"score", "label", "intent"}


async def test_readers_and_operators_see_a_quiet_mark(
    scripted: RunningServer, open_tab: Open
) -> None:
    """A word with a sign on phone and console, a curve in the talk.

    A reader who did not ask for it sees nothing of it, and asks nothing.
    """
    first, *_ = await lines_of(scripted, "studio")
    async with httpx.AsyncClient(base_url=scripted.url, timeout=20) as client:
        await correct(client, "studio", first, PRAISE)
        await mood(client, "studio", lambda m: m["score"] > 0.05)
    plain = await open_tab(scripted, "/p/studio", viewport=PHONE, locale="en-GB")
    phone = (await open_tab(scripted, "/p/studio?mood=on", viewport=PHONE, locale="it-IT")).page
    await expect(phone.locator("#mood")).to_have_text("▲ positivo")
    assert await violations(phone) == []
    await expect(plain.page.locator("#captions .final").first).to_be_visible()
    await expect(plain.page.locator("#mood")).to_be_hidden()
    assert not [address for address in plain.requests if address.endswith("/mood")]

    console = (await open_tab(scripted, "/console")).page
    card = console.locator('.card[data-room="studio"]')
    await expect(card.locator(".mood")).to_contain_text("▲ positive")
    assert await violations(console) == []

    talk = (await open_tab(scripted, "/archive/studio", viewport=PHONE)).page
    await expect(talk.locator("#mood svg rect")).to_have_count(1)
    await expect(talk.locator("#mood figcaption")).to_contain_text("1 of 1 stretches positive")
    assert await violations(talk) == []
