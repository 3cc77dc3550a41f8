"""The conference system's own clients find what they knew. docs/reference/predecessors.md."""

import asyncio
import re
import socket
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus

from parola.audio.decode import Decoder
from parola.engines.scripted import marked_audio
from tests.servers import RunningServer, serving
from tests.system.talks import (
    DEADLINE_S,
    audio_url,
    cut,
    kept,
    numbers,
    read_until,
    read_words,
    speak,
    spoken,
    until,
    viewer,
)


async def test_nothing_is_ever_sent_to_the_audio_client(scripted: RunningServer) -> None:
    """A client that never reads may speak for five minutes: there is nothing for it to read."""
    async with (
        viewer(scripted, "unread") as display,
        connect(audio_url(scripted, "unread"), ping_interval=0.2) as source,
    ):
        reading = asyncio.create_task(read_words(display, 3000))
        for piece in cut(marked_audio(range(3000)), [3200]):
            await source.send(piece)
        assert spoken(await reading) == numbers(0, 3000)
        await source.close()
        with pytest.raises(ConnectionClosedOK):
            await source.recv()


@pytest.mark.parametrize("sizes", [[3200], [2, 3202, 64_000], [6400], [3198], [64_000]], ids=str)
async def test_frames_of_any_even_size_are_taken(scripted: RunningServer, sizes: list[int]) -> None:
    """However the client cuts its sound, the words are the same."""
    room = f"sizes {sizes}"
    async with viewer(scripted, room) as display:
        await speak(scripted, room, marked_audio(range(100)), sizes=sizes)
        assert spoken(await read_words(display, 100)) == numbers(0, 100)


async def test_the_default_language_is_italian(scripted: RunningServer) -> None:
    """A client that names no language speaks Italian."""
    async with viewer(scripted, "default") as display:
        await speak(scripted, "default", marked_audio(range(10)))
        assert {f["language"] for f in await read_words(display, 10)} == {"it-IT"}


@pytest.mark.parametrize("value", ["true", "1", "yes", "on", "false", "0", "no", "off", None])
async def test_every_frame_is_what_the_display_page_expects(
    scripted: RunningServer, value: str | None
) -> None:
    """Each frame is JSON with `text` and `is_partial`; partials come where they were asked for."""
    room = f"partial {value}"
    query = f"?partial={value}" if value else ""
    async with viewer(scripted, room, query) as display:
        await speak(scripted, room, marked_audio(range(25)))
        frames = await read_words(display, 25)
    assert all(type(f["text"]) is str and type(f["is_partial"]) is bool for f in frames)
    assert spoken(frames) == numbers(0, 25)
    wanted = value in {"true", "1", "yes", "on"}
    assert any(f["is_partial"] for f in frames) == wanted
    shown = [f["text"] for f in frames if f["is_partial"]]
    assert all(text in numbers(0, 25) for text in shown)


