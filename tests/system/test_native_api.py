"""Parola's own API: rooms, transcripts, health, playing files, and sources that want to be sure."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from parola.engines.scripted import BLOCK_FRAMES, marked_audio
from tests.audio_files import tone, wav
from tests.servers import RunningServer, serving
from tests.speakers import Source
from tests.system.talks import (
    audio_url,
    cut,
    kept,
    numbers,
    read_until,
    read_words,
    speak_safely,
    spoken,
    start_message,
    until,
    viewer,
)

VERSE = (
    "word for word the room is heard and every screen will show the word that someone spoke "
    "and nothing more and nothing less than that"
)
"""What a scripted engine says of other sound, a word each 0.4 s."""

FORMS = {
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "json": "application/json; charset=utf-8",
}


@pytest_asyncio.fixture
async def http(scripted: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the scripted server."""
    async with httpx.AsyncClient(base_url=scripted.url) as client:
        yield client


async def room(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """Return what the API says of a room."""
    answer = await http.get(f"/api/rooms/{quote(name, safe='')}")
    fields: dict[str, Any] = answer.raise_for_status().json()
    return fields


async def test_a_room_s_page_is_the_display(http: httpx.AsyncClient) -> None:
    """/rooms/{room} is the same page as /sala/{room}."""
    page = await http.get("/rooms/Sala%20Grande")
    assert page.status_code == 200
    assert page.text == (await http.get("/sala/Sala%20Grande")).text


async def test_health(http: httpx.AsyncClient) -> None:
    """/healthz and /readyz answer 200 while all is well."""
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).status_code == 200


async def test_about(http: httpx.AsyncClient) -> None:
    """/api/about says what a page needs to know of the server."""
    about = (await http.get("/api/about")).json()
    assert [engine["name"] for engine in about["engines"]] == ["scripted"]
    assert about["default_language"] == "en-US"
    assert about["max_upload_mb"] == 2048
    assert about["sample"]["seconds"] > 10


async def test_a_room_nobody_used_is_not_found(http: httpx.AsyncClient) -> None:
    """A room's facts and transcript answer 404 with a sentence until somebody has used it."""
    for path in ("/api/rooms/void", "/api/rooms/void/transcript.srt"):
        answer = await http.get(path)
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"
        assert answer.json()["detail"].endswith(".")


async def test_a_room_tells_what_goes_on(scripted: RunningServer, http: httpx.AsyncClient) -> None:
    """State, language, engine, viewers and entries are there during a talk and after it."""
    async with viewer(scripted, "facts") as one, viewer(scripted, "facts"):  # noqa: SIM117 - the source leaves first
        async with connect(audio_url(scripted, "facts", "?lang=fr")) as source:
            await source.send(marked_audio(range(20)))
            await read_words(one, 20)

            async def both_are_there() -> bool:
                return bool((await room(http, "facts"))["viewers"] == 2)

            await until(both_are_there)
            during = await room(http, "facts")
            assert during in (await http.get("/api/rooms")).json()["rooms"]

    async def it_is_over() -> bool:
        facts = await room(http, "facts")
        return bool(facts["state"] == "idle" and facts["entries"] == 4)

    await until(it_is_over)
    assert during["name"] == "facts"
    assert during["state"] == "listening"
    assert during["language"] == "fr"
    assert during["engine"] == "scripted"
    assert during["lag_s"] == 0
    after = await room(http, "facts")
    assert after["last_at"] >= during["last_at"]
    assert after["viewers"] == 0
    assert after in (await http.get("/api/rooms")).json()["rooms"]


