"""Whatever is sent: a clear answer, nothing left behind, and a talk next door goes on."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode

from parola.engines.scripted import marked_audio
from tests.audio_files import audio_file, garbage, tone, video_without_audio, wav
from tests.servers import RunningServer, serving
from tests.system.talks import (
    DEADLINE_S,
    audio_url,
    cut,
    kept,
    neighbour,
    numbers,
    read_until,
    read_words,
    speak_safely,
    spoken,
    until,
    viewer,
)

MIB = 2**20


@pytest.fixture(scope="module")
def small_limit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that takes uploads of up to 1 MiB."""
    folder = tmp_path_factory.mktemp("small")
    options = ("--engine", "scripted", "--max-upload-mb", "1")
    with serving(folder / "data", *options) as server:
        yield server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 12 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        failure = done.stderr.strip()
    except FileNotFoundError as error:
        failure = str(error)
    if failure:
        reason = f"a small disk can be mounted by root on Linux only ({failure})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module", autouse=True)
def untroubled(scripted: RunningServer) -> Iterator[None]:
    """See that nothing here was unexpected to the server."""
    yield
    log = (scripted.data.parent / "server.log").read_text()
    assert "Traceback" not in log, log


def uploaded(server: RunningServer) -> set[str]:
    """Return everything that lies in the server's folder of uploads."""
    return {path.name for path in (server.data / "uploads").iterdir()}


async def post(
    server: RunningServer, data: bytes, name: str = "bad.wav", way: str = "form"
) -> httpx.Response:
    """Upload a file: by the tutorial's form, or as a body to be played into a room."""
    async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE_S) as http:
        if way == "form":
            return await http.post("/audio", files={"file": (name, data, "audio/wav")})
        return await http.post("/api/rooms/bad/files", params={"name": name}, content=data)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return an answer's status and code word, having seen that it holds a sentence."""
    fields = answer.json()
    assert set(fields) == {"detail", "code"}
    assert fields["detail"].endswith(".")
    return answer.status_code, fields["code"]


async def closing(socket: ClientConnection) -> tuple[int, str]:
    """Return the code with which the server closes, and the code word in the reason."""
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(socket.recv(), DEADLINE_S)
    assert closed.value.rcvd
    return closed.value.rcvd.code, closed.value.rcvd.reason.split(":")[0]


def begin_frame(socket: ClientConnection, opcode: Opcode, length: int) -> None:
    """Announce a frame, and send nothing of it: the server may close before it could be sent.

    Source: RFC 6455, section 5.2.
    """
    head = bytes([0x80 | opcode, 0xFF]) + length.to_bytes(8, "big") + b"mask"
    socket.transport.write(head)


BAD_FILES = {
    "garbage": garbage(200_000),
    "text": b"#!/bin/sh\nexit 1\n" * 100,
    "empty": b"",
    "header only": wav(b""),
    "silent film": video_without_audio(),
    "absurd header": wav(tone(1), rate_hz=1, channels=999),
    "a playlist": b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
}


@pytest.mark.parametrize("way", ["form", "body"])
@pytest.mark.parametrize("what", BAD_FILES)
async def test_a_file_that_is_no_audio(scripted: RunningServer, what: str, way: str) -> None:
    """What holds no sound, not one byte included, answers 415 and is not kept."""
    async with neighbour(scripted):
        before = uploaded(scripted)
        answer = await post(scripted, BAD_FILES[what], way=way)
    assert refusal(answer) == (415, "bad_audio")
    assert uploaded(scripted) == before


