"""The upload tutorial's session works as its readers type it. docs/reference/predecessors.md."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from parola.engines.scripted import marked_audio
from tests.audio_files import KINDS, audio_file, tone, wav
from tests.servers import RunningServer, serving
from tests.system.talks import DEADLINE_S, neighbour, numbers

WSCAT = Path(__file__).parents[1] / "npm" / "node_modules" / ".bin" / "wscat"

SEEN = [numbers(0, end) for end in range(1, 11)] + ["10", "10 11", "10 11 12", "10 11 12"]
"""What a scripted engine says of `marked_audio(range(13))`: partials, a final, and so on."""

PUSH = {
    "opus.ogg": "audio/ogg",
    "mp4": "audio/mp4",
    "mkv": "audio/x-matroska",
}
"""Content types of the kinds whose names do not say them."""


def upload(
    server: RunningServer, data: bytes, name: str = "test.wav", kind: str = "audio/wav"
) -> httpx.Response:
    """Send a file as the article's form does."""
    return httpx.post(f"{server.url}/audio", files={"file": (name, data, kind)}, timeout=DEADLINE_S)


def talk() -> bytes:
    """Return a recording of the numbers 0 to 12."""
    return wav(marked_audio(range(13)))


async def read(socket: ClientConnection, count: int) -> list[str | bytes]:
    """Return the next frames."""
    async with asyncio.timeout(DEADLINE_S):
        return [await socket.recv() for _ in range(count)]


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """Return the code and the reason with which the server closes, which has nothing to say."""
    with pytest.raises(ConnectionClosed) as end:
        await asyncio.wait_for(socket.recv(), DEADLINE_S)
    assert end.value.rcvd
    return end.value.rcvd.code, end.value.rcvd.reason


def test_an_upload_answers_its_name(scripted: RunningServer) -> None:
    """POST /audio answers 200 with a JSON string: the name that /stream accepts."""
    answer = upload(scripted, talk(), "my talk è.wav")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == "my talk è.wav"


def test_an_upload_by_curl_is_the_same(scripted: RunningServer, tmp_path: Path) -> None:
    """The shell's usual client is understood, with the type it guesses and without one."""
    curl = shutil.which("curl")
    if curl is None:
        reason = "curl is not installed; apt-get install curl"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    (tmp_path / "test.wav").write_bytes(talk())
    (tmp_path / "test.unknown").write_bytes(talk())

    def post(form: str) -> str:
        command = [curl, "-s", "-w", " %{http_code}", "-F", form, f"{scripted.url}/audio"]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    assert post("file=@test.wav;type=audio/wav") == '"test.wav" 200'
    assert post("file=@test.unknown") == '{"detail":"Only audio files are allowed"} 400'


@pytest.mark.parametrize("kind", ["text/plain", "video/mp4", "application/octet-stream", "audio"])
def test_another_content_type_is_refused(scripted: RunningServer, kind: str) -> None:
    """What does not call itself audio answers 400 with the article's very words."""
    answer = upload(scripted, talk(), "refused.wav", kind)
    assert answer.status_code == 400
    assert answer.text == '{"detail":"Only audio files are allowed"}'
    assert not (scripted.data / "uploads" / "refused.wav").exists()


def test_no_content_type_is_refused(scripted: RunningServer) -> None:
    """A part that does not say what it is answers 400, where the original answered 500."""
    body = (
        b'--cut\r\nContent-Disposition: form-data; name="file"; filename="refused.wav"\r\n\r\n'
        + talk()
        + b"\r\n--cut--\r\n"
    )
    answer = httpx.post(
        f"{scripted.url}/audio",
        content=body,
        headers={"content-type": "multipart/form-data; boundary=cut"},
    )
    assert answer.status_code == 400
    assert answer.text == '{"detail":"Only audio files are allowed"}'


async def test_every_partial_and_final_is_a_bare_frame(scripted: RunningServer) -> None:
    """A name answers with bare text, in order and nothing else, as often as it is sent."""
    upload(scripted, talk())
    async with connect(f"{scripted.ws}/stream") as socket:
        for name in ("test.wav", "test.wav", "  test.wav\n"):
            await socket.send(name)
            assert await read(socket, len(SEEN)) == SEEN
        for _ in range(2):  # sent ahead: one after the other
            await socket.send("test.wav")
        await socket.send(" ")
        assert await read(socket, 2 * len(SEEN)) == SEEN + SEEN
        assert await closed(socket) == (1000, "")


