"""What attackers try; each attack has its test. Nobody gets in, and memory stays bounded."""

import asyncio
import base64
import http.client
import io
import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import av
import httpx
import jwt
import numpy as np
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from parola.domain.access import Role, claims, new_token
from parola.engines.scripted import marked_audio
from parola.server.roles import RULES
from tests.closed import Closed, closed
from tests.system.talks import start_message

SECOND = bytes(32_000)

STRANGER = {"x-forwarded-for": "203.0.113.7"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    with closed(tmp_path_factory.mktemp("attacks")) as one:
        yield one


async def status_of(house: Closed, path: str, headers: dict[str, str] | None = None) -> int:
    """Return what a handshake is answered: 101 if the socket opens."""
    try:
        async with connect(house.server.ws + path, additional_headers=headers or {}, proxy=None):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def raw(house: Closed, request: bytes) -> bytes:
    """Return what the server answers to bytes that no client library would send."""
    at = urlsplit(house.server.url)
    with socket.create_connection((at.hostname or "", at.port or 0), 20) as sock:
        sock.sendall(request)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
        return answer


def filled(path: str) -> str:
    """Return a path as somebody asks for it."""
    return re.sub("{[^}]*}", "a", path.replace("{form}", "srt").replace("{number}", "1"))


async def test_recordings_are_for_who_may_speak_everywhere(house: Closed) -> None:
    """They belong to no room: a token for one room, or for reading, reaches none of them."""
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        for token in (await house.headers("speak", room="a"), await house.headers("read")):
            assert (await client.get("/api/jobs", headers=token)).status_code == 403
            answer = await client.post("/api/jobs", content=b"x", headers=token)
            assert answer.status_code == 403
        token = await house.headers("speak")
        assert (await client.get("/api/jobs", headers=token)).json() == {"jobs": []}


async def test_without_a_token_nobody_gets_in(house: Closed) -> None:
    """Every endpoint that people may not use answers 401, every socket 403, both with a remedy."""
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        gets = [rule.path for rule in RULES if rule.method == "GET" and rule.role]
        for path in (*(filled(path) for path in gets), "/nothing"):
            answer = await client.get(path)
            assert answer.status_code == 401, path
            assert answer.json()["code"] == "token_needed"
            assert "parola token" in answer.json()["detail"]
        assert (await client.post("/audio", files={"file": b""})).status_code == 401
        assert (await client.put("/api/rooms/a/settings", json={})).status_code == 401
        assert (await client.get("/healthz")).status_code == 200
        page = await client.get("/rooms/a", headers={"accept": "text/html"})
        assert (page.status_code, "Token" in page.text) == (401, True)
        assert (await client.post("/api/jobs", content=b"x")).status_code == 401
    sockets = [filled(rule.path) for rule in RULES if rule.method == "WebSocket"]
    assert "/ws/jobs/a" in sockets
    for path in (*sockets, "/ws/transcript/a?partial=true", "/nothing"):
        assert await status_of(house, path) == 403


async def test_a_call_is_a_room(house: Closed) -> None:
    """The pipeline's clients name the room in the query; the one that counts is the one checked."""
    token = await house.token("speak", room="mine")
    ways = {
        f"?callId=mine&token={token}": 101,
        f"?callId=other&token={token}": 403,
        f"?callId=other&callId=mine&token={token}": 101,
        f"?callId=mine&callId=other&token={token}": 403,
        f"?token={token}": 403,
    }
    for query, status in ways.items():
        assert await status_of(house, f"/api/stt/transcribe{query}") == status
    assert await status_of(house, f"/api/stt/connect?callId=mine&token={token}") == 403


@pytest.mark.parametrize("how", ["query", "bearer", "basic"])
async def test_a_token_lets_in_where_it_is_for(house: Closed, how: str) -> None:
    """All the ways in which old clients can carry one lead into the room, and nowhere else."""
    token = await house.token("speak", room="Sala à")
    headers = {
        "query": {},
        "bearer": {"authorization": f"Bearer {token}"},
        "basic": {"authorization": f"Basic {base64.b64encode(f'u:{token}'.encode()).decode()}"},
    }[how]
    query = f"?lang=it-IT&token={token}" if how == "query" else "?lang=it-IT"
    assert await status_of(house, f"/ws/audio/Sala%20%C3%A0{query}", headers) == 101
    assert await status_of(house, f"/ws/audio/Sala%20a%CC%80{query}", headers) == 101
    assert await status_of(house, f"/ws/audio/other{query}", headers) == 403
    assert await status_of(house, f"/ws/transcript/Sala%20%C3%A0{query}", headers) == 403
    assert await status_of(house, f"/stream{query}", headers) == 403


async def test_a_token_of_another_role_room_or_time(house: Closed) -> None:
    """Reading does not let speak or operate; a room is not another; what is over is over."""
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        read = await house.headers("read", room="a")
        assert (await client.get("/api/rooms/a/settings", headers=read)).status_code == 403
        assert (await client.post("/api/rooms/a/sample", headers=read)).status_code == 403
        assert (await client.get("/rooms/b", headers=read)).status_code == 403
        assert (await client.get("/rooms/a", headers=read)).status_code == 200
        assert (await client.get("/metrics", headers=read)).status_code == 403
        assert (await client.get("/api/rooms", headers=read)).json() == {"rooms": []}
        operator = await house.headers("operate", room="a")
        assert (await client.get("/api/rooms/a/settings", headers=operator)).status_code == 200
        assert (await client.get("/metrics", headers=operator)).status_code == 403
        old = {"authorization": f"Bearer {await house.token('operate', life_s=-60)}"}
        answer = await client.get("/rooms/a", headers=old)
        assert (answer.status_code, "passed its time" in answer.text) == (401, True)


async def test_lists_hold_only_what_may_be_read(house: Closed) -> None:
    """A reader of one room does not learn that there are others, nor what they cost."""
    async with AsyncExitStack() as held, httpx.AsyncClient(base_url=house.server.url) as client:
        everything = await house.token("operate")
        for room in ("mine", "secret"):
            url = f"{house.server.ws}/ws/transcript/{room}?token={everything}"
            await held.enter_async_context(connect(url, proxy=None))
        headers = await house.headers("read", room="mine")
        rooms = (await client.get("/api/rooms", headers=headers)).json()["rooms"]
        assert [room["name"] for room in rooms] == ["mine"]
        sale = (await client.get("/api/sale", headers=headers)).json()
        assert sale == {"sale": ["mine"]}


async def test_a_search_finds_only_what_may_be_read(house: Closed) -> None:
    """Neither the list of talks nor a search tells a reader of one room of another's words."""
    everything = await house.token("operate")
    for room in ("readable", "closed"):
        url = f"{house.server.ws}/ws/audio/{room}?token={everything}"
        async with connect(url, proxy=None) as source:
            await source.send(start_message())
            await source.send(marked_audio(range(10)))
            await source.send('{"type":"end"}')
            async for _ in source:
                pass
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        all_of_it = {"authorization": f"Bearer {everything}"}
        found = (await client.get("/api/search", params={"q": "3"}, headers=all_of_it)).json()
        assert {line["room"] for line in found["lines"]} == {"readable", "closed"}
        headers = await house.headers("read", room="readable")
        found = (await client.get("/api/search", params={"q": "3"}, headers=headers)).json()
        assert {line["room"] for line in found["lines"]} == {"readable"}
        other = await client.get(
            "/api/search", params={"q": "3", "room": "closed"}, headers=headers
        )
        assert other.status_code == 403
        talks = (await client.get("/api/talks", headers=headers)).json()["talks"]
        assert {talk["room"] for talk in talks} == {"readable"}


FORGED: list[tuple[str, bytes, str]] = [
    ("a key of our own", b"k" * 32, "HS256"),
    ("no algorithm", b"", "none"),
    ("another algorithm", b"k" * 64, "HS512"),
]


@pytest.mark.parametrize(("key", "algorithm"), [f[1:] for f in FORGED], ids=[f[0] for f in FORGED])
async def test_forged_tokens(house: Closed, key: bytes, algorithm: str) -> None:
    """A token that was not signed here is worth nothing, whatever it says of itself."""
    roles: list[Role] = ["operate"]
    forged = claims(new_token("a" * 12, "Eve", roles, None, int(time.time()), 600))
    text = jwt.encode(forged, key or "", algorithm=algorithm)
    assert await status_of(house, f"/ws/audio/a?token={text}") == 403
    real = await house.token("read", room="a")
    head, _, signature = real.split(".")
    body = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    for mixed in (f"{head}.{body}.{signature}", f"{head}.{body}.", real[:-2], real * 20, "é", "."):
        with suppress(UnicodeError):
            async with httpx.AsyncClient(base_url=house.server.url) as client:
                answer = await client.get("/api/audit", params={"token": mixed})
                assert answer.status_code in {401, 403}


async def test_a_revoked_token(house: Closed) -> None:
    """What goes on by it is ended, with a reason; it opens nothing any more."""
    token, text = await house.both("read", room="a")
    async with connect(f"{house.server.ws}/ws/transcript/a?token={text}", proxy=None) as viewer:
        await house.revoke(token)
        with pytest.raises(ConnectionClosed) as closed_by:
            async with asyncio.timeout(10):
                await viewer.recv()
    assert closed_by.value.rcvd is not None
    assert closed_by.value.rcvd.code == 1008
    assert closed_by.value.rcvd.reason.startswith("token_needed: ")
    assert await status_of(house, f"/ws/transcript/a?token={text}") == 403


async def test_who_speaks_our_messages_is_told_in_them(house: Closed) -> None:
    """A browser hides a refused handshake; with v=1 the socket opens to say why it is closed."""
    async with connect(f"{house.server.ws}/ws/transcript/a?v=1", proxy=None) as viewer:
        message = json.loads(await viewer.recv())
        assert (message["type"], message["code"]) == ("error", "token_needed")
        with pytest.raises(ConnectionClosed):
            await viewer.recv()
        assert viewer.close_code == 1008


async def test_a_link_becomes_a_cookie(house: Closed) -> None:
    """No script reads it, no other site sends it, and the token leaves the address."""
    token = await house.token("read", room="a")
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        answer = await client.get(f"/enter?token={token}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/rooms/a")
        flags = answer.headers["set-cookie"].lower()
        assert "httponly" in flags
        assert "samesite=lax" in flags
        assert "secure" not in flags
        assert (await client.get("/rooms/a")).status_code == 200
        secure = await client.get(f"/enter?token={token}", headers={"x-forwarded-proto": "https"})
        assert "secure" in secure.headers["set-cookie"].lower()
        there = await client.get(f"/sala/a?partial=true&token={token}")
        assert (there.status_code, there.headers["location"]) == (303, "/sala/a?partial=true")
        assert (await client.get("/enter?token=wrong")).status_code == 401


@pytest.mark.parametrize(
    "where", ["//evil.example", "https://evil.example", "/\\evil.example", "/x\r\nset-cookie:a=b",
              "javascript:alert(1)", "/\u2028x", "\\\\evil.example"],
)  # fmt: skip
async def test_a_link_leads_nowhere_else(house: Closed, where: str) -> None:
    """Signing in does not send people to other sites, and puts nothing into the headers."""
    token = await house.token("read", room="a")
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        answer = await client.get("/enter", params={"token": token, "next": where})
        assert answer.headers["location"] == "/rooms/a"
        assert len(answer.headers.get_list("set-cookie")) == 1


async def test_other_sites_cannot_use_a_visitor(house: Closed) -> None:
    """Neither a form (CSRF) nor a socket of another origin does anything by somebody's cookie."""
    token = await house.token("operate")
    cookie = {"cookie": f"parola-x={token}"}
    host = urlsplit(house.server.url).netloc
    own = {**cookie, "origin": house.server.url}
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        for tricked in (
            {**cookie, "origin": "https://evil.example"},
            {**cookie, "origin": "null"},
            {**cookie, "origin": f"http://{host}.evil.example"},
            {**cookie, "sec-fetch-site": "cross-site"},
            {**cookie, "sec-fetch-site": "same-site"},
            cookie,
        ):
            answer = await client.put("/api/rooms/a/settings", json={}, headers=tricked)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
            assert await status_of(house, "/ws/audio/a", tricked) == 403
            assert await status_of(house, "/ws/transcript/a", tricked) == 403
        answer = await client.put("/api/rooms/a/settings", json={}, headers=own)
        assert answer.status_code == 200
        assert await status_of(house, "/ws/transcript/a", own) == 101


async def test_a_proxy_that_is_not_trusted_is_not_believed(tmp_path: Path) -> None:
    """On loopback without tokens, no stranger comes in by a proxy, another name or another site."""
    from tests.servers import serving  # noqa: PLC0415 - an open one, unlike the others here

    with serving(tmp_path / "data", "--engine", "scripted") as server:
        open_house = Closed(server)
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/api/rooms")).status_code == 200
            for elsewhere in (
                {"host": "captions.example.org"},
                {"host": "127.0.0.1.evil.example"},
                {"x-forwarded-for": "127.0.0.1"},
                {"x-forwarded-host": "localhost"},
            ):
                assert (await client.get("/api/rooms", headers=elsewhere)).status_code == 403
            evil = {"origin": "https://evil.example"}
            assert (await client.post("/api/rooms/a/sample", headers=evil)).status_code == 403
            assert await status_of(open_house, "/ws/transcript/a", evil) == 403
            here = {"origin": "http://localhost:5173"}
            assert await status_of(open_house, "/ws/transcript/a", here) == 101


async def test_traversal(house: Closed) -> None:
    """No path and no name leads out of the folders that are served."""
    token = await house.token("operate")
    at = urlsplit(house.server.url)
    for path in ("/static/../../../../etc/passwd", "/static/%2e%2e/%2e%2e/wiring.py",
                 "/static/..%2f..%2fwiring.py", "/static//etc/passwd", "/static/%2Fetc%2Fpasswd",
                 "/static/swagger/..%2f..%2f__init__.py", "/static/....//....//wiring.py",
                 "/static/%00", "/rooms/..%2f..", "/api/rooms/..%2f..%2fx/transcript.txt",
                 "/api/rooms/%2e%2e/transcript.txt"):  # fmt: skip
        connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=20)
        connection.request("GET", path, headers={"authorization": f"Bearer {token}"})
        found = connection.getresponse()
        body = found.read()
        assert found.status in {400, 404}, path
        assert b"root:" not in body
        assert b"import" not in body
        connection.close()
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        headers = {"authorization": f"Bearer {token}"}
        for name in ("../x.wav", "/etc/cron.d/x", "..\\x.wav", ".x", "a\0b"):
            file = {"file": (name, b"RIFF", "audio/wav")}
            answer = await client.post("/audio", files=file, headers=headers)
            assert answer.status_code in {400, 415}, name
    assert {p.name for p in house.server.data.parent.iterdir()} == {"data", "server.log"}


