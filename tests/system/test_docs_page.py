"""Every page in a real Chromium: the policy at work, nobody else asked, and the API to try out."""

import pytest
from playwright.async_api import Error, expect

from tests import browser
from tests.browser import Open
from tests.servers import RunningServer
from tests.system.talks import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name


@pytest.mark.parametrize(
    ("path", "sign"),
    [
        ("/", "#version:has-text('Parola')"),
        ("/docs", ".opblock"),
        ("/rooms/main", "body[data-link=open]"),
        ("/sala/main?partial=true", "body[data-link=open]"),
    ],
)
async def test_no_page_asks_anybody_else(
    scripted: RunningServer, open_tab: Open, path: str, sign: str
) -> None:
    """A page asks its own server for everything, gets all of it, and breaks no policy."""
    tab = await open_tab(scripted, path)
    await expect(tab.page.locator(sign).first).to_be_visible()
    await tab.page.wait_for_load_state("networkidle")
    assert len(tab.requests) > 3
    assert tab.faults == []


@pytest.mark.parametrize("path", ["/", "/docs", "/rooms/main"])
async def test_the_policy_holds(scripted: RunningServer, open_tab: Open, path: str) -> None:
    """Markup that got in somehow could neither run nor phone home, and these tests would see it."""
    tab = await open_tab(scripted, path)
    await tab.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.body.append(script);
          const image = "<img src='data:,' onerror='window.ran = true'>";
          document.body.insertAdjacentHTML("beforeend", image);
        }"""
    )
    with pytest.raises(Error, match="Failed to fetch"):
        await tab.page.evaluate("fetch('http://127.0.0.2:9/')")
    assert await tab.page.evaluate("window.ran") is None
    # Each refusal is reported by the page and logged by the browser, in no fixed order.
    reports = (
        "the policy's script-src-elem refused inline",
        "the policy's script-src-attr refused inline",
        "the policy's connect-src refused http://127.0.0.2:9",
        "logged Executing inline script",
        "logged Executing inline event handler",
        "logged Connecting to 'http://127.0.0.2:9",
        "logged Fetch API cannot load http://127.0.0.2:9",
    )

    async def all_reported() -> bool:
        return all(any(fault.startswith(r) for fault in tab.faults) for r in reports)

    await until(all_reported)
    tab.faults.clear()


async def test_swagger_shows_every_operation(scripted: RunningServer, open_tab: Open) -> None:
    """The docs page lists each operation of the API, and one can be tried out on the spot."""
    page = (await open_tab(scripted, "/docs")).page
    api = await (await page.request.get(f"{scripted.url}/openapi.json")).json()
    operations = sum(len(methods) for methods in api["paths"].values())
    await expect(page.locator(".opblock")).to_have_count(operations)
    health = page.locator(".opblock", has=page.locator("[data-path='/healthz']"))
    await health.locator(".opblock-summary-control").click()
    await health.get_by_role("button", name="Try it out").click()
    await health.get_by_role("button", name="Execute").click()
    answer = health.locator(".live-responses-table .response")
    await expect(answer.locator(".response-col_status")).to_contain_text("200")
    await expect(answer).to_contain_text("ok")