async def test_a_truncated_file_plays_what_is_there(scripted: RunningServer) -> None:
    """A recording that breaks off gives all the words before the break."""
    whole = wav(marked_audio(range(100)))
    cut_at = 44 + 3200 * 57 + 1001
    async with neighbour(scripted), viewer(scripted, "cut") as display:
        async with httpx.AsyncClient(base_url=scripted.url) as http:
            url = "/api/rooms/cut/files?name=cut.wav&pace=fast"
            answer = await http.post(url, content=whole[:cut_at])
        assert answer.status_code == 202
        assert spoken(await read_words(display, 57)) == numbers(0, 57)
        assert (await post(scripted, whole[:cut_at], "cut.wav")).json() == "cut.wav"
        async with connect(f"{scripted.ws}/stream") as asker:
            await asker.send("cut.wav")
            await asker.send(" ")
            frames = [frame async for frame in asker]
    assert frames[-1] == numbers(50, 57)


@pytest.mark.parametrize("kind", ["mp3", "flac", "opus.ogg", "m4a"])
async def test_a_truncated_recording_of_any_kind(scripted: RunningServer, kind: str) -> None:
    """Half a compressed file is half the talk, or, where its index was at the end, refused."""
    whole = audio_file(kind, tone(8.0))
    async with neighbour(scripted):
        answer = await post(scripted, whole[: len(whole) // 2], f"half.{kind}")
        if answer.status_code != 200:
            assert refusal(answer) == (415, "bad_audio")
            assert kind == "m4a"
            return
        async with connect(f"{scripted.ws}/stream") as asker:
            await asker.send(f"half.{kind}")
            await asker.send(" ")
            frames = [frame async for frame in asker]
    assert str(frames[-1]).split()


@pytest.mark.parametrize("way", ["form", "body"])
@pytest.mark.parametrize(
    "name",
    ["../up.wav", "/etc/cron.d/x.wav", "..", "a\\b.wav", "nul\0.wav", "x" * 300, "", ".hidden"],
    ids=lambda name: repr(name[:20]),
)
async def test_a_name_that_no_file_can_have(scripted: RunningServer, name: str, way: str) -> None:
    """Paths, characters that cannot be seen and endless names answer 400; nothing is written."""
    async with neighbour(scripted):
        before = uploaded(scripted)
        if way == "form":
            answer = await post_named(scripted, name.encode())
        else:
            answer = await post(scripted, wav(marked_audio([1])), name, way)
    assert refusal(answer) == (400, "bad_message")
    assert uploaded(scripted) == before
    assert not (scripted.data / "up.wav").exists()


async def post_named(server: RunningServer, name: bytes) -> httpx.Response:
    """Send a form whose file name is on the wire as it is here; clients would escape it."""
    head = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n' % name
    body = head + b"Content-Type: audio/wav\r\n\r\n" + wav(tone(0.1)) + b"\r\n--cut--\r\n"
    async with httpx.AsyncClient(base_url=server.url) as http:
        kind = {"content-type": "multipart/form-data; boundary=cut"}
        return await http.post("/audio", content=body, headers=kind)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--cut--"),
        ("multipart/form-data; boundary=cut", b""),
        ("multipart/form-data; boundary=cut", b"--cut--\r\n"),
        ("multipart/form-data; boundary=cut", garbage(5000)),
        ("multipart/form-data; boundary=cut", b"--cut\r\n" + b"x" * 100_000),
        (f"multipart/form-data; boundary={'x' * 5000}", b""),
    ],
)
async def test_a_form_that_is_none(scripted: RunningServer, kind: str, body: bytes) -> None:
    """A body that is not a form with a file answers 400."""
    async with neighbour(scripted), httpx.AsyncClient(base_url=scripted.url) as http:
        answer = await http.post("/audio", content=body, headers={"content-type": kind})
    assert refusal(answer) == (400, "bad_message")


