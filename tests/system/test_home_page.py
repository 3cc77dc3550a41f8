"""The home page in a real Chromium: play something into a room, and see what the rooms do."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

import parola
from tests import browser
from tests.audio_files import audio_file, garbage, tone, wav
from tests.browser import PHONE, Open
from tests.servers import RunningServer, serving
from tests.speakers import Source, speak

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name

TALK = (Path(parola.__file__).parent / "samples" / "talk.txt").read_text()


def words(text: str) -> list[str]:
    """Return the words in lower case, without punctuation."""
    return re.findall(r"[a-z']+", text.lower())


def row(page: Page, room: str) -> Locator:
    """Return the room's row in the list."""
    return page.locator(f'#rooms [data-room="{room}"]')


async def choose(page: Page, name: str, content: bytes) -> None:
    """Choose a file in the dialog of the page's button."""
    async with page.expect_file_chooser() as choosing:
        await page.click("#choose")
    chooser = await choosing.value
    await chooser.set_files({"name": name, "mimeType": "", "buffer": content})


async def drop(page: Page, *files: tuple[str, bytes]) -> None:
    """Drop files on the card, as a hand with a mouse would."""
    carried = await page.evaluate_handle(
        """(files) => {
          const carried = new DataTransfer();
          for (const [name, content] of files)
            carried.items.add(new File([new Uint8Array(content)], name));
          return carried;
        }""",
        [[name, list(content)] for name, content in files],
    )
    for event in ("dragenter", "dragover", "drop"):
        await page.dispatch_event("#controls", event, {"dataTransfer": carried})


def kept_by(server: RunningServer) -> list[str]:
    """Return the names of the uploads that the server keeps."""
    return [path.name for path in (server.data / "uploads").rglob("*") if path.is_file()]


async def test_the_sample_talk_becomes_captions(real: RunningServer, open_tab: Open) -> None:
    """One click: the sample's own words appear in the preview and on the big screen; Stop stops."""
    home = (await open_tab(real)).page
    await expect(home.locator("#engine-note")).to_contain_text("pocketsphinx")
    await home.click("#play-sample")
    await expect(home.locator("#playing-text")).to_contain_text(
        re.compile(r"Playing sample talk, 0:\d\d / 0:41")
    )
    async with home.context.expect_page() as opening:
        await home.click("#big-screen")
    screen = await opening.value
    await expect(screen).to_have_url(f"{real.url}/rooms/main")
    await expect(home.locator(".final").nth(2)).to_be_visible()
    await expect(screen.locator(".line").nth(1)).to_be_visible()
    await expect(home.locator("#preview-status")).to_have_text("Listening")
    await expect(row(home, "main").locator(".words")).to_have_text("Playing sample talk")
    said = words(" ".join(await screen.locator(".line").all_text_contents()))
    right = [word for word in said if word in words(TALK)]
    assert len(right) >= 8
    assert len(right) >= len(said) / 2

    await home.click("#stop")
    await expect(home.locator("#playing")).to_be_hidden()
    await expect(screen.locator("#status")).to_have_text("No source connected")
    await expect(row(home, "main").locator(".words")).to_have_text("No source connected")
    finals = await home.locator("#captions .final").all_text_contents()
    assert " ".join(finals).endswith(await screen.locator(".line").last.inner_text())
    await check_downloads(home, "main", finals)


async def check_downloads(page: Page, room: str, finals: list[str]) -> None:
    """Follow the links to a room's transcript: each file holds what the screen shows."""
    links = row(page, room).locator(".files a")
    await expect(links).to_have_text([".txt", ".srt", ".vtt", ".json"])
    for link in await links.all():
        answer = await page.request.get(str(await link.evaluate("(link) => link.href")))
        assert answer.ok
        flat = " ".join((await answer.text()).split())
        assert all(final in flat for final in finals)


async def test_a_chosen_file_plays_into_the_room(scripted: RunningServer, open_tab: Open) -> None:
    """A recording from the disk is sent, played at its own speed, and its text appears."""
    page = (await open_tab(scripted)).page
    await page.fill("#room", "Sala B")
    await choose(page, "my talk.m4a", audio_file("m4a", tone(3.0)))
    await expect(page.locator("#playing-text")).to_contain_text("Playing my talk")
    await expect(page.locator("#preview-room")).to_have_text("Sala B")
    await expect(page.locator("#captions .final").first).to_have_text(
        re.compile("^word for word the")
    )
    await expect(page.locator("#playing")).to_be_hidden()
    await expect(page.locator("#error")).to_be_hidden()


