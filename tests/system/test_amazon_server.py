"""A whole server with Amazon's engine: what is asked of it, what it costs, and what it says."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from parola.audio.pcm import interleaved
from parola.engines.scripted import marked_audio
from parola.wire.transcribe import ServiceUnavailable
from tests.servers import RunningServer, serving
from tests.system.talks import (
    audio_url,
    kept,
    numbers,
    read_until,
    speak_safely,
    start_message,
    until,
    viewer,
)
from tests.unit.engines.amazon_service import KEYS, Fault, Service, running

SETTINGS = """
region = "eu-central-1"
endpoint_url = "{url}"
catch_up_speed = 100
ping_s = 0.2

[recognition]
vocabulary_name = "all"

[rooms.hall]
vocabulary_name = "hall"
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A server and the service that it calls."""

    server: RunningServer
    service: Service


@pytest_asyncio.fixture
async def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Place]:
    """Both on loopback."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)
    file = tmp_path / "amazon.toml"
    options = ("--engine", "amazon", "--amazon", str(file), "--no-gate")
    async with running(Service([])) as service:
        file.write_text(SETTINGS.format(url=service.url))
        with serving(tmp_path / "data", *options) as server:
            yield Place(server, service)


async def test_wishes_and_costs_reach_whom_they_concern(place: Place) -> None:
    """A source's options and its room's reach Amazon; the room's page and Prometheus its price."""
    asked = {"show_speaker_label": True, "pii_entity_types": ["NAME"]}
    asked |= {"content_redaction_type": "PII"}
    said = await speak_safely(place.server, "hall", marked_audio(range(20)), engine_options=asked)
    assert [frame["type"] for frame in said[:1]] == ["ready"]
    assert await kept(place.server, "hall") == numbers(0, 20)
    (call,) = place.service.calls
    assert call.asked.vocabulary_name == "hall"
    assert call.asked.show_speaker_label
    assert call.asked.pii_entity_types == ("NAME",)
    async with (
        httpx.AsyncClient(base_url=place.server.url) as http,
        viewer(place.server, "hall"),
    ):
        room = (await http.get("/api/rooms/hall")).raise_for_status().json()
        numbers_told = (await http.get("/metrics")).raise_for_status().text
    assert (room["billed_s"], room["cost_usd"]) == (15, 0.006)
    assert 'parola_room_billed_seconds_total{room="hall"} 15.0' in numbers_told
    assert 'parola_room_cost_dollars_total{room="hall"} 0.006' in numbers_told


async def test_two_people_on_two_channels_are_told_apart(place: Place) -> None:
    """Every line names who said it, live and in the room's transcript; Amazon gets one stream."""
    silence = bytes(3200 * 10)
    both = interleaved(
        marked_audio(range(5)) + silence + silence, silence + silence + marked_audio(range(5, 10))
    )[: 25 * 6400]
    asked = {"enable_channel_identification": True, "channel_names": ["Ada", "Bob"]}
    said = await speak_safely(place.server, "hall", both, channels=2, engine_options=asked)
    # Counted in frames, of which each has two samples.
    assert said[-1] == {"type": "ack", "position": len(both) // 4}
    assert await kept(place.server, "hall") == numbers(0, 10)
    async with httpx.AsyncClient(base_url=place.server.url) as http:
        talk = (await http.get("/api/rooms/hall/transcript.json")).raise_for_status().json()
    lines = talk["sessions"][0]["segments"]
    assert [line["speaker"][:3] for line in lines] == ["Ada", "Bob"]
    assert [call.asked.number_of_channels for call in place.service.calls] == [2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vocabulary": "x"}, "did you mean vocabulary_name"),
        ({"session_resume_window_min": 900}, "less than or equal to 300"),
        ({"channel_names": "Ada"}, "channel_names are two"),
    ],
)
async def test_wishes_that_cannot_be_had_are_refused_before_any_sound(
    place: Place, options: dict[str, object], said: str
) -> None:
    """In the protocol of sources that read, in queries, and for files; Amazon hears nothing."""
    pairs = [f"{name}={value}" for name, value in options.items()]
    async with connect(audio_url(place.server, "hall")) as socket:
        await socket.send(start_message(engine_options=options))
        error = json.loads(await socket.recv())
    assert error["code"] == "bad_message"
    assert said in error["message"]
    query = str(httpx.QueryParams({"engine_option": pairs}))
    async with connect(audio_url(place.server, "hall", f"?{query}")) as socket:
        await socket.send(bytes(3200))
        with pytest.raises(ConnectionClosed, match="bad_message"):
            await socket.recv()
    async with httpx.AsyncClient(base_url=place.server.url) as http:
        refused = await http.post(f"/api/rooms/hall/files?name=a.wav&{query}", content=b"RIFF")
    assert refused.status_code == 400
    assert said in refused.json()["detail"]
    assert not place.service.calls


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ([Fault(ServiceUnavailable("Down."), 10), *[Fault("deny")] * 3], "Down."),
        ([Fault("deny")] * 4, "ServiceUnavailable"),
    ],
    ids=["in the middle", "from the start"],
)
async def test_source_and_display_hear_of_trouble_and_of_its_end(
    place: Place, faults: list[Fault], reason: str
) -> None:
    """Both get the reason while the service is down, and no word is lost."""
    place.service.faults += faults
    async with (
        viewer(place.server, "hall", "?v=1") as display,
        connect(audio_url(place.server, "hall")) as source,
    ):
        await source.send(start_message())
        assert json.loads(await source.recv())["type"] == "ready"
        await source.send(marked_audio(range(20)))
        told = await read_until(
            display, lambda frames: frames and frames[-1].get("state") == "recovering"
        )
        assert reason in told[-1]["detail"]

        async def is_told() -> object:
            frame = json.loads(await source.recv())
            return frame["type"] == "state" and frame["state"] == "recovering" and frame["detail"]

        await until(is_told)
        await source.send('{"type":"end"}')
        states = [json.loads(frame) async for frame in source]
    assert await kept(place.server, "hall") == numbers(0, 20)
    assert states[-1]["type"] == "ack"