@contextlib.asynccontextmanager
async def dialled(
    server: RunningServer,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a bare connection, and close it to the end."""
    place = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_an_upload_over_the_limit_is_refused_unread(small_limit: RunningServer) -> None:
    """A Content-Length over the limit answers 413 before one byte of the body is sent."""
    place = urlsplit(small_limit.url)
    async with neighbour(small_limit):
        for path in ("/audio", "/api/rooms/big/files?name=big.wav"):
            request = (
                f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
                "Content-Type: multipart/form-data; boundary=cut\r\n"
                f"Content-Length: {10 * MIB}\r\n\r\n"
            )
            async with dialled(small_limit) as (reader, writer), asyncio.timeout(DEADLINE_S):
                writer.write(request.encode())
                head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 413 ")
        assert uploaded(small_limit) == set()


@pytest.mark.parametrize("way", ["form", "body"])
async def test_a_client_hears_that_its_upload_is_too_large(
    small_limit: RunningServer, way: str
) -> None:
    """A client that sends on while it is refused reads the answer, not a broken connection."""
    async with neighbour(small_limit):
        for _ in range(5):
            answer = await post(small_limit, bytes(20 * MIB), way=way)
            assert refusal(answer) == (413, "too_large")
    assert uploaded(small_limit) == set()


@pytest.mark.parametrize("way", ["form", "body"])
async def test_a_body_without_a_length_is_refused_at_the_limit(
    small_limit: RunningServer, way: str
) -> None:
    """A chunked upload is refused while it streams, soon after the limit, and not kept."""
    place = urlsplit(small_limit.url)
    path = "/audio" if way == "form" else "/api/rooms/big/files?name=a.wav"
    form = (
        b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        b"Content-Type: audio/wav\r\n\r\n"
    )
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: multipart/form-data; boundary=cut\r\n\r\n"
    )
    async with neighbour(small_limit), dialled(small_limit) as (reader, writer):
        writer.write(head.encode() + chunk(form if way == "form" else b""))
        answering = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        sent = 0
        async with asyncio.timeout(DEADLINE_S):
            while not answering.done():
                writer.write(chunk(bytes(65_536)))
                await writer.drain()
                await asyncio.sleep(0)  # `drain` alone need not let the answer in
                sent += 65_536
        assert (await answering).startswith(b"HTTP/1.1 413 ")
    # What the system's own buffers hold was sent before the answer could be read.
    assert MIB <= sent < 16 * MIB
    assert uploaded(small_limit) == set()


def chunk(data: bytes) -> bytes:
    """Return the data as a chunk of a body without a length. Source: RFC 9112, section 7.1."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


async def test_an_upload_at_the_limit_is_taken(small_limit: RunningServer) -> None:
    """The limit is the file's: one of exactly 1 MiB is taken, one byte more is not."""
    pcm = bytes(MIB - 44)
    assert (await post(small_limit, wav(pcm), "full.wav")).json() == "full.wav"
    assert refusal(await post(small_limit, wav(pcm) + b"\0")) == (413, "too_large")
    assert uploaded(small_limit) == {"full.wav"}
    (small_limit.data / "uploads" / "full.wav").unlink()


async def test_an_upload_that_breaks_off_leaves_nothing(scripted: RunningServer) -> None:
    """When the client goes away in mid-upload, nothing of it is kept."""
    place = urlsplit(scripted.url)
    async with neighbour(scripted):
        before = uploaded(scripted)
        for path in ("/audio", "/api/rooms/off/files?name=off.wav"):
            head = (
                f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
                "Content-Type: multipart/form-data; boundary=cut\r\n"
                f"Content-Length: {MIB}\r\n\r\n"
                '--cut\r\nContent-Disposition: form-data; name="file"; filename="off.wav"\r\n'
                "Content-Type: audio/wav\r\n\r\n"
            )

            async def something_came() -> bool:
                return uploaded(scripted) != before

            async with dialled(scripted) as (_, writer):
                writer.write(head.encode() + wav(tone(5)))
                await until(something_came)
                writer.transport.abort()

            async def nothing_is_left() -> bool:
                return uploaded(scripted) == before

            await until(nothing_is_left)


@pytest.mark.parametrize("said_before", [b"", marked_audio(range(13))], ids=["first", "later"])
@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (bytes(3201), (1007, "bad_audio")),
        (b"\0", (1007, "bad_audio")),
        (bytes(MIB + 2), (1009, "")),
        ("hello", (1008, "bad_message")),
    ],
    ids=["odd", "one byte", "oversized", "text"],
)
async def test_a_bad_frame(
    scripted: RunningServer,
    request: pytest.FixtureRequest,
    said_before: bytes,
    frame: bytes | str,
    expected: tuple[int, str],
) -> None:
    """A frame that cannot be used closes its socket and says why; what came before is kept."""
    room = request.node.name
    async with neighbour(scripted), viewer(scripted, room) as display:
        async with connect(audio_url(scripted, room)) as source:
            if said_before:
                await source.send(said_before)
                assert spoken(await read_words(display, 10)) == numbers(0, 10)
            if expected[0] == 1009:
                begin_frame(source, Opcode.BINARY, len(frame))
            else:
                await source.send(frame)
            if isinstance(frame, str) and not said_before:
                assert '"code":"bad_message"' in str(await source.recv())
            code, word = await closing(source)
        if said_before:
            assert spoken(await read_words(display, 3)) == numbers(10, 13)
    assert code == expected[0]
    assert word == expected[1] or code == 1009


