"""The browser build of AWS's JavaScript client, in a real Chromium, at our endpoint over wss."""

import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import jiwer
import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright

from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.engines.pocketsphinx import PocketSphinxEngine
from parola.engines.scripted import marked_audio
from parola.ports import Engine
from parola.transcribe_api.dev_ca import dev_certificate
from parola.transcribe_api.door import Setup
from parola.transcribe_api.faults import read_header
from parola.transcribe_api.serving import open_transcribe_api
from tests.browser import FLAGS
from tests.sdks.run import NPM, Case, Went, need
from tests.sdks.stage import EXCEPTIONS, HANGS, SILENT, Scripted, Wanted, reference, sound
from tests.unit.transcribe_api.callers import KEY

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.browser]

ENDPOINT = "https://localhost"
"""Without a port: the client adds 8443 whatever one says."""

RECORDING = "speech/librivox-0930.wav"


class Tab:
    """A page that has the client, and what its endpoint does next."""

    def __init__(self, page: Page, scenario: Wanted, folder: Path) -> None:
        self._page = page
        self._scenario = scenario
        self._folder = folder

    async def play(self, audio: bytes, fault: str = "", **more: Any) -> Went:  # noqa: ANN401
        """Let the client play audio and meet a fault; `more` are fields of `Case`."""
        self._scenario.next[:] = read_header(fault)
        (self._folder / "audio.pcm").write_bytes(audio)
        case = asdict(Case(ENDPOINT, "audio.pcm", **more))
        credentials = {"accessKeyId": KEY.access_key, "secretAccessKey": KEY.secret_key}
        script = "([test, credentials]) => playCase(test, credentials)"
        return Went(**await self._page.evaluate(script, [case, credentials]))


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes nothing on stderr."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """Serve a page with the client's browser build in one script; give its address.

    From this machine, as the endpoint is: a page from elsewhere would first have to ask its user.
    """
    options = ("--bundle", "--format=iife", "--platform=browser", "--log-level=error")
    command = [str(NPM / "node_modules/.bin/esbuild"), "transcribe-browser.mjs", *options]
    script = f"--outfile={folder / 'bundle.js'}"
    subprocess.run([*command, script], cwd=NPM, check=True, timeout=60)
    (folder / "index.html").write_text(
        '<link rel="icon" href="data:,"><script src=bundle.js></script>'
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def trust(home: Path, ca: Path) -> None:
    """Make a home whose Chromium trusts an authority, as a person would: in its NSS database."""
    if shutil.which("certutil") is None:
        reason = "there is no certutil; install it with: apt-get install libnss3-tools"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    for options in (
        ("-N", "--empty-password"),
        ("-A", "-n", "parola", "-t", "C,,", "-i", str(ca)),
    ):
        command = ["certutil", "-d", f"sql:{database}", *options]
        subprocess.run(command, check=True, capture_output=True, timeout=30)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tab]:
    """A page with the client, and the endpoint behind its port 8443.

    That port is mapped to the endpoint's inside this Chromium: it may be taken on this machine.
    """
    need("node")
    path = shutil.which("chromium")
    assert path, "make test installs chromium"
    folder = tmp_path_factory.mktemp("browser")
    ca, certificate = dev_certificate(folder, datetime.now(UTC))
    trust(folder, ca)
    pages = folder / "pages"
    pages.mkdir()
    # A recogniser that is slow here must not look like a client that sends nothing.
    scenario = Wanted(starts_per_s=1000, idle_s=3600)
    async with AsyncExitStack() as stack:
        engine = stack.enter_context(closing(PocketSphinxEngine()))
        engines: list[Engine] = [Scripted(), engine]
        make_gate = lambda: Gate(SileroDetector())  # noqa: E731
        keys = {KEY.access_key: KEY}
        setup = Setup(engines, make_gate, time.monotonic, keys=keys, scenario=scenario)
        opened = open_transcribe_api(setup, certificate=certificate)
        port = urlsplit(await stack.enter_async_context(opened)).port
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=path,
            args=(*FLAGS, f"--host-resolver-rules=MAP localhost 127.0.0.1:{port}"),
            env={**os.environ, "HOME": str(folder)},
        )
        stack.push_async_callback(browser.close)
        page = await browser.new_page()
        await page.goto(stack.enter_context(site(pages)))
        yield Tab(page, scenario, pages)


@pytest.mark.audio
async def test_words_reach_a_browser(tab: Tab, recordings: Path) -> None:
    """A real recording, sent from a page over wss with a checked signature, comes back as words.

    The client hangs up as soon as its audio ends, so the page stays until the final is there.
    """
    pause = bytes(2 * 32_000)
    went = await tab.play(sound(recordings, RECORDING) + pause, ends=False, enough=1)
    assert (went.raised, went.hung) == ("", False), went
    assert went.partials > 1
    assert jiwer.wer(reference(recordings, RECORDING), " ".join(went.finals)) <= 0.1


async def test_a_browser_that_ends_its_audio_hears_no_more(tab: Tab) -> None:
    """The browser build closes instead of ending: its last words are lost, as the how-to says."""
    went = await tab.play(marked_audio(range(5)), language="it-IT")
    assert (went.finals, went.raised, went.hung) == ([], "", False)


@pytest.mark.parametrize("at", ["", "@0.5"], ids=["before", "within"])
async def test_every_exception_is_the_browsers_own(tab: Tab, at: str) -> None:
    """Before and within the stream each fault raises the class of the client's model."""
    for fault, (exception, says) in EXCEPTIONS.items():
        went = await tab.play(marked_audio(range(20)), fault + at, language="it-IT", ends=False)
        assert went.raised == exception, (fault, went)
        assert says in went.message


BREAKS = {
    "close@0.5": SILENT,
    "reset@0.5": SILENT,
    "corrupt@0.5": "other:Error",
    "oversized@0.5": "other:Error",
    "throttle": "other:ThrottlingException",
    "throttle@0.5": "other:ThrottlingException",
    "black-hole@0.5": HANGS,
}
"""What the browser build makes of what is not in its model."""


async def test_what_is_not_in_the_model_looks_as_documented_in_a_browser(tab: Tab) -> None:
    """A lost connection ends the results as if all were well; a black hole does not end them."""
    for fault, look in BREAKS.items():
        patience_s = 1.0 if look == HANGS else 40.0
        pcm = marked_audio(range(20))
        went = await tab.play(pcm, fault, language="it-IT", ends=False, patience_s=patience_s)
        assert (HANGS if went.hung else went.raised or SILENT) == look, (fault, went)
