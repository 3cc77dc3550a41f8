"""The display page in a real Chromium: one room's captions, for the last row of a hall."""

import asyncio
import socket
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.async_api import Page, Route, expect
from websockets.asyncio.client import connect

from parola.domain.vocabulary import ROOM_STATES
from tests import browser
from tests.browser import Open, wait_for_words, words_on
from tests.servers import RunningServer, serving
from tests.speakers import Source, speak
from tests.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def test_stable_words_by_default_and_guesses_in_grey_for_who_asks(
    scripted: RunningServer, open_tab: Open
) -> None:
    """Whoever did not ask for guesses is never shown one; who did sees it in readable grey."""
    stages = Stage(), Stage()
    plain = (await open_tab(scripted, "/rooms/hall", stages[0].take)).page
    eager = (await open_tab(scripted, "/rooms/hall?partial=true", stages[1].take)).page
    for stage, page in zip(stages, (plain, eager), strict=True):
        await expect(page.locator("body")).to_have_attribute("data-link", "open")
        stage.partial(1, "good morning everybody", stable=2)
        await wait_for_words(page, ["good", "morning"])
    await expect(eager.locator(".partial")).to_have_text("everybody")
    await expect(eager.locator(".partial")).to_have_css("color", "rgb(168, 168, 168)")
    await expect(eager.locator(".line")).to_have_css("color", "rgb(255, 255, 255)")
    assert await plain.locator(".partial").count() == 0
    stages[0].final(1, "Good morning, everyone.")
    stages[1].final(1, "Good morning, everyone.")
    for page in (plain, eager):
        await wait_for_words(page, ["good", "morning", "everyone."])
        await expect(page.locator("#credit")).to_have_text("automatic · stage")
    assert await eager.locator(".partial").count() == 0


async def test_words_come_before_their_sentence_is_over(
    scripted: RunningServer, open_tab: Open
) -> None:
    """What an engine promises to keep is painted at once, in each of two talks."""
    page = (await open_tab(scripted, "/rooms/again")).page
    await speak(scripted, "again", 5)
    await wait_for_words(page, range(5))
    source = Source("again")
    async with source.connected(scripted) as socket:
        await source.say(socket, 7)
        await wait_for_words(page, [*range(5), *range(7)])
        await expect(page.locator("#status")).to_have_text("Listening")
        await source.end(socket)
    await expect(page.locator("#status")).to_have_text("No source connected")
    await expect(page.locator(".line")).to_have_text(["0 1 2 3 4", "0 1 2 3 4 5 6"])


async def test_a_late_viewer_sees_what_was_said(scripted: RunningServer, open_tab: Open) -> None:
    """Who opens the pages after two talks reads both, and sees where the second began."""
    await speak(scripted, "late", 25)
    await speak(scripted, "late", 7)
    screen = (await open_tab(scripted, "/rooms/late")).page
    phone = (await open_tab(scripted, "/p/late", viewport=browser.PHONE)).page
    for page in (screen, phone):
        await wait_for_words(page, [*range(25), *range(7)])
    await expect(screen.locator(".line").last).to_have_text("0 1 2 3 4 5 6")
    await expect(phone.locator("[data-opens]")).to_have_text("0 1 2 3 4 5 6")


async def test_a_killed_server_costs_the_viewer_nothing(tmp_path: Path, open_tab: Open) -> None:
    """SIGKILL in mid-talk, twice: the open page comes back by itself, without a gap or a double."""
    options = ("--engine", "scripted", "--port", str(free_port()))
    source = Source("hall")
    with serving(tmp_path / "data", *options) as server:
        tab = await open_tab(server, "/p/hall?guess=on")
        tab.may_break = True
        await talk_until_killed(server, source, tab.page, shown=50)
    await expect(tab.page.locator("#status")).to_have_text("Reconnecting… nothing is lost.")
    with serving(tmp_path / "data", *options) as server:
        await expect(tab.page.locator("body")).to_have_attribute("data-link", "open")
        await talk_until_killed(server, source, tab.page, shown=120)
    with serving(tmp_path / "data", *options) as server, httpx.Client(base_url=server.url) as http:
        async with source.connected(server) as socket:
            await source.say(socket, 250)
            await source.end(socket)
        await wait_for_words(tab.page, range(250))
        await expect(tab.page.locator("#status")).to_have_text("No source connected")
        assert http.get("/api/rooms/hall/transcript.txt").text.count(" 249") == 1


async def talk_until_killed(server: RunningServer, source: Source, page: Page, shown: int) -> None:
    """Kill the server when the page shows so many numbers and more are on their way."""
    async with source.connected(server) as socket, asyncio.TaskGroup() as tasks:
        tasks.create_task(source.hear_acks(socket))
        await source.say(socket, shown + 7)
        await expect(page.locator("#captions")).to_contain_text(f" {shown - 1}")
        await source.say(socket, shown + 37)
        server.kill()


async def test_a_slow_network_shows_that_it_is_connecting(
    scripted: RunningServer, open_tab: Open
) -> None:
    """Until the connection stands the page says so; then it says that it waits for speech."""
    said = []

    async def slow(page: Page) -> None:
        async def answer(route: Route) -> None:
            said.append(await page.locator("#quiet-large").text_content())
            said.append(await page.locator("#status").text_content())
            await route.continue_()

        await page.route("**/static/display.js", answer)

    page = (await open_tab(scripted, "/rooms/empty", slow)).page
    await expect(page.locator("#quiet-large")).to_have_text("Waiting for speech")
    await expect(page.locator("#status")).to_have_text("No source connected")
    assert said == ["Connecting…", "Connecting…"]