@pytest.mark.parametrize("name", ["export", "Aula è #1"])
async def test_transcripts_are_the_same_after_a_restart(tmp_path: Path, name: str) -> None:
    """Each form has the talk's words, byte for byte the same when the server starts again."""
    before: dict[str, str] = {}
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        await speak_safely(server, name, marked_audio(range(25)))
        for form, media_type in FORMS.items():
            answer = httpx.get(f"{server.url}/api/rooms/{quote(name)}/transcript.{form}")
            assert answer.status_code == 200
            assert answer.headers["content-type"] == media_type
            before[form] = answer.text
    assert before["txt"].count("\n") >= 1
    for form in ("srt", "vtt", "txt"):
        assert all(f"{n}" in before[form] for n in range(25))
    assert "00:00:00,000 --> 00:00:0" in before["srt"]
    assert before["vtt"].startswith("WEBVTT")
    assert json.loads(before["json"])["room"] == name
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        for form, text in before.items():
            answer = httpx.get(f"{server.url}/api/rooms/{quote(name)}/transcript.{form}")
            assert answer.text == text
        async with viewer(server, name) as late:
            assert spoken(await read_words(late, 25)) == numbers(0, 25)
        rooms = httpx.get(f"{server.url}/api/rooms").json()["rooms"]
        assert [(r["name"], r["state"]) for r in rooms] == [(name, "idle")]


async def test_a_transcript_of_one_talk(scripted: RunningServer) -> None:
    """With `session` only that talk is in the file; times are the talk's own."""
    for first in (0, 100):
        await speak_safely(scripted, "talks", marked_audio(range(first, first + 10)))
    url = f"{scripted.url}/api/rooms/talks/transcript"
    talks = httpx.get(f"{url}.json").json()["sessions"]
    assert len(talks) == 2
    second = talks[1]["session"]
    text = httpx.get(f"{url}.srt", params={"session": second}).text
    assert numbers(0, 10) not in text
    assert text.startswith("1\n00:00:00,000 --> ")


async def test_the_sample_is_played(scripted: RunningServer, http: httpx.AsyncClient) -> None:
    """The sample plays into a room: one at a time, stoppable, its last words kept."""
    async with viewer(scripted, "sample", "?partial=1") as display:
        started = await http.post("/api/rooms/sample/sample")
        assert started.status_code == 202
        assert started.json()["room"] == "sample"
        again = await http.post("/api/rooms/sample/sample")
        assert (again.status_code, again.json()["code"]) == (409, "room_busy")
        shown = await read_until(display, lambda frames: len(frames) >= 2)
        assert shown[-1]["text"].startswith("word for")
        playing = (await room(http, "sample"))["playing"]
        assert playing["name"] == "sample talk"
        assert 0 < playing["position_s"] <= playing["seconds"]
        assert (await http.delete("/api/rooms/sample/playback")).status_code == 204
        assert (await room(http, "sample"))["playing"] is None
        finals = await read_until(display, spoken)
        assert spoken(finals).startswith("word for")
        none = await http.delete("/api/rooms/sample/playback")
        assert (none.status_code, none.json()["code"]) == (404, "not_found")
        assert (await http.post("/api/rooms/sample/sample")).status_code == 202


async def test_files_are_played(scripted: RunningServer, http: httpx.AsyncClient) -> None:
    """A dropped file is played in its language, as fast as the engine goes if that is asked."""
    query = "?name=talk.wav&language=it&pace=fast"
    async with viewer(scripted, "files") as display:
        answer = await http.post(
            f"/api/rooms/files/files{query}", content=wav(marked_audio(range(600)))
        )
        assert answer.status_code == 202
        assert answer.json() == {"room": "files", "name": "talk.wav", "seconds": 60.0}
        frames = await read_words(display, 600)
    assert spoken(frames) == numbers(0, 600)
    assert {frame["language"] for frame in frames} == {"it"}


async def test_after_gives_exactly_what_was_missed(scripted: RunningServer) -> None:
    """A viewer that comes back with its last number gets the rest: nothing twice, no gap."""
    await speak_safely(scripted, "missed", marked_audio(range(6000)))
    async with viewer(scripted, "missed", "?after=0") as display:
        everything = await read_words(display, 6000)
    assert spoken(everything) == numbers(0, 6000)
    for index in (0, 57, 300, 598):
        seq = everything[index]["seq"]
        async with viewer(scripted, "missed", f"?after={seq}") as display:
            rest = await read_words(display, 6000 - 10 * (index + 1))
        assert rest == everything[index + 1 :]
    async with viewer(scripted, "missed", f"?after={everything[-1]['seq']}") as display:
        await speak_safely(scripted, "missed", marked_audio(range(10)))
        assert spoken(await read_words(display, 10)) == numbers(0, 10)