@pytest.mark.parametrize(
    "path",
    [
        "/ws/transcript/hall?partial=maybe",
        "/ws/transcript/hall?partial=",
        "/ws/transcript",
        "/ws/transcript/a/b",
        "/ws/nothing/hall",
    ],
)
async def test_what_does_not_exist_is_refused_at_the_handshake(
    scripted: RunningServer, path: str
) -> None:
    """A bad value or an unknown path answers 403 instead of opening a socket."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"{scripted.ws}{path}"):
            pass
    assert refused.value.response.status_code == 403


async def test_a_late_display_gets_what_was_said(scripted: RunningServer) -> None:
    """A display that comes in mid-talk, or after it, shows the finals so far and goes on."""
    async with connect(audio_url(scripted, "late")) as source:
        async with viewer(scripted, "late") as early:
            await source.send(marked_audio(range(20)))
            before = await read_words(early, 20)
        async with viewer(scripted, "late") as late:
            assert await read_words(late, 20) == before
            await source.send(marked_audio(range(20, 30)))
            assert spoken(await read_words(late, 10)) == numbers(20, 30)
    async with viewer(scripted, "late") as latest:
        assert spoken(await read_words(latest, 30)) == numbers(0, 30)


async def test_sale_lists_the_rooms_with_a_display(scripted: RunningServer) -> None:
    """A room is in /api/sale from its first display to its last; a source alone is no display."""
    async with httpx.AsyncClient(base_url=scripted.url) as http:

        async def listed() -> set[str]:
            answer = (await http.get("/api/sale")).raise_for_status().json()
            assert list(answer) == ["sale"]
            assert answer["sale"] == sorted(answer["sale"])
            return {room for room in answer["sale"] if room.startswith("sale-")}

        async def only(*rooms: str) -> None:
            async def they_are() -> bool:
                return await listed() == {f"sale-{room}" for room in rooms}

            await until(they_are)

        async with connect(audio_url(scripted, "sale-c")) as source:
            await source.send(marked_audio(range(10)))
            async with viewer(scripted, "sale-b"), viewer(scripted, "sale-a"):
                await only("a", "b")
                async with viewer(scripted, "sale-a"):
                    await only("a", "b")
                await only("a", "b")
            await only()


@pytest.mark.parametrize(
    "room", ["Sala Grande", "perché no?", 'a"b', "50% più", "#1&x=y", "会議室"]
)
async def test_a_room_has_the_name_it_is_given(scripted: RunningServer, room: str) -> None:
    """Spaces, accents, quotes and signs of a percent-decoded name reach everybody unchanged."""
    async with viewer(scripted, room) as display:
        await speak(scripted, room, marked_audio(range(10)))
        frames = await read_words(display, 10)
        sale = httpx.get(f"{scripted.url}/api/sale").json()["sale"]
    assert {frame["room"] for frame in frames} == {room}
    assert room in sale
    page = httpx.get(f"{scripted.url}/sala/{quote(room)}")
    assert page.status_code == 200


@pytest.mark.parametrize("query", ["", "?partial=true"])
async def test_the_display_page_is_there(scripted: RunningServer, query: str) -> None:
    """/sala/{sala} is the display page."""
    page = httpx.get(f"{scripted.url}/sala/grande{query}")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert 'id="stage"' in page.text


async def test_a_close_tells_why(real: RunningServer) -> None:
    """A language no engine knows closes the socket with a code and a reason; displays hear it."""
    async with viewer(real, "italiano", "?v=1") as display:
        async with connect(audio_url(real, "italiano")) as source:
            await source.send(bytes(3200))
            with pytest.raises(ConnectionClosed) as closed:
                await source.recv()
        frames = await read_until(display, lambda fs: fs and fs[-1]["state"] == "failed")
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1008
    assert closed.value.rcvd.reason.startswith("no_engine: No engine here knows it-IT")
    assert "it-IT" in frames[-1]["detail"]


async def test_a_second_source_is_refused(scripted: RunningServer) -> None:
    """Who speaks first speaks on, unharmed; the second one hears that the room is busy."""
    async with viewer(scripted, "busy") as display, connect(audio_url(scripted, "busy")) as first:
        await first.send(marked_audio(range(15)))
        await read_words(display, 10)
        async with connect(audio_url(scripted, "busy")) as second:
            await second.send(marked_audio(range(900, 915)))
            with pytest.raises(ConnectionClosed) as closed:
                await second.recv()
        await first.send(marked_audio(range(15, 25)))
        await first.close()
        assert spoken(await read_words(display, 15)) == numbers(10, 25)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1013
    assert closed.value.rcvd.reason.startswith("room_busy: ")


async def test_the_next_source_takes_the_room_at_once(scripted: RunningServer) -> None:
    """As soon as a source has left, the next one may speak; both talks' words are there."""
    async with viewer(scripted, "next") as display:
        for talk in range(5):
            await speak(scripted, "next", marked_audio(range(talk * 13, talk * 13 + 13)))
        frames = await read_words(display, 65)
    assert sorted(spoken(frames).split(), key=int) == numbers(0, 65).split()


async def test_the_last_sentence_survives_the_close(scripted: RunningServer) -> None:
    """What was said before the socket closed, in order or not, is shown and kept."""
    async with viewer(scripted, "last") as display:
        await speak(scripted, "last", marked_audio(range(13)))
        assert spoken(await read_words(display, 13)) == numbers(0, 13)
        source = await connect(audio_url(scripted, "last"))
        await source.send(marked_audio(range(13, 26)))
        source.transport.abort()
        await source.wait_closed()
        assert spoken(await read_words(display, 13)) == numbers(13, 26)

    async def it_is_kept() -> bool:
        return await kept(scripted, "last") == numbers(0, 26)

    await until(it_is_kept)