async def test_a_rooms_settings_hold_for_a_file_too(scripted: RunningServer) -> None:
    """Named a room, the stream takes its words and replacements, and leaves nothing in it."""
    url = f"{scripted.url}/api/rooms/Terms%20here"
    rule = {"heard": "10 11", "shown": "ten eleven"}
    assert httpx.put(f"{url}/settings", json={"replacements": [rule]}).is_success
    upload(scripted, talk())
    async with connect(f"{scripted.ws}/stream?room=Terms%20here") as socket:
        await socket.send("test.wav")
        frames = await read(socket, len(SEEN))
    assert frames[-1] == "ten eleven 12"
    assert frames[9] == SEEN[9]
    assert httpx.get(f"{url}/transcript.txt").status_code == 404
    async with connect(f"{scripted.ws}/stream?room=%2F") as socket:
        assert (await closed(socket))[0] == 1008


@pytest.mark.parametrize("space", [" ", "", "\n", " \t\r\n", "\u00a0"])
async def test_white_space_says_goodbye(scripted: RunningServer, space: str) -> None:
    """A frame of white space closes with 1000 and no reason."""
    async with connect(f"{scripted.ws}/stream") as socket:
        await socket.send(space)
        assert await closed(socket) == (1000, "")


async def test_a_new_upload_of_the_name_is_the_next_answer(scripted: RunningServer) -> None:
    """Who sends the name again after another upload hears the new recording."""
    async with connect(f"{scripted.ws}/stream") as socket:
        for first in (0, 500):
            upload(scripted, wav(marked_audio([first])), "again.wav")
            await socket.send("again.wav")
            assert await read(socket, 2) == [str(first)] * 2


@pytest.mark.parametrize(
    "name", ["nothing.wav", "../parola.sqlite3", "/etc/passwd", "a\0b", "x" * 300, "{}"]
)
async def test_an_unknown_file_closes_with_a_reason(scripted: RunningServer, name: str) -> None:
    """A name that was not uploaded is told so, and nobody else notices."""
    upload(scripted, talk())
    async with neighbour(scripted), connect(f"{scripted.ws}/stream") as other:
        await other.send("test.wav")
        async with connect(f"{scripted.ws}/stream") as socket:
            await socket.send(name)
            code, reason = await closed(socket)
        assert await read(other, len(SEEN)) == SEEN
    assert code == 1008
    assert re.match("(not_found|bad_message): [A-Z]", reason)


async def test_sound_is_no_name(scripted: RunningServer) -> None:
    """A binary frame closes with a reason that says what to send."""
    async with connect(f"{scripted.ws}/stream") as socket:
        await socket.send(bytes(3200))
        code, reason = await closed(socket)
    assert (code, reason) == (1008, "bad_message: Send the name of an uploaded file as text.")


@pytest.mark.parametrize("kind", KINDS)
async def test_any_container_and_rate_is_taken(scripted: RunningServer, kind: str) -> None:
    """Only PCM at 16 kHz worked in the article; here every usual recording is heard whole."""
    name = f"kind.{kind}"
    sent_as = PUSH.get(kind, f"audio/{kind.split('.', maxsplit=1)[0]}")
    assert upload(scripted, audio_file(kind, tone(4.1)), name, sent_as).json() == name
    async with connect(f"{scripted.ws}/stream") as socket:
        await socket.send(name)
        await socket.send(" ")
        async with asyncio.timeout(DEADLINE_S):
            frames = [frame async for frame in socket]
    # A word each 0.4 s of sound, whatever rate and container it came in.
    assert "word for word the room is heard and every screen" in frames


def test_swagger_ui_offers_the_upload(scripted: RunningServer) -> None:
    """/docs is Swagger UI, served by us alone, and its form asks for a file."""
    page = httpx.get(f"{scripted.url}/docs").text
    assert "swagger-ui" in page
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    for link in links:
        assert link.startswith("/")
        assert httpx.get(f"{scripted.url}{link}").status_code == 200
    form = httpx.get(f"{scripted.url}/openapi.json").json()["paths"]["/audio"]["post"]
    schema = form["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert schema["properties"]["file"] == {"type": "string", "format": "binary"}
    assert schema["required"] == ["file"]


class Terminal:
    """wscat in a terminal of its own, typed into through a pipe."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._screen = ""

    def type(self, text: str) -> None:
        """Type it."""
        assert self._process.stdin
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def read_until(self, text: str) -> str:
        """Return what is printed up to and with the text; the test's timeout is the deadline."""
        assert self._process.stdout
        while text not in self._screen:
            data = os.read(self._process.stdout.fileno(), 65_536)
            assert data, f"wscat ended before {text!r}:\n{self._screen}"
            self._screen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode())
        before, _, self._screen = self._screen.partition(text)
        return before + text