async def test_a_viewer_with_a_foreign_number_is_a_newcomer(scripted: RunningServer) -> None:
    """A number from another log brings the recent past instead of nothing for ever."""
    await speak_safely(scripted, "foreign", marked_audio(range(10)))
    async with viewer(scripted, "foreign", "?after=999999") as display:
        assert spoken(await read_words(display, 10)) == numbers(0, 10)


async def test_states_are_told_to_those_who_ask(scripted: RunningServer) -> None:
    """With v=1 a viewer hears the room's states and changes; without it, text only."""
    async with viewer(scripted, "states", "?v=1") as asking, viewer(scripted, "states") as plain:
        first = await read_until(asking, lambda frames: frames)
        assert (first[0]["type"], first[0]["state"]) == ("state", "idle")
        async with connect(audio_url(scripted, "states", "?lang=en")) as source:
            await source.send(marked_audio(range(10)))
            frames = await read_until(
                asking, lambda fs: spoken(fs) and "listening" in {f.get("state") for f in fs}
            )
        frames += await read_until(
            asking,
            lambda fs: {"idle", "session_ended"} <= {f.get("state") or f.get("change") for f in fs},
        )
        texts = await read_words(plain, 10)
    states = [frame["state"] for frame in frames if frame["type"] == "state"]
    assert states[-1] == "idle"
    assert all(f["beat_s"] == 15 for f in frames if f["type"] == "state")
    changes = [frame for frame in frames if frame["type"] == "change"]
    assert [change["change"] for change in changes] == ["session_started", "session_ended"]
    assert changes[0]["value"] == "en"
    assert all(frame["type"] == "segment" for frame in texts)


