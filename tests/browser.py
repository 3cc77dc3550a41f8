"""A real Chromium for tests, and pages in it whose every misdeed is written down."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    Response,
    WebSocket,
    async_playwright,
    expect,
)
from playwright.async_api import (
    TimeoutError as Timeout,
)

from tests.servers import RunningServer

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PATIENCE_MS = 20_000
"""How long a condition may take to come true on a busy machine."""

BIG = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 844}

REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  window.reportViolation(`${event.violatedDirective} refused ${event.blockedURI}`));
"""


class Tab:
    """A page in a window of its own. What no page of ours may do is in `faults`."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        """The server's host and port: whatever else the page asks is a fault."""
        self.faults: list[str] = []
        self.requests: list[str] = []
        """Every address that was asked, sockets too."""
        self.refusals: set[int] = set()
        """HTTP statuses that the test provokes."""
        self.may_break = False
        """Whether the test cuts connections, so that the browser may complain of failing ones."""

    async def watch(self) -> None:
        """Begin to write down what the page does, and every page that it opens."""
        window = self.page.context
        self.page.on("websocket", self._connected)
        window.on("page", lambda page: page.on("websocket", self._connected))
        window.on("request", lambda request: self._asked(request.url))
        window.on("requestfailed", self._failed)
        window.on("response", self._answered)
        window.on("console", self._logged)
        window.on("weberror", lambda error: self.faults.append(f"threw {error.error}"))
        window.on("dialog", self._opened_dialog)
        await window.expose_function(
            "reportViolation", lambda what: self.faults.append(f"the policy's {what}")
        )
        await window.add_init_script(REPORT_VIOLATIONS)

    def _connected(self, socket: WebSocket) -> None:
        self._asked(socket.url)

    def _asked(self, url: str) -> None:
        self.requests.append(url)
        address = urlsplit(url)
        if address.scheme not in {"data", "blob"} and address.netloc != self.origin:
            self.faults.append(f"asked {url}")

    def _failed(self, request: Request) -> None:
        # A player that is sent elsewhere in its file lets go of the piece it was loading.
        is_let_go = request.resource_type == "media" and request.failure == "net::ERR_ABORTED"
        if not self.may_break and not is_let_go:
            self.faults.append(f"{request.url} failed: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.refusals:
            self.faults.append(f"{response.url} answered {response.status}")

    def _logged(self, message: ConsoleMessage) -> None:
        # The requests themselves are watched above.
        about_requests = message.text.startswith("Failed to load resource")
        # A page that leaves a room lets go of its socket, also of one that is still connecting.
        is_let_go = message.text.endswith("closed before the connection is established.")
        about_breaks = self.may_break and message.text.startswith("WebSocket connection to")
        is_known = about_requests or is_let_go or about_breaks
        if message.type in {"error", "warning"} and not is_known:
            self.faults.append(f"logged {message.text}")

    async def _opened_dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"opened a dialog: {dialog.message}")
        await dialog.dismiss()


Open = Callable[..., Awaitable[Tab]]
"""`open_tab(server, path="/", prepare=None, **options)`; the options are a browser context's."""


def chromium_path() -> str:
    """Return where Chromium is; without it the test is skipped, or fails on CI."""
    path = shutil.which("chromium")
    if path is None:
        reason = "there is no chromium; install it with: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One Chromium for a module's tests."""
    path = chromium_path()
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_tab(chromium: Browser) -> AsyncIterator[Open]:
    """A way to open pages; the test fails if one of them did what no page of ours may do."""
    tabs: list[Tab] = []

    async def open_one(
        server: RunningServer,
        path: str = "/",
        prepare: Callable[[Page], Awaitable[None]] | None = None,
        **options: object,
    ) -> Tab:
        context = await chromium.new_context(**({"viewport": BIG} | options))  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        tab = Tab(await context.new_page(), urlsplit(server.url).netloc)
        tabs.append(tab)
        await tab.watch()
        if prepare:
            await prepare(tab.page)
        await tab.page.goto(server.url + path)
        return tab

    yield open_one
    # Before the windows are closed: what that cuts off is no page's doing.
    faults = [fault for tab in tabs for fault in tab.faults]
    for tab in tabs:
        await tab.page.context.close()
    assert not faults, f"what no page may do: {faults}"


TEXT = """() => [...document.querySelectorAll(".final, .line")]
  .map((text) => text.textContent).join(" ").split(/\\s+/).filter(Boolean)"""
"""The words on a page: a phone page's segments, or a screen's lines."""


async def words_on(page: Page) -> list[str]:
    """Return the painted words on the page, from top to bottom."""
    found: list[str] = await page.evaluate(TEXT)
    return found


async def wait_for_words(page: Page, words: Iterable[object]) -> None:
    """Wait until the painted words on the page are exactly these."""
    wanted = [str(word) for word in words]
    try:
        await page.wait_for_function(
            f"(wanted) => ({TEXT})().join(' ') === wanted", arg=" ".join(wanted)
        )
    except Timeout:
        assert await words_on(page) == wanted
        raise