async def test_a_dropped_file_plays_and_a_tone_has_no_words(
    real: RunningServer, open_tab: Open
) -> None:
    """A file dropped on the card plays to its end; where nobody speaks, no word appears."""
    page = (await open_tab(real)).page
    await page.fill("#room", "tone")
    await drop(page, ("tone.wav", wav(tone(1.0))))
    await expect(page.locator("#playing-text")).to_contain_text("Playing tone.wav, 0:0")
    await expect(page.locator("#playing")).to_be_hidden()
    await expect(row(page, "tone").locator(".words")).to_have_text("No source connected")
    assert await page.locator("#captions .final").count() == 0


async def test_a_phone_shows_what_it_plays(scripted: RunningServer, open_tab: Open) -> None:
    """On a small screen one touch brings the captions into view, and Stop stays at hand."""
    phone = await open_tab(scripted, viewport=PHONE, is_mobile=True, has_touch=True)
    await phone.page.fill("#room", "pocket")
    await phone.page.tap("#play-sample")
    await expect(phone.page.locator("#captions .final").last).to_be_in_viewport(ratio=1)
    await expect(phone.page.locator("#preview")).to_be_in_viewport(ratio=0.95)
    await expect(phone.page.locator("#stop")).to_be_in_viewport(ratio=0.95)
    await phone.page.tap("#stop")
    await expect(phone.page.locator("#playing")).to_be_hidden()


async def test_two_files_at_once_are_too_many(scripted: RunningServer, open_tab: Open) -> None:
    """Whoever drops two files is told so, and neither of them is sent."""
    tab = await open_tab(scripted)
    await drop(tab.page, ("a.wav", wav(tone(0.1))), ("b.wav", wav(tone(0.1))))
    await expect(tab.page.locator("#error")).to_have_text(
        "Please drop one audio or video file at a time."
    )
    assert not [url for url in tab.requests if "/files" in url]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("talk.wav", garbage(50_000), "This is not a sound or video file that can be read"),
        ("letter.pdf", b"%PDF-1.7 " * 500, "This is not a sound or video file that can be read"),
        ("talk.mp3", b"", "talk.mp3 is empty, or a folder."),
    ],
)
async def test_a_file_that_is_no_audio_is_refused_in_words(
    real: RunningServer, open_tab: Open, name: str, content: bytes, sentence: str
) -> None:
    """The visitor reads the server's own sentence; nothing plays, nothing is kept."""
    tab = await open_tab(real)
    tab.refusals = {415}
    await tab.page.fill("#room", "nothing")
    kept = kept_by(real)
    await choose(tab.page, name, content)
    await expect(tab.page.locator("#error")).to_contain_text(sentence)
    await expect(tab.page.locator("#upload")).to_be_hidden()
    await expect(tab.page.locator("#playing")).to_be_hidden()
    assert kept_by(real) == kept
    rooms = httpx.get(f"{real.url}/api/rooms").json()["rooms"]
    assert "nothing" not in [room["name"] for room in rooms]


@pytest.mark.parametrize(
    ("language", "status", "sentence"),
    [
        ("it-IT", 422, "No engine here knows it-IT"),
        ("xx-YY", 422, "No engine here knows xx-YY"),
        ("italiano", 400, "A language is written like it-IT or en-US."),
        ("", 0, "Please say the language of your file, such as en-US."),
    ],
)
async def test_a_language_that_cannot_be_had_is_said_in_words(
    real: RunningServer, open_tab: Open, language: str, status: int, sentence: str
) -> None:
    """A language without an engine, or that is none, is refused before the file is kept."""
    tab = await open_tab(real)
    tab.refusals = {status}
    await expect(tab.page.locator("#language")).to_have_value("en-US")
    await tab.page.fill("#language", language)
    kept = kept_by(real)
    await choose(tab.page, "tone.wav", wav(tone(0.5)))
    await expect(tab.page.locator("#error")).to_contain_text(sentence)
    assert kept_by(real) == kept


@pytest.mark.parametrize(
    ("room", "sentence"),
    [
        ("a\u200bb", "The room name holds a character that cannot be seen; please retype it."),
        ("a/b", "A room name cannot hold a slash or be only dots."),
        ("..", "A room name cannot hold a slash or be only dots."),
        ("", "Please name a room, for example main."),
    ],
)
async def test_a_bad_room_name_is_refused_in_words(
    scripted: RunningServer, open_tab: Open, room: str, sentence: str
) -> None:
    """A name that no room can have gets a sentence; a good one afterwards takes it away."""
    tab = await open_tab(scripted)
    tab.refusals = {400}
    await tab.page.fill("#room", room)
    await tab.page.click("#play-sample")
    await expect(tab.page.locator("#error")).to_have_text(sentence)
    await tab.page.fill("#room", "Aula 1")
    await tab.page.press("#room", "Tab")
    await expect(tab.page.locator("#error")).to_be_hidden()


