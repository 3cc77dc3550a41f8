"""Recordings are written down in the background, whatever happens to the server meanwhile."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.async_api import expect
from websockets.asyncio.client import connect

from parola.domain.errors import EngineFailed, TooLarge
from parola.domain.jobs import Job
from parola.domain.vocabulary import language_tag
from parola.engines.recordings import RecordingProcess
from parola.engines.scripted import marked_audio
from parola.wiring_jobs import PROGRAM
from tests import browser
from tests.audio_files import audio_file, tone, wav
from tests.browser import PHONE, Open
from tests.hooks import hook
from tests.servers import RunningServer, serving
from tests.system.talks import DEADLINE_S, neighbour, numbers, until
from tests.system.test_reading_pages import violations

chromium, open_tab = browser.chromium, browser.open_tab  # fixtures, which pytest finds by name

KEY = bytes(range(32))
OPTIONS = (
    "--engine",
    "scripted",
    "--webhook-secret",
    "whsec_" + base64.b64encode(KEY).decode(),
    "--webhook-network",
    "127.0.0.0/8",
    "--max-job-h",
    "0.5",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that signs its notices, and may tell webhooks on this computer."""
    with serving(tmp_path_factory.mktemp("jobs") / "data", *OPTIONS) as server:
        yield server


async def send(server: RunningServer, data: bytes, **query: str) -> httpx.Response:
    """Send a recording in."""
    async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE_S) as client:
        return await client.post("/api/jobs", params=query, content=data)


async def get(server: RunningServer, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE_S) as client:
        return await client.get(path)


async def watched(server: RunningServer, job_id: str, until: str = "") -> list[dict[str, Any]]:
    """Return what the socket tells of a job until it closes, or the job stands so."""
    told: list[dict[str, Any]] = []
    # Under whoever else is busy here, a process of the lowest priority may take long.
    async with asyncio.timeout(3 * DEADLINE_S), connect(f"{server.ws}/ws/jobs/{job_id}") as socket:
        async for frame in socket:
            told.append(json.loads(frame))
            if told[-1]["status"] == until:
                return told
        assert socket.close_code == 1000
    return told


def text_of(transcript: httpx.Response) -> str:
    """Return the words of a JSON transcript."""
    talks = transcript.raise_for_status().json()["sessions"]
    return " ".join(segment["text"] for talk in talks for segment in talk["segments"])


async def test_a_recording_becomes_text_while_a_talk_goes_on(shop: RunningServer) -> None:
    """Progress, end, files and webhook; the talk next door notices nothing."""
    async with hook() as one, neighbour(shop):
        answer = await send(
            shop,
            wav(marked_audio(range(600))),
            name="lunedì mattina.wav",
            language="it-it",
            webhook=f"http://127.0.0.1:{one.port}/done",
        )
        assert answer.status_code == 202
        job = answer.json()
        told = await watched(shop, job["id"])
        await until(one.is_told)
    assert (job["status"], job["seconds"], job["language"]) == ("queued", 60.0, "it-IT")
    last = told[-1]
    assert (last["status"], last["done_s"], last["error"]) == ("done", 60.0, None)
    progress = [frame["done_s"] for frame in told]
    assert progress == sorted(progress)

    path = f"/api/jobs/{job['id']}"
    assert text_of(await get(shop, f"{path}/transcript.json")) == numbers(0, 600)
    assert 'parola_jobs_ended_total{status="done"} ' in (await get(shop, "/metrics")).text
    srt = await get(shop, f"{path}/transcript.srt")
    assert srt.text.startswith("1\n00:00:00,000 --> ")
    assert "luned%C3%AC%20mattina.srt" in srt.headers["content-disposition"]
    assert (await get(shop, f"{path}/transcript.vtt")).text.startswith("WEBVTT\n")
    assert "it-IT" in (await get(shop, f"{path}/transcript.txt")).text

    _, headers, body = one.heard[0]
    signed = f"{job['id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert json.loads(body)["data"]["id"] == job["id"]

    async def is_noted() -> bool:
        return bool((await get(shop, path)).json()["webhook"]["outcome"] == "delivered")

    await until(is_noted)
    assert list((shop.data / "jobs").iterdir()) == []


@pytest.mark.parametrize("kind", ["mp4", "opus.ogg", "m4a"])
async def test_any_container_is_taken(shop: RunningServer, kind: str) -> None:
    """What FFmpeg reads is written down; the scripted engine speaks its verse over it."""
    job = (await send(shop, audio_file(kind, tone(2.0)), name=f"talk.{kind}")).json()
    told = await watched(shop, job["id"])
    assert told[-1]["done_s"] == pytest.approx(2.0, abs=0.2)
    found = text_of(await get(shop, f"/api/jobs/{job['id']}/transcript.json"))
    assert found.startswith("word for word the")


async def test_what_cannot_be_written_down_is_refused_at_once(shop: RunningServer) -> None:
    """Each refusal is a sentence with a code, and nothing of it is kept."""
    good = wav(tone(1.0))
    too_long = wav(bytes(16_000), rate_hz=4)  # a header may say what it likes
    for data, query, status, code in (
        (b"#EXTM3U\nfile:///etc/passwd\n", {}, 415, "bad_audio"),
        (b"", {}, 415, "bad_audio"),
        (too_long, {}, 415, "bad_audio"),
        (wav(bytes(2 * 8000 * 1801), rate_hz=8000), {}, 413, "too_large"),
        (good, {"language": "klingon"}, 400, "bad_language"),
        (good, {"name": "../x.wav"}, 400, "bad_message"),
        (good, {"webhook": "https://169.254.169.254/latest"}, 400, "bad_message"),
    ):
        answer = await send(shop, data, **query)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["detail"].endswith(".")
    async with httpx.AsyncClient(base_url=shop.url) as client:
        evil = {"origin": "https://evil.example"}
        assert (await client.post("/api/jobs", content=good, headers=evil)).status_code == 403
        for path in ("/api/jobs/none", "/api/jobs/none/transcript.srt"):
            assert (await client.get(path)).json()["code"] == "not_found"
        assert (await client.delete("/api/jobs/none")).status_code == 404


