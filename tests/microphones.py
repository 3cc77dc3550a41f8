"""A Chromium whose microphone plays a file, and one whose every tenth of a second has a number."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser import FLAGS, PATIENCE_MS, chromium_path

COUNTING = Path(__file__).with_name("counting-microphone.js")


@asynccontextmanager
async def chromium_hearing(recording: Path) -> AsyncIterator[Browser]:
    """Start a Chromium whose microphone plays a WAV file again and again."""
    path = chromium_path()
    expect.set_options(timeout=PATIENCE_MS)
    microphone = [
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={recording}",
        # A name without a certificate, for a page that browsers give no microphone.
        "--host-resolver-rules=MAP insecure.test 127.0.0.1",
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*FLAGS, *microphone])
        yield browser
        await browser.close()


async def count(page: Page) -> None:
    """Let the page's microphone say numbers: one each tenth of a second, none twice."""
    await page.add_init_script(path=COUNTING)