async def test_the_page_says_what_the_room_is_doing(real: RunningServer, open_tab: Open) -> None:
    """A silent source is waited for; a language nobody knows is said in the server's words."""
    page = (await open_tab(real, "/sala/hall")).page
    await expect(page.locator("#quiet-hint")).to_have_text(
        "No microphone or file is connected to this room yet."
    )
    async with connect(f"{real.ws}/ws/audio/hall?lang=en-US") as socket:
        await socket.send(bytes(3200))
        await expect(page.locator("#quiet-hint")).to_have_text("A source is connected.")
        await expect(page.locator("#status")).to_have_text("Waiting for speech")
    await expect(page.locator("#status")).to_have_text("No source connected")
    async with connect(f"{real.ws}/ws/audio/hall?lang=it-IT") as socket:
        await socket.send(bytes(3200))
        await expect(page.locator("#quiet-large")).to_have_text("Captions are not available")
        await expect(page.locator("#status")).to_have_text("Recognition failed")
        await expect(page.locator("#error")).to_contain_text("No engine here knows it-IT")
    assert await words_on(page) == []


async def test_every_state_has_words_for_people(scripted: RunningServer, open_tab: Open) -> None:
    """No reader is shown a word of the protocol; what is wrong comes with its reason."""
    stage = Stage()
    page = (await open_tab(scripted, "/rooms/hall", stage.take)).page
    assert ROOM_STATES.keys() >= {"failed", "unsaved"}
    for state in ROOM_STATES:
        stage.state(state, detail="The disk is full.")
        await expect(page.locator("body")).to_have_attribute("data-state", state)
        shown = await page.locator("#status").text_content()
        assert shown not in {None, "", state}
        if state in {"failed", "unsaved"}:
            await expect(page.locator("#error")).to_have_text(f"{shown}. The disk is full.")
        else:
            await expect(page.locator("#error")).to_be_hidden()
    await stage.socket.close(code=1008, reason="The room is closed for today.")
    await expect(page.locator("#error")).to_have_text("The room is closed for today.")
    await expect(page.locator("#quiet-large")).to_have_text("This room cannot be shown")
    assert len(stage.sockets) == 1


@pytest.mark.parametrize(
    ("folder", "room"),
    [
        ("sala", '"><script>alert(0)<'),
        ("sala", "'-alert(1)-'"),
        ("rooms", '"><script>alert(1)<'),
        ("rooms", "<img src=x onerror=alert(1)>"),
        ("rooms", "javascript:alert(1)"),
        ("rooms", "${alert(1)}{{alert(1)}}"),
        ("rooms", "a&lt;b%41?partial=true#c"),
        ("rooms", "Aula Magna – città 🎤"),
    ],
)
async def test_a_hostile_room_name_is_only_text(
    scripted: RunningServer, open_tab: Open, folder: str, room: str
) -> None:
    """Whatever a room is called, its page shows that name, runs nothing of it, and works."""
    page = (await open_tab(scripted, f"/{folder}/{quote(room, safe='')}")).page
    await expect(page.locator("body")).to_have_attribute("data-link", "open")
    assert await page.evaluate("document.scripts.length") == 1
    assert await page.locator("img:not(#qr-code)").count() == 0
    assert await page.locator("#room-name").text_content() == room
    assert await page.title() == f"{room} – Parola"
    rooms = httpx.get(f"{scripted.url}/api/rooms").json()["rooms"]
    assert room in [known["name"] for known in rooms if known["viewers"]]
    await speak(scripted, room, 3)
    await wait_for_words(page, range(3))


async def test_captions_are_only_text(scripted: RunningServer, open_tab: Open) -> None:
    """Markup in what an engine wrote, or in a speaker's name, is shown letter by letter."""
    stage = Stage()
    page = (await open_tab(scripted, "/rooms/hall?partial=true", stage.take)).page
    await expect(page.locator("body")).to_have_attribute("data-link", "open")
    stage.tell_the_past()
    markup = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    stage.final(1, markup, speaker=markup)
    stage.partial(2, markup)
    await expect(page.locator(".lines")).to_contain_text("<img")
    shown = "".join(f"{markup}: {markup}".split())
    lines = await page.locator(".line").all_text_contents()
    assert "".join("".join(lines).split()).endswith(shown[-60:])
    await expect(page.locator(".partial").last).to_contain_text("</script>")
    assert await page.locator("img:not(#qr-code)").count() == 0


async def test_the_older_address_shows_the_same_page(
    scripted: RunningServer, open_tab: Open
) -> None:
    """`/sala/{room}` is the display page, and `/api/sale` counts it as a display."""
    old, new = (
        httpx.get(f"{scripted.url}/{folder}/Sala%20Grande").text for folder in ("sala", "rooms")
    )
    assert old == new
    tab = await open_tab(scripted, "/sala/Sala%20Grande?partial=1")
    await expect(tab.page.locator("body")).to_have_attribute("data-link", "open")
    assert httpx.get(f"{scripted.url}/api/sale").json()["sale"] == ["Sala Grande"]