async def test_the_largest_frame_is_taken(scripted: RunningServer) -> None:
    """1 MiB, half a minute of sound, is one frame."""
    pcm = marked_audio(range(327))
    async with viewer(scripted, "largest") as display:
        async with connect(audio_url(scripted, "largest")) as source:
            await source.send(pcm + bytes(MIB - len(pcm)))
        assert spoken(await read_words(display, 327)) == numbers(0, 327)


@pytest.mark.parametrize("path", ["/ws/transcript/frames", "/stream"])
async def test_an_oversized_frame_elsewhere(scripted: RunningServer, path: str) -> None:
    """No socket takes more than 1 MiB in one frame."""
    async with neighbour(scripted), connect(f"{scripted.ws}{path}") as socket_:
        begin_frame(socket_, Opcode.TEXT, MIB + 1)
        assert (await closing(socket_))[0] == 1009


async def test_a_viewer_may_say_anything(scripted: RunningServer) -> None:
    """What a viewer sends is not listened to, and does it no harm."""
    async with neighbour(scripted), viewer(scripted, "talkative") as display:
        for frame in ("hello", bytes(3201), "{}", ""):
            await display.send(frame)
        await speak_safely(scripted, "talkative", marked_audio(range(10)))
        assert spoken(await read_words(display, 10)) == numbers(0, 10)


@pytest.mark.parametrize("tag", ["klingon!", "", "e", "en-US-x-private", "../..", "it%00"])
async def test_a_bad_language(scripted: RunningServer, tag: str) -> None:
    """What is no language tag is refused with a sentence, wherever it is sent."""
    async with neighbour(scripted):
        async with connect(audio_url(scripted, "bad-language", f"?lang={tag}")) as source:
            await source.send(bytes(3200))
            assert await closing(source) == (1008, "bad_language")
        if tag:
            async with connect(f"{scripted.ws}/stream?lang={tag}") as asker:
                assert await closing(asker) == (1008, "bad_language")
            async with httpx.AsyncClient(base_url=scripted.url) as http:
                url = f"/api/rooms/bad-language/files?name=a.wav&language={tag}"
                answer = await http.post(url, content=wav(tone(1)))
            assert refusal(answer) == (400, "bad_language")


async def test_a_language_without_an_engine(real: RunningServer) -> None:
    """The answer names the language, and nothing is uploaded for it."""
    async with httpx.AsyncClient(base_url=real.url) as http:
        url = "/api/rooms/hall/files?name=a.wav&language=it-IT"
        answer = await http.post(url, content=wav(tone(1)))
        assert refusal(answer) == (422, "no_engine")
        assert "it-IT" in answer.json()["detail"]
    assert uploaded(real) == set()