async def test_header_injection(house: Closed) -> None:
    """Names from outside add no header to an answer, and a request cannot smuggle another."""
    token = await house.token("operate")
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        for path in ("/api/rooms/a%0d%0aSet-Cookie:%20x=y/transcript.txt",
                     f"/rooms/a%0d%0aX-Evil:1?token={token}&b=%0d%0aX-Evil:1"):  # fmt: skip
            answer = await client.get(path, headers={"authorization": f"Bearer {token}"})
            assert "x-evil" not in answer.headers
            assert "x=y" not in answer.headers.get("set-cookie", "")
    host = b"x\"; script-src 'unsafe-inline'"
    reply = raw(house, b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert b"unsafe-inline" not in reply
    both = b"POST /audio HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    reply = raw(house, both + b"Connection: close\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n")
    assert reply.count(b"HTTP/1.1 ") == 1


async def test_log_injection_and_audit(house: Closed) -> None:
    """What operators do is written down, who tries too; nobody's name makes a line of its own."""
    headers = await house.headers("operate", room="main")
    everything = await house.headers("operate")
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        secret = {"terms": {"phrases": ["Xenophon"]}}
        await client.put("/api/rooms/main/settings", json=secret, headers=headers)
        evil = "/api/rooms/x%0a2026-01-01%20ERROR%20forged/settings"
        await client.put(evil, json={}, headers=everything)
        audit = (await client.get("/api/audit", headers=everything)).json()["audit"]
    done = next(entry for entry in audit if entry["action"] == "PUT /api/rooms/main/settings")
    assert (done["holder"], done["address"], done["status"]) == ("Anna", "127.0.0.1", 200)
    assert len(done["token"]) == 12
    assert "\n" not in json.dumps(audit, ensure_ascii=False)
    assert "Xenophon" not in json.dumps(audit)
    log = (house.server.data.parent / "server.log").read_text()
    assert not re.search(r"^2026-01-01 ERROR forged", log, re.MULTILINE)
    assert (house.server.data / "access.sqlite3").stat().st_mode & 0o077 == 0


async def test_oversized_bodies(house: Closed) -> None:
    """A body over the limit is refused before it is in memory, whether it says so or not."""
    headers = await house.headers("operate")

    async def endless() -> "asyncio.AsyncIterator[bytes]":  # type: ignore[name-defined]
        for _ in range(64):
            yield bytes(2**16)

    async with httpx.AsyncClient(base_url=house.server.url, timeout=20) as client:
        url = "/api/rooms/a/settings"
        answer = await client.put(url, content=bytes(3 * 2**20), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        answer = await client.put(url, content=endless(), headers=headers)
        assert answer.status_code == 413
        large = {**headers, "content-length": str(3 * 2**31)}
        head = "".join(f"{name}: {value}\r\n" for name, value in large.items())
        for path in ("POST /audio", "POST /api/rooms/a/files?name=x.wav"):
            request = f"{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n"
            assert raw(house, request.encode()).startswith(b"HTTP/1.1 413 ")


async def test_a_thousand_sockets_from_one_address(house: Closed) -> None:
    """They get their share and a reason; everybody else still gets in; memory stays bounded."""
    token = await house.token("read", room="hall")
    url = f"{house.server.ws}/ws/transcript/hall?token={token}"
    process = psutil.Process(house.server.process.pid)
    before = process.memory_info().rss
    async with AsyncExitStack() as held:
        opened, refused = 0, []
        gate = asyncio.Semaphore(50)

        async def one() -> None:
            nonlocal opened
            async with gate:
                try:
                    socket = connect(
                        url, additional_headers=STRANGER, proxy=None, ping_interval=None
                    )
                    await held.enter_async_context(socket)
                    opened += 1
                except InvalidStatus as error:
                    refused.append((error.response.status_code, bytes(error.response.body)))

        await asyncio.gather(*(one() for _ in range(1000)))
        assert opened == 500
        assert {status for status, _ in refused} == {429}
        assert b"--max-per-address" in refused[0][1]
        other = {"x-forwarded-for": "198.51.100.9, 127.0.0.1"}
        assert await status_of(house, f"/ws/transcript/hall?token={token}", other) == 101
        assert process.memory_info().rss - before < 100e6
    # Whoever goes makes room again.
    async with asyncio.timeout(20):
        while await status_of(house, f"/ws/transcript/hall?token={token}", STRANGER) != 101:
            pass


async def test_guessing_is_slow(house: Closed) -> None:
    """After some dozens of wrong tokens an address waits; others do not."""
    guesser = {"x-forwarded-for": "192.0.2.99"}
    async with httpx.AsyncClient(base_url=house.server.url) as client:
        answers = [
            (await client.get("/api/rooms?token=guess", headers=guesser)).status_code
            for _ in range(70)
        ]
        assert answers[0] == 401
        assert answers[-1] == 429
        assert (await client.get("/static/base.css", headers=guesser)).status_code == 200
        other = {"x-forwarded-for": "192.0.2.98"}
        assert (await client.get("/api/rooms", headers=other)).status_code == 401


def flac_of_silence(hours: float) -> bytes:
    """Return hours of digital silence, which FLAC packs some thousandfold."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=48_000, layout="stereo")
        samples = np.zeros((1, 2 * 48_000 * 30), np.int16)
        for second in range(int(hours * 120)):
            frame = av.AudioFrame.from_ndarray(samples, "s16", "stereo")
            frame.sample_rate = 48_000
            frame.pts = second * 48_000 * 30
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


async def test_a_decompression_bomb(house: Closed) -> None:
    """A small file that unpacks to gigabytes is read a little at a time, and can be stopped."""
    bomb = flac_of_silence(1)
    unpacked = 3600 * 48_000 * 4
    assert unpacked / len(bomb) > 500
    headers = await house.headers("operate")
    process = psutil.Process(house.server.process.pid)
    before = process.memory_info().rss
    async with httpx.AsyncClient(base_url=house.server.url, timeout=60) as client:
        url = "/api/rooms/bomb/files?name=bomb.flac&language=en-US&pace=fast"
        assert (await client.post(url, content=bomb, headers=headers)).status_code == 202
        peak = before
        for _ in range(10):
            await asyncio.sleep(0.1)
            peak = max(peak, process.memory_info().rss)
        assert (await client.delete("/api/rooms/bomb/playback", headers=headers)).is_success
    assert peak - before < 80e6