@contextmanager
def wscat(url: str) -> Iterator[Terminal]:
    """Run the real wscat, as the article's reader does."""
    if not WSCAT.exists() or not shutil.which("script"):
        reason = "wscat needs npm and script(1): run scripts/npm-tools"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    command = shlex.join([str(WSCAT), "-c", url])
    with subprocess.Popen(
        ["script", "-qc", command, "/dev/null"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield Terminal(process)
        finally:
            process.kill()


def printed(screen: str) -> list[str]:
    """Return the frames on the screen: wscat writes "< " before each."""
    return [line.strip() for line in re.findall(r"< ([^\r\n]*)", screen)]


@pytest.mark.node
@pytest.mark.timeout(60)
def test_the_article_s_session_in_wscat(scripted: RunningServer) -> None:
    """Connect, the name, growing lines and the final; again; a space: disconnected."""
    upload(scripted, talk())
    with wscat(f"{scripted.ws}/stream") as terminal:
        terminal.read_until("Connected (press CTRL+C to quit)")
        for _ in range(2):
            terminal.type("test.wav\n")
            screen = terminal.read_until("< 10 11 12\r\n") + terminal.read_until("< 10 11 12\r\n")
            assert printed(screen) == SEEN
        terminal.type(" \n")
        assert not printed(terminal.read_until('Disconnected (code: 1000, reason: "")'))


@pytest.mark.node
@pytest.mark.timeout(60)
def test_wscat_prints_why_a_name_is_refused(scripted: RunningServer) -> None:
    """A typing error is answered with a sentence in the terminal."""
    with wscat(f"{scripted.ws}/stream") as terminal:
        terminal.read_until("Connected (press CTRL+C to quit)")
        terminal.type("tset.wav\n")
        terminal.read_until('Disconnected (code: 1008, reason: "not_found: There is no uploaded')


@pytest.mark.node
@pytest.mark.audio
@pytest.mark.timeout(60)
def test_the_article_s_session_with_real_speech(real: RunningServer, recordings: Path) -> None:
    """The embedded engine's partials grow line by line up to the final, twice the same."""
    speech = (recordings / "speech" / "harvard-spk1_snt5.wav").read_bytes()
    assert upload(real, speech).json() == "test.wav"
    with wscat(f"{real.ws}/stream") as terminal:
        terminal.read_until("Connected (press CTRL+C to quit)")
        terminal.type("test.wav\n")
        terminal.type("test.wav\n")
        terminal.type(" \n")
        lines = printed(terminal.read_until('Disconnected (code: 1000, reason: "")'))
    assert len(set(lines)) > 2
    assert "week" in lines[-1]
    assert lines.count(lines[-1]) >= 2


async def test_several_ports_serve_the_same_rooms(tmp_path: Path) -> None:
    """Every older client finds its own default port: one server listens on all of them."""
    with serving(tmp_path / "data", "--engine", "scripted", ports=3) as server:
        assert len(set(server.urls)) == 3
        first, second, third = server.urls
        for url in server.urls:
            assert httpx.get(f"{url}/healthz").status_code == 200
        files = {"file": ("test.wav", talk(), "audio/wav")}
        assert httpx.post(f"{second}/audio", files=files).json() == "test.wav"
        async with connect(f"{third.replace('http', 'ws')}/stream") as socket:
            await socket.send("test.wav")
            assert await read(socket, len(SEEN)) == SEEN
        assert json.loads(httpx.get(f"{first}/api/sale").text) == {"sale": []}


async def test_a_listener_who_leaves_harms_nobody(scripted: RunningServer) -> None:
    """Who goes away in mid-file leaves nothing running, and the others' text comes."""
    upload(scripted, wav(marked_audio(range(6000))), "long.wav")
    upload(scripted, talk())
    async with neighbour(scripted):
        for _ in range(40):  # more than the server recognises at the same time
            socket = await connect(f"{scripted.ws}/stream")
            await socket.send("long.wav")
            await read(socket, 1)
            socket.transport.abort()
            await socket.wait_closed()
        async with connect(f"{scripted.ws}/stream") as socket:
            await socket.send("test.wav")
            assert await read(socket, len(SEEN)) == SEEN
