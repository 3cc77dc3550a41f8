"""The conversation pipeline's web app finds what it knew. docs/reference/predecessors.md."""

import asyncio
import re
from collections import Counter
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from parola.audio.decode import Decoder
from parola.engines.scripted import marked_audio
from tests.servers import RunningServer, serving
from tests.system.web_app import Line, microphone, speak, web_app

HARVARD = "speech/harvard-spk1_snt5.wav"
"""Sunday is the best part of the week."""


def texts(lines: list[Line]) -> list[str]:
    return [line["transcript"] for line in lines]


def numbers(lines: list[Line]) -> list[int]:
    return [int(word) for text in texts(lines) for word in text.split()]


async def test_the_server_says_that_it_is_there(scripted: RunningServer) -> None:
    """The pipeline's health check."""
    async with httpx.AsyncClient(base_url=scripted.url) as http:
        answer = await http.get("/api/stt/healthcheck")
    assert (answer.status_code, answer.text) == (200, "Yes, I'm ok")


async def test_who_connects_is_told_who_it_is_and_what_was_said(scripted: RunningServer) -> None:
    """Caller, call, window, in this order; the window comes at once, empty as it is."""
    async with web_app(scripted) as one, web_app(scripted) as other:
        assert one.call == other.call == "abcde1234"
        assert one.caller != other.caller
        assert await one.window() == []


@pytest.mark.parametrize("frame_bytes", [7526, 8192, 2, 64_000])
async def test_frames_of_any_size_become_lines(scripted: RunningServer, frame_bytes: int) -> None:
    """Every word from the first to the last comes once, though Stop only hangs up (1005)."""
    call = f"frames {frame_bytes}"
    pcm = marked_audio(range(47 if frame_bytes > 2 else 13))
    count = len(pcm) // 3200
    async with web_app(scripted, call) as app:
        async with microphone(
            scripted, sampleRate=16_000, language="en-US", callId=call, username="Ada"
        ) as sound:
            await speak(sound, pcm, frame_bytes)
        found = await app.until(lambda lines: len(numbers(lines)) == count)
    assert numbers(found) == list(range(count))
    assert {line["speakerName"] for line in found} == {"Ada"}
    assert float(found[-1]["endTime"]) == count / 10


async def test_a_long_stream_is_not_cut(scripted: RunningServer) -> None:
    """The older server ended each stream after 30 s of sound, and the rest was lost: not here."""
    async with web_app(scripted, "long") as app:
        async with microphone(scripted, sampleRate=16_000, callId="long", username="Ada") as sound:
            await speak(sound, marked_audio(range(900)))
        found = await app.until(lambda lines: len(numbers(lines)) == 900)
    assert numbers(found) == list(range(900))
    assert float(found[-1]["endTime"]) == 90


async def test_two_people_speak_in_one_call_at_once(scripted: RunningServer) -> None:
    """Each line has its speaker; neither keeps the other out, and all who look see the same."""
    async with web_app(scripted, "two") as one, web_app(scripted, "two") as other:
        mic = {"sampleRate": 16_000, "callId": "two"}
        async with (
            microphone(scripted, username="Ada", **mic) as ada,
            microphone(scripted, username="Bob", **mic) as bob,
        ):
            for at in range(0, 60, 10):
                await speak(ada, marked_audio(range(at, at + 10)))
                await speak(bob, marked_audio(range(1000 + at, 1010 + at)))
        found = await one.until(lambda lines: len(numbers(lines)) == 120)
        assert await other.until(lambda lines: len(numbers(lines)) == 120) == found
    for name, first in (("Ada", 0), ("Bob", 1000)):
        said = [line for line in found if line["speakerName"] == name]
        assert numbers(said) == list(range(first, first + 60))


async def test_who_opens_the_page_later_sees_the_last_two_minutes(scripted: RunningServer) -> None:
    """Without a name for it, the speaker is somebody; the region goes nowhere."""
    async with microphone(
        scripted, sampleRate=16_000, callId="later", region="evil.example/?x="
    ) as sound:
        await speak(sound, marked_audio(range(10)))
    async with web_app(scripted, "later") as app:
        found = await app.until(lambda lines: len(numbers(lines)) == 10)
    assert {line["speakerName"] for line in found} == {"somebody"}


async def test_without_a_rate_sound_is_at_44100_hz(scripted: RunningServer) -> None:
    """Four seconds of the app's default rate are four seconds of talk."""
    async with microphone(scripted, callId="default rate") as sound:
        await speak(sound, bytes(4 * 2 * 44_100), 8192)
    async with web_app(scripted, "default rate") as app:
        found = await app.until(bool)
    assert 3.5 < float(found[-1]["endTime"]) <= 4.1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"sampleRate": 1}, 1007),
        ({"callId": "a/b"}, 1008),
        ({"language": "../etc"}, 1008),
    ],
)
async def test_what_cannot_be_is_refused_with_a_reason(
    scripted: RunningServer, query: dict[str, object], code: int
) -> None:
    """The page ignores it, and whoever looks for the fault finds a sentence."""
    async with microphone(scripted, **query) as sound:
        with pytest.raises(ConnectionClosed) as refused:
            await sound.recv()
    assert refused.value.rcvd is not None
    assert refused.value.rcvd.code == code
    assert len(refused.value.rcvd.reason) > 20


async def test_half_a_sample_is_refused(scripted: RunningServer) -> None:
    """It would turn all that follows into noise."""
    async with microphone(scripted, callId="odd") as sound:
        await sound.send(b"\0\0\0")
        with pytest.raises(ConnectionClosed, match="whole 16-bit samples"):
            await sound.recv()


async def test_a_language_no_engine_knows_costs_only_that_speaker(real: RunningServer) -> None:
    """One failed recogniser killed the old server; here the others go on."""
    async with web_app(real, "babel") as app:
        async with microphone(real, callId="babel", language="fr-CA") as sound:
            with pytest.raises(ConnectionClosed, match="No engine here knows fr-CA"):
                await sound.recv()
        assert await app.window() == []


@pytest.mark.audio
async def test_real_speech_becomes_lines(real: RunningServer, recordings: Path) -> None:
    """48 kHz in the worklet's frames, hung up in mid-air: real words under the speaker's name."""
    with Decoder(recordings / HARVARD) as decoder:
        pcm = b"".join(chunk.pcm for chunk in decoder.chunks())
    loud = b"".join(pcm[at : at + 2] * 3 for at in range(0, len(pcm), 2))
    async with web_app(real, "speech") as app:
        async with microphone(
            real, sampleRate=48_000, language="en-US", callId="speech", username="Ada <b>"
        ) as sound:
            await speak(sound, loud)
        found = await app.until(lambda lines: "week" in " ".join(texts(lines)))
    said = Counter(re.findall(r"[a-z]+", " ".join(texts(found)).lower()))
    right = said & Counter("sunday is the best part of the week".split())  # noqa: SIM905
    assert right.total() >= 5
    assert found[0]["speakerName"] == "Ada <b>"


async def test_lines_survive_a_crash_of_the_server(tmp_path: Path) -> None:
    """What was shown is in the window of the server that comes after."""
    with serving(tmp_path / "data", "--engine", "scripted") as first:
        async with (
            web_app(first) as app,
            microphone(first, sampleRate=16_000, username="Ada") as sound,
        ):
            await speak(sound, marked_audio(range(10)))
            before = await app.until(lambda lines: len(numbers(lines)) == 10)
            await asyncio.to_thread(first.kill)
    with serving(tmp_path / "data", "--engine", "scripted") as second:
        async with web_app(second) as app:
            assert await app.window() == before
