"""How people get in: `parola token`, links, the page that asks for a token, and TLS."""

import asyncio
import io
import re
import ssl
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import expect
from websockets.asyncio.client import connect

from parola import cli
from parola.transcribe_api.dev_ca import dev_certificate
from tests import browser
from tests.browser import PHONE, Open
from tests.closed import PROXY, Closed, closed
from tests.servers import RunningServer, serving
from tests.system.talks import until
from tests.system.test_reading_pages import violations

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    with closed(tmp_path_factory.mktemp("entering")) as one:
        yield one


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Awaitable[Ran]]


@pytest.fixture
def parola(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command as its program does, in a thread: a process for each would take seconds."""

    async def ran(*arguments: str) -> Ran:
        code = await asyncio.to_thread(cli.run, arguments)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return ran


async def test_a_token_is_given_used_and_taken_back(house: Closed, parola: Run) -> None:
    """The printed link opens its room and no other, until it is revoked; a phone can take it."""
    data = ("--data", str(house.server.data))
    who = ("--room", "Sala à", "--role", "read", "--holder", "Ada", "--for", "30m")
    made = await parola("token", *who, "--server", house.server.url, "--qr", *data)
    assert made.code == 0, made.err
    link = made.out.strip()
    assert link.startswith(f"{house.server.url}/enter?token=")
    assert "▀" in made.err or "█" in made.err
    about = made.err.splitlines()[-1]
    token_id = re.match(r"([0-9a-f]{12})  Ada: read in 'Sala à' until ", about)
    assert token_id, about
    async with httpx.AsyncClient(follow_redirects=True) as visitor:
        opened = await visitor.get(link)
        assert (opened.status_code, urlsplit(str(opened.url)).path) == (200, "/rooms/Sala%20%C3%A0")
        assert (await visitor.get(f"{house.server.url}/rooms/other")).status_code == 403
        listed = await parola("token", "--list", *data)
        assert about in listed.out.splitlines()
        back = await parola("token", "--revoke", token_id[1], *data)
        assert back.code == 0

        async def is_out() -> bool:
            return (await visitor.get(f"{house.server.url}/rooms/Sala%20%C3%A0")).status_code == 401

        await until(is_out)
    unknown = await parola("token", "--revoke", "0" * 12, *data)
    assert (unknown.code, unknown.err.count("\n")) == (2, 1)
    no_link = await parola("token", "--qr", *data)
    assert (no_link.code, "--server" in no_link.err) == (2, True)


async def test_commands_carry_a_token_in_the_address(
    house: Closed, tmp_path: Path, parola: Run
) -> None:
    """`parola terms` and `parola export` get in by it, and never print it when they do not."""
    token = await house.token("operate", room="told")
    at = urlsplit(house.server.url).netloc
    names = tmp_path / "names.txt"
    names.write_text("Nuoro\n")

    to = ("--server", f"ws://user:{token}@{at}")
    told = await parola("terms", "told", "--phrases", str(names), *to)
    assert told.out.startswith("told knows 1 phrases"), told.err
    exported = await parola("export", "told", *to)
    assert "There is no transcript for 'told' yet." in exported.err
    refused = await parola("export", "other", *to)
    assert (refused.code, "does not let you read" in refused.err) == (2, True)
    gone = await parola("export", "told", "--server", f"ws://u:{token}@127.0.0.1:1")
    assert gone.code == 1
    for answer in (exported, refused, gone):
        assert token not in answer.err


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_that_asks_for_a_token(house: Closed, open_tab: Open) -> None:
    """It has nothing axe-core objects to, works by keyboard alone, and leads on with a good one."""
    tab = await open_tab(house.server, "/enter", viewport=PHONE)
    tab.refusals |= {401}
    page = tab.page
    assert await violations(page) == []
    await page.keyboard.press("Tab")
    await expect(page.locator("#token")).to_be_focused()
    await page.keyboard.type("wrong")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_be_visible()
    await page.goto(f"{house.server.url}/rooms/hall")
    await expect(page.locator("#token")).to_be_visible()
    assert await violations(page) == []
    await page.fill("#token", await house.token("read", "speak", room="hall"))
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("body")).to_have_attribute("data-link", "open")
    assert urlsplit(page.url).path == "/rooms/hall"
    assert "token" not in page.url
    # The microphone page's socket is let in by the same cookie.
    await page.goto(f"{house.server.url}/rooms/hall/mic")
    ready = await page.evaluate(
        """(session) => new Promise((resolve, reject) => {
          const socket = new WebSocket(`ws://${location.host}/ws/audio/hall`);
          const start = { type: "start", session, language: "en-US", rate: 16000, position: 0 };
          socket.onopen = () => socket.send(JSON.stringify(start));
          socket.onmessage = ({ data }) => resolve(JSON.parse(data).type);
          socket.onerror = reject;
        })""",
        "7f0c5a52-30a5-4e0f-a9d4-0a52b1a6f2ce",
    )
    assert ready == "ready"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, Path]]:
    """A server that speaks TLS, and the file of the authority that signed for it."""
    folder = tmp_path_factory.mktemp("tls")
    authority, certificate = dev_certificate(folder / "ca", datetime.now(UTC))
    files = ("--tls-cert", str(certificate.chain), "--tls-key", str(certificate.key))
    with serving(folder / "data", "--engine", "scripted", *PROXY, *files) as server:
        yield server, authority


async def test_tls_is_spoken_and_nothing_else(secure: tuple[RunningServer, Path]) -> None:
    """A real handshake, checked against the authority; pages, sockets and safe cookies over it."""
    server, authority = secure
    assert server.url.startswith("https://")
    trust = ssl.create_default_context(cafile=authority)
    token = await Closed(server).token("read", room="hall")
    async with httpx.AsyncClient(base_url=server.url, verify=trust) as client:
        assert (await client.get("/healthz")).text == "ok\n"
        entered = await client.get(f"/enter?token={token}")
        assert "secure" in entered.headers["set-cookie"].lower()
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(base_url=server.url) as stranger:
            await stranger.get("/healthz")
    url = f"{server.ws}/ws/transcript/hall?token={token}"
    async with connect(url, ssl=trust, proxy=None) as viewer:
        version = viewer.transport.get_extra_info("ssl_object").version()
        assert version in {"TLSv1.2", "TLSv1.3"}
    with pytest.raises(httpx.RemoteProtocolError):
        async with httpx.AsyncClient() as plain:
            await plain.get(server.url.replace("https", "http", 1) + "/healthz")
    log = io.StringIO((server.data.parent / "server.log").read_text())
    assert token not in log.getvalue()