async def test_each_room_has_its_language(scripted: RunningServer) -> None:
    """The next source may speak another language, in its room or another, without a restart."""
    async with viewer(scripted, "lang-a") as a, viewer(scripted, "lang-b") as b:
        await speak(scripted, "lang-a", marked_audio(range(10)), "?lang=en-US")
        await speak(scripted, "lang-b", marked_audio(range(10)), "?lang=fr-FR")
        assert {f["language"] for f in await read_words(a, 10)} == {"en-US"}
        assert {f["language"] for f in await read_words(b, 10)} == {"fr-FR"}
        await speak(scripted, "lang-a", marked_audio(range(10)), "?lang=de-DE")
        assert {f["language"] for f in await read_words(a, 10)} == {"de-DE"}


async def test_a_stuck_display_stops_nobody(scripted: RunningServer) -> None:
    """Displays that never read cost the others nothing and the server no memory to speak of."""
    place = urlsplit(scripted.url)
    handshake = (
        f"GET /ws/transcript/stuck?partial=true HTTP/1.1\r\nHost: {place.netloc}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    stuck: list[socket.socket] = []
    async with viewer(scripted, "stuck") as display:
        for _ in range(60):
            stuck.append(socket.create_connection((place.hostname, place.port)))
            stuck[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck[-1].sendall(handshake.encode())

        async def all_are_there() -> bool:
            async with httpx.AsyncClient(base_url=scripted.url) as http:
                answer = await http.get("/api/rooms/stuck")
            return bool(answer.is_success and answer.json()["viewers"] == 61)

        await until(all_are_there)
        before = memory_mib(scripted)
        # Enough that what is written for those who take nothing would show: see tests/planted.
        reading = asyncio.create_task(read_words(display, 4_000))
        await speak(scripted, "stuck", marked_audio(range(4_000)), sizes=[32_000])
        assert spoken(await reading) == numbers(0, 4_000)
        grown = memory_mib(scripted) - before
    for one in stuck:
        one.close()
    assert grown < 20, f"{grown:.0f} MiB"


def memory_mib(server: RunningServer) -> float:
    """Return how much memory the server holds, or 0 where the system does not tell it so."""
    status = Path(f"/proc/{server.process.pid}/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else 0.0


async def test_two_rooms_do_not_mix(scripted: RunningServer) -> None:
    """Each room's displays get its own words only."""
    async with viewer(scripted, "mix-a") as a, viewer(scripted, "mix-b") as b:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(scripted, "mix-a", marked_audio(range(200))))
            tasks.create_task(speak(scripted, "mix-b", marked_audio(range(1000, 1200))))
        assert spoken(await read_words(a, 200)) == numbers(0, 200)
        assert spoken(await read_words(b, 200)) == numbers(1000, 1200)


async def test_a_stop_tells_the_clients_to_come_back(tmp_path: Path) -> None:
    """SIGTERM closes both kinds of sockets with 1012, once the last sentence has been shown."""
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        async with viewer(server, "stop") as display, connect(audio_url(server, "stop")) as source:
            await source.send(marked_audio(range(13)))
            await read_words(display, 10)
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            assert spoken(await read_words(display, 3)) == numbers(10, 13)
            for client in (display, source):
                with pytest.raises(ConnectionClosed) as closed:
                    await asyncio.wait_for(client.recv(), DEADLINE_S)
                assert closed.value.rcvd
                assert closed.value.rcvd.code == 1012
            assert await stopping == 0


@pytest.mark.audio
async def test_real_speech_becomes_captions(real: RunningServer, recordings: Path) -> None:
    """A recording sent at the pace of speech is on the display when its speaker has ended."""
    with Decoder(recordings / "speech" / "harvard-spk1_snt5.wav") as decoder:
        pcm = b"".join(chunk.pcm for chunk in decoder.chunks())
    async with (
        viewer(real, "aula") as display,
        connect(audio_url(real, "aula", "?lang=en-US")) as source,
    ):
        began = time.monotonic()
        for count, piece in enumerate(cut(pcm, [3200])):
            await asyncio.sleep(began + count / 10 - time.monotonic())
            await source.send(piece)
        await source.close()
        frames = await read_until(display, lambda fs: "week" in spoken(fs))
    words = spoken(frames).split()
    said = {"sunday", "is", "the", "best", "part", "of", "week"}
    assert len(set(words) & said) >= 5