async def test_a_busy_room_says_so(scripted: RunningServer, open_tab: Open) -> None:
    """A second talk is not mixed into the first: its player is told to take another room."""
    tab = await open_tab(scripted)
    tab.refusals = {409}
    await tab.page.fill("#room", "busy")
    source = Source("busy")
    async with source.connected(scripted) as socket:
        await source.say(socket, 20)
        await tab.page.click("#play-sample")
        await expect(tab.page.locator("#error")).to_contain_text(
            "Another source is speaking into 'busy'."
        )
        await source.end(socket)


async def test_the_list_follows_the_rooms(tmp_path: Path, open_tab: Open) -> None:
    """An empty house says so; a room that opens, fills and is read shows it, without a reload."""
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        tab = await open_tab(server)
        page = tab.page
        await expect(page.locator("#rooms-empty")).to_be_visible()
        await expect(page.locator("#rooms")).to_be_hidden()
        reader = await open_tab(server, "/rooms/hall")
        hall = row(page, "hall")
        await expect(hall.locator(".viewers")).to_have_text("1")
        await expect(hall.locator(".words")).to_have_text("No source connected")
        await expect(hall.locator(".files a").first).to_be_hidden()
        source = Source("hall")
        async with source.connected(server) as socket:
            await source.say(socket, 10)
            await expect(hall.locator(".words")).to_have_text("Listening")
            await expect(hall.locator(".language")).to_have_text("en-US")
            await expect(hall.locator(".files a").first).to_be_visible()
            await source.end(socket)
        await expect(hall.locator(".words")).to_have_text("No source connected")
        await expect(hall.locator(".last")).to_have_text(re.compile("now|ago"))
        await expect(page.locator("#rooms-empty")).to_be_hidden()
        tab.may_break = reader.may_break = True


async def test_a_server_that_is_gone_is_said_and_forgiven(tmp_path: Path, open_tab: Open) -> None:
    """The list says that it may be out of date, keeps its rows, and is up to date again after."""
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        port = server.url.rsplit(":", 1)[1]
        await speak(server, "hall", 10)
        tab = await open_tab(server)
        tab.may_break = True
        await expect(row(tab.page, "hall")).to_be_visible()
        server.kill()
        await expect(tab.page.locator("#rooms-note")).to_contain_text("cannot be reached")
        await expect(row(tab.page, "hall")).to_be_visible()
    with serving(tmp_path / "data", "--engine", "scripted", "--port", port):
        await expect(tab.page.locator("#rooms-note")).to_be_hidden()


async def test_hostile_names_are_only_text(scripted: RunningServer, open_tab: Open) -> None:
    """A room and a file that are called like markup are listed and played as they are called."""
    markup = '"><img src=x onerror=alert(1)>'
    await speak(scripted, markup, 3)
    page = (await open_tab(scripted)).page
    name = page.locator("#rooms .name", has_text=markup)
    await expect(name).to_have_text(markup)
    await page.fill("#room", "files")
    await choose(page, f"{markup}.wav", wav(tone(2.0)))
    await expect(page.locator("#playing-text")).to_contain_text("onerror=alert(1)")
    assert await page.locator("img").count() == 0
    await page.click("#stop")
    async with page.context.expect_page() as opening:
        await name.click(modifiers=["ControlOrMeta"])
    screen = await opening.value
    await expect(screen.locator("#room-name")).to_have_text(markup)
    await expect(screen.locator(".line")).to_have_text("0 1 2")


@pytest.mark.parametrize("viewport", [PHONE, {"width": 320, "height": 568}, browser.BIG])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_every_screen(
    scripted: RunningServer, open_tab: Open, viewport: dict[str, int], scheme: str
) -> None:
    """No size makes it scroll sideways, whatever a room is called."""
    await speak(scripted, "Sala" * 25, 30)
    page = (await open_tab(scripted, viewport=viewport, color_scheme=scheme)).page
    await page.fill("#room", "Sala" * 25)
    await page.press("#room", "Tab")
    await expect(page.locator("#captions .final").nth(2)).to_be_visible()
    await expect(row(page, "Sala" * 25)).to_be_visible()
    assert await page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