async def test_a_server_that_is_killed_does_the_job_once(tmp_path: Path) -> None:
    """Killed in the middle, it leaves no process behind; the next one does it, and tells once."""
    data = tmp_path / "data"
    async with hook() as one:
        with serving(data, *OPTIONS) as server:
            recording = wav(marked_audio(range(4500)))
            webhook = f"http://127.0.0.1:{one.port}/"
            job_id = (await send(server, recording, webhook=webhook)).json()["id"]
            await watched(server, job_id, until="running")
            children = psutil.Process(server.process.pid).children(recursive=True)
            server.kill()
            _, alive = psutil.wait_procs(children, timeout=DEADLINE_S)
            assert alive == []
            assert (data / "jobs" / job_id).exists()
        with serving(data, *OPTIONS) as server:
            assert (await watched(server, job_id))[-1]["status"] == "done"
            text = text_of(await get(server, f"/api/jobs/{job_id}/transcript.json"))
            assert text == numbers(0, 4500)
            assert len((await get(server, "/api/jobs")).json()["jobs"]) == 1
            await until(one.is_told)
        assert [headers["webhook-id"] for _, headers, _ in one.heard] == [job_id]
    assert list((data / "jobs").iterdir()) == []


async def test_a_recording_longer_than_it_says_is_stopped(tmp_path: Path) -> None:
    """The limit holds on the way, too; and a process that dies is a failure that can be retried."""
    file = tmp_path / "recording"
    file.write_bytes(wav(marked_audio(range(3000))))
    job = Job("a", "a.wav", language_tag("en-US"), 0)
    settings = {"engine": "scripted", "data": str(tmp_path)}
    with pytest.raises(TooLarge, match="limit here"):
        await RecordingProcess(PROGRAM, settings, 1.0, _any).transcribe(job, file, _nothing)
    with pytest.raises(EngineFailed, match="has died"):
        await RecordingProcess("parola.nowhere", {}, 1.0, _any).transcribe(job, file, _nothing)


def _any(language: str) -> None:
    """Know every language."""


def _nothing(done_s: float) -> None:
    """Forget the progress."""


@pytest.mark.audio
async def test_a_job_says_what_the_live_pipeline_says(
    real: RunningServer, recordings: Path
) -> None:
    """Gate, evidence and engine are the same ones: so is the text, to the word."""
    data = (recordings / "speech" / "harvard-spk1_snt5.wav").read_bytes()
    async with httpx.AsyncClient(base_url=real.url, timeout=DEADLINE_S) as client:
        files = {"file": ("talk.wav", data, "audio/wav")}
        assert (await client.post("/audio", files=files)).is_success
    async with connect(f"{real.ws}/stream?lang=en-US") as socket:
        await socket.send("talk.wav")
        await socket.send(" ")
        frames = [str(frame) async for frame in socket]
    job = (await send(real, data, name="talk.wav", language="en-US")).json()
    assert (await watched(real, job["id"]))[-1]["status"] == "done"
    text = text_of(await get(real, f"/api/jobs/{job['id']}/transcript.json"))
    assert "week" in text
    # Bare frames are partials and finals; each final is among them, and the last one is the last.
    assert text.endswith(frames[-1])


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_sends_and_shows_recordings(shop: RunningServer, open_tab: Open) -> None:
    """A file goes in, its text comes out; a bad file is told; what is deleted is gone."""
    page = (await open_tab(shop, "/jobs", viewport=PHONE)).page
    await page.set_input_files(
        "#file",
        {"name": "talk.wav", "mimeType": "audio/wav", "buffer": wav(marked_audio(range(20)))},
    )
    await page.fill("#language", "it-IT")
    await page.click("#send button")
    job = page.locator('.job:has(h2:text-is("talk.wav"))').first
    await expect(job).to_have_attribute("data-status", "done", timeout=90_000)
    await expect(job.locator(".facts")).to_have_text("Done: 0:02 of sound.")
    wide = await page.evaluate(
        "Math.max(...[...document.querySelectorAll('body *')]"
        ".map((part) => part.getBoundingClientRect().right))"
    )
    assert wide <= PHONE["width"]
    assert await violations(page) == []
    async with page.expect_download() as download:
        await job.get_by_text(".txt").click()
    saved = Path(await (await download.value).path())
    assert numbers(0, 10) in saved.read_text()
    job_id = await job.get_attribute("data-id")
    await job.get_by_role("button").press("Enter")
    await expect(page.locator(f'.job[data-id="{job_id}"]')).to_have_count(0)
    await expect(page.locator("#note")).to_have_text("talk.wav is deleted.")
    here = await page.evaluate("document.activeElement.localName")
    assert here in {"button", "input"}, "the keyboard is at the top of the page again"
    assert (await get(shop, f"/api/jobs/{job_id}")).status_code == 404