@pytest.mark.parametrize(
    "name", ["..", ".", " ", " a", "a ", "a\\b", "a\0b", "a\u202eb", "x" * 101, "\n"]
)
async def test_a_bad_room_name(scripted: RunningServer, name: str) -> None:
    """A name that no room can have is refused on every road, and no room is made."""
    path = quote(name, safe="").replace(".", "%2E")
    async with neighbour(scripted):
        async with connect(f"{scripted.ws}/ws/audio/{path}") as source:
            assert await closing(source) == (1008, "bad_room_name")
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{scripted.ws}/ws/transcript/{path}"):
                pass
        assert refused.value.response.status_code == 403
        async with connect(f"{scripted.ws}/ws/transcript/{path}?v=1") as display:
            assert await closing(display) == (1008, "bad_room_name")
        async with httpx.AsyncClient(base_url=scripted.url) as http:
            answers = [
                await http.get(f"/sala/{path}"),
                await http.get(f"/rooms/{path}"),
                await http.get(f"/api/rooms/{path}"),
                await http.get(f"/api/rooms/{path}/transcript.srt"),
                await http.post(f"/api/rooms/{path}/sample"),
                await http.post(f"/api/rooms/{path}/files?name=a.wav", content=wav(tone(1))),
                await http.delete(f"/api/rooms/{path}/playback"),
            ]
            rooms = (await http.get("/api/rooms")).json()["rooms"]
    assert {refusal(answer) for answer in answers} == {(400, "bad_room_name")}
    assert name not in {room["name"] for room in rooms}


@pytest.mark.parametrize("path", ["%FF", "%ED%A0%80", "a%C3", "%F0%9F%98%80"])
async def test_a_room_name_that_is_not_in_utf8(scripted: RunningServer, path: str) -> None:
    """Bytes that mean nothing are shown as such; the talk is heard and kept all the same."""
    async with (
        neighbour(scripted),
        connect(f"{scripted.ws}/ws/transcript/{path}") as display,
        connect(f"{scripted.ws}/ws/audio/{path}") as source,
    ):
        await source.send(marked_audio(range(10)))
        frames = await read_words(display, 10)
    assert spoken(frames) == numbers(0, 10)
    name = quote(frames[0]["room"], safe="")
    answer = httpx.get(f"{scripted.url}/api/rooms/{path}/transcript.json")
    assert answer.json() == httpx.get(f"{scripted.url}/api/rooms/{name}/transcript.json").json()


@pytest.mark.parametrize("name", ["a/b", "/", "a/"])
async def test_a_slash_is_in_no_room_name(scripted: RunningServer, name: str) -> None:
    """A room's name is one segment of the path, also when its slash was encoded."""
    path = quote(name, safe="")
    for road in ("ws/audio", "ws/transcript"):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{scripted.ws}/{road}/{path}"):
                pass
        assert refused.value.response.status_code == 403
    assert httpx.get(f"{scripted.url}/sala/{path}").status_code in {307, 404}


SCRIPT = '"><script>alert(1)</script>'.replace("/", "\u2215")


@pytest.mark.parametrize("name", ['"><script>', SCRIPT, "'-alert(1)-'", "{{7*7}}"])
async def test_a_room_name_is_never_markup(scripted: RunningServer, name: str) -> None:
    """The page of such a room holds nothing of its name; where it comes as data, it is data."""
    path = quote(name, safe="")
    async with viewer(scripted, name) as display:
        await speak_safely(scripted, name, marked_audio(range(10)))
        assert {frame["room"] for frame in await read_words(display, 10)} == {name}
    for road in ("sala", "rooms"):
        page = httpx.get(f"{scripted.url}/{road}/{path}")
        assert page.status_code == 200
        assert "alert(" not in page.text
        assert "7*7" not in page.text
        assert '"><script>' not in page.text
        assert "script-src" not in page.headers["content-security-policy"]
    for form in ("srt", "txt", "json"):
        answer = httpx.get(f"{scripted.url}/api/rooms/{path}/transcript.{form}")
        assert not answer.headers["content-type"].startswith("text/html")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "<script" not in answer.headers["content-disposition"]