async def test_an_acknowledged_position_is_durable(tmp_path: Path) -> None:
    """All words before an acknowledged position survive SIGKILL."""
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        async with connect(audio_url(server, "acks")) as source:
            await source.send(start_message())
            ready = json.loads(await source.recv())
            for piece in cut(marked_audio(range(507)), [3200]):
                await source.send(piece)
            position = 0
            while position < 300 * BLOCK_FRAMES:
                said = json.loads(await source.recv())
                assert said["type"] == "ack"
                assert said["position"] > position
                position = said["position"]
            server.kill()
    assert ready["type"] == "ready"
    assert ready["position"] == 0
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        saved = await kept(server, "acks")
    assert saved.startswith(numbers(0, position // BLOCK_FRAMES))


async def test_the_end_is_acknowledged_whole(scripted: RunningServer) -> None:
    """After `end` the last position is that of all audio, then the server closes with 1000."""
    said = await speak_safely(scripted, "end", marked_audio(range(13)) + bytes(1000))
    assert [message["type"] for message in said] == ["ready"] + ["ack"] * (len(said) - 1)
    assert said[-1]["position"] == 13 * BLOCK_FRAMES + 500
    assert await kept(scripted, "end") == numbers(0, 13)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
async def test_any_rate_gives_the_same_words(scripted: RunningServer, rate: int) -> None:
    """A source says its rate; words and times are the same, positions are its own frames."""
    pcm = tone(8.2, rate) + bytes(14)  # a length that divides by nothing
    said = await speak_safely(scripted, f"rate-{rate}", pcm, rate=rate)
    assert said[-1] == {"type": "ack", "position": len(pcm) // 2}
    assert await kept(scripted, f"rate-{rate}") == " ".join(VERSE.split()[:21])
    talks = httpx.get(f"{scripted.url}/api/rooms/rate-{rate}/transcript.json").json()["sessions"]
    assert [s["end_s"] for s in talks[0]["segments"]] == [3.7, 7.7, 8.1]


async def test_a_session_goes_on_where_it_broke_off(scripted: RunningServer) -> None:
    """A source that comes back goes on in the same talk: every word once, cut as if unbroken."""
    source = Source("resumed")
    async with source.connected(scripted) as socket:
        await source.say(socket, 25)
        async with viewer(scripted, "resumed") as display:
            await read_words(display, 20)
        socket.transport.abort()
    async with source.connected(scripted) as socket:
        await source.say(socket, 35)
        await source.end(socket)
    assert source.safe == 35
    assert await kept(scripted, "resumed") == numbers(0, 35)
    url = f"{scripted.url}/api/rooms/resumed/transcript.json"
    talks = httpx.get(url).json()["sessions"]
    assert [len(talk["segments"]) for talk in talks] == [4]


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("hello", "bad_message"),
        ("[]", "bad_message"),
        ("[" * 100_000, "bad_message"),
        ('{"type":"stop"}', "bad_message"),
        ('{"type":"end"}', "bad_message"),
        ('{"type":"start","session":"one","language":"en"}', "bad_message"),
        pytest.param(start_message(language="klingon!"), "bad_language", id="language klingon!"),
        pytest.param(start_message(language=None), "bad_message", id="no language"),
        pytest.param(start_message(rate=7999), "bad_message", id="rate too low"),
        pytest.param(start_message(rate=16000.0), "bad_message", id="rate not whole"),
        pytest.param(start_message(position=-1), "bad_message", id="position negative"),
        pytest.param(start_message(position=2**53), "bad_message", id="position too great"),
    ],
    ids=lambda value: value[:50],  # a start's own id is drawn anew in every process
)
async def test_an_error_is_told_before_the_close(
    scripted: RunningServer, first: str, code: str
) -> None:
    """A source that speaks JSON hears the whole sentence in a message, then the close code."""
    async with connect(audio_url(scripted, "errors")) as source:
        await source.send(first)
        said = json.loads(await source.recv())
        with pytest.raises(ConnectionClosed) as closed:
            await source.recv()
    assert (said["type"], said["code"]) == ("error", code)
    assert said["message"].endswith(".")
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1008
    assert closed.value.rcvd.reason.startswith(f"{code}: ")


async def test_a_busy_room_is_told_in_a_message(scripted: RunningServer) -> None:
    """The second source of a room hears it before its socket closes with 1013."""
    async with connect(audio_url(scripted, "busy")) as first:
        await first.send(start_message())
        await first.recv()
        async with connect(audio_url(scripted, "busy")) as second:
            await second.send(start_message())
            said = json.loads(await second.recv())
            with pytest.raises(ConnectionClosed) as closed:
                await second.recv()
    assert said["code"] == "room_busy"
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1013


async def test_a_second_start_is_an_error(scripted: RunningServer) -> None:
    """One socket carries one session; what came before the mistake is kept."""
    async with connect(audio_url(scripted, "twice")) as source:
        await source.send(start_message())
        await source.send(marked_audio(range(10)))
        await source.send(start_message())
        said = await read_until(source, lambda fs: fs and fs[-1]["type"] == "error")
    assert said[-1]["code"] == "bad_message"

    async def it_is_kept() -> bool:
        return await kept(scripted, "twice") == numbers(0, 10)

    await until(it_is_kept)


async def test_playing_can_be_stopped_at_any_moment(
    scripted: RunningServer, http: httpx.AsyncClient
) -> None:
    """Files played as fast as can be are stopped in mid-file, again and again."""
    recording = wav(marked_audio(range(8000)))
    async with viewer(scripted, "stopped") as display:
        for _ in range(4):
            query = "?name=long.wav&pace=fast"
            answer = await http.post(f"/api/rooms/stopped/files{query}", content=recording)
            assert answer.status_code == 202
            await read_until(display, lambda frames: frames)
            await http.delete("/api/rooms/stopped/playback")
    assert (await http.get("/healthz")).status_code == 200