@pytest.mark.parametrize("way", ["form", "body"])
async def test_an_upload_onto_a_full_disk(small_disk: Path, way: str) -> None:
    """It answers 507, nothing of it is left, and a talk on the same disk is kept whole."""
    with serving(small_disk / "data", "--engine", "scripted") as server:
        async with neighbour(server):
            for _ in range(3):
                answer = await post(server, wav(bytes(16 * MIB)), way=way)
                assert refusal(answer) == (507, "disk_full")
                assert uploaded(server) == set()
            assert (await post(server, wav(bytes(MIB)))).json() == "bad.wav"


def fill(disk: Path) -> Path:
    """Leave not one byte on the disk; return the file that takes the room."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


async def test_a_talk_goes_on_while_the_disk_is_full(small_disk: Path) -> None:
    """Captions flow, those who ask are told; once there is room, all that was shown is kept."""
    with serving(small_disk / "data", "--engine", "scripted") as server:
        async with (
            httpx.AsyncClient(base_url=server.url) as http,
            viewer(server, "hall", "?v=1") as told,
            viewer(server, "hall") as plain,
            connect(audio_url(server, "hall", "?lang=en")) as source,
        ):
            await source.send(marked_audio(range(20)))
            assert spoken(await read_words(plain, 20)) == numbers(0, 20)
            ballast = fill(small_disk)
            spoken_so_far = 20
            while (await http.get("/readyz")).status_code == 200:
                await source.send(marked_audio(range(spoken_so_far, spoken_so_far + 10)))
                assert spoken(await read_words(plain, 10))
                spoken_so_far += 10
            unready = await http.get("/readyz")
            assert unready.status_code == 503
            assert "disk is full" in unready.text
            assert (await http.get("/healthz")).status_code == 200
            warned = await read_until(told, lambda fs: fs and fs[-1].get("state") == "unsaved")
            assert "disk is full" in warned[-1]["detail"]
            # Somebody else's talk begins just now, and a display comes in late.
            async with viewer(server, "aula") as other:
                said = asyncio.create_task(
                    speak_safely(server, "aula", marked_audio(range(500, 513)))
                )
                assert spoken(await read_words(other, 13)) == numbers(500, 513)
            end = spoken_so_far + 205
            await source.send(marked_audio(range(spoken_so_far, end)))
            await source.close()
            shown = spoken(await read_words(plain, end - spoken_so_far))
            assert shown == numbers(spoken_so_far, end)
            async with viewer(server, "hall", "?after=0") as late:
                assert spoken(await read_words(late, end)) == numbers(0, end)
            assert not said.done(), "what is not saved is not acknowledged"
            ballast.unlink()
            assert (await said)[-1]["position"] == 13 * 1600

            async def it_is_ready() -> bool:
                return (await http.get("/readyz")).status_code == 200

            await until(it_is_ready)
        assert await kept(server, "hall") == numbers(0, end)
        assert await kept(server, "aula") == numbers(500, 513)
    with serving(small_disk / "data", "--engine", "scripted") as server:
        assert await kept(server, "hall") == numbers(0, end)


async def test_a_stop_on_a_full_disk_comes_to_its_end(small_disk: Path) -> None:
    """SIGTERM ends a server that cannot save inside its time."""
    options = ("--engine", "scripted", "--stop-within-s", "1")
    with serving(small_disk / "data", *options) as server:
        async with connect(audio_url(server, "hall")) as source, viewer(server, "hall") as display:
            fill(small_disk)
            for piece in cut(marked_audio(range(3000)), [64_000]):
                await source.send(piece)
            await read_words(display, 3000)
            await asyncio.to_thread(server.stop)
