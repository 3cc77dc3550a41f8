"""What every viewer is promised, by WebSocket and by server-sent events, on both paths.

"direct": our own protocol hands the transport to the fan-out. "plain": any other ASGI server.
"""

import asyncio
import json
import socket
import struct
from typing import Any, get_args

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from tests.viewers import Frames, Hall, Medium, Path, hall, take, viewer

pytestmark = pytest.mark.filterwarnings("ignore:unclosed transport")


@pytest.fixture(params=get_args(Path))
def path(request: pytest.FixtureRequest) -> Path:
    chosen: Path = request.param
    return chosen


@pytest.fixture(params=get_args(Medium))
def medium(request: pytest.FixtureRequest) -> Medium:
    chosen: Medium = request.param
    return chosen


def numbers(frames: list[dict[str, Any]]) -> list[int]:
    return [frame["seq"] for frame in frames if frame.get("seq") is not None]


async def read_until(frames: Frames, last: int) -> list[dict[str, Any]]:
    """Return all frames up to the entry with that number."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(15):
        while not found or found[-1].get("seq") != last:
            found.append(await anext(frames))
    return found


@pytest.mark.parametrize("after", [0, 31, 32, 199, 200, 640, 899])
async def test_who_comes_back_gets_what_it_missed_once_and_in_order(
    path: Path, medium: Medium, after: int
) -> None:
    """From the log's pages, the window and live, from any number on."""
    async with (
        hall(path, past=900) as room,
        viewer(room, medium, f"v=1&after={after}") as frames,
    ):
        first = await take(frames, 1)
        for _ in range(20):
            await room.say()
        found = await read_until(frames, 920)
    assert first[0]["type"] == "state"
    assert numbers(found) == list(range(after + 1, 921))


async def test_each_viewer_sees_what_it_asked_for(path: Path, medium: Medium) -> None:
    """Text only, guesses too, or all there is; in one room at once."""
    async with (
        hall(path) as room,
        viewer(room, medium, "after=0") as text,
        viewer(room, medium, "after=0&partial=true") as guesses,
        viewer(room, medium, "after=0&v=1") as everything,
    ):
        await room.has(3)
        assert (await take(everything, 1))[0]["type"] == "state"
        for number in range(1, 9):
            await room.guess(f"guess {number}")
            await asyncio.sleep(0)
            await room.say()
        only_text, all_text = await read_until(text, 8), await read_until(guesses, 8)
        all_entries = await read_until(everything, 8)
    assert [frame["seq"] for frame in only_text] == [1, 2, 3, 4, 5, 6, 8]
    assert numbers(all_text) == [1, 2, 3, 4, 5, 6, 8]
    assert any(frame["is_partial"] for frame in all_text)
    assert [frame["seq"] for frame in all_entries] == list(range(1, 9))


def stalled(room: Hall, medium: Medium) -> socket.socket:
    """Return a viewer that asks and does not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", room.port))
    upgrade = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    path = room.ws if medium == "socket" else room.events
    target = "/" + path.split("/", 3)[3] + "?partial=true&after=0"
    extra = upgrade if medium == "socket" else ""
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n{extra}\r\n".encode())
    return sock


async def test_a_viewer_that_stops_reading_harms_nobody_and_finds_every_final(
    path: Path, medium: Medium
) -> None:
    """The others get everything meanwhile; the slow one finals only, when it reads on."""
    async with hall(path) as room, viewer(room, medium, "partial=true&after=0") as healthy:
        await room.has(1)
        with stalled(room, medium) as slow:
            await room.has(2)
            heard = asyncio.ensure_future(read_until(healthy, 800))
            for number in range(1, 801):
                await room.guess(f"guess {number} " + "x" * 300)
                await room.say(f"n{number} " + "y" * 300)
                if number % 8 == 0:
                    await asyncio.sleep(0)
            assert len(set(numbers(await heard))) == len(numbers(await heard)) == 686
            data = await asyncio.to_thread(_read_until, slow, b'"seq":800,')
    found = [int(part.split(b",")[0]) for part in data.split(b'"seq":')[1:] if part[:1] != b"n"]
    assert found == [number for number in range(1, 801) if number % 7]
    assert data.count(b"guess ") < 700


def _read_until(sock: socket.socket, end: bytes, times: int = 1) -> bytes:
    sock.settimeout(15)
    data = b""
    while data.count(end) < times:
        part = sock.recv(65536)
        assert part, "the connection ended early"
        data += part
    return data


async def test_pings_are_answered_and_a_close_is_answered(path: Path) -> None:
    """RFC 6455, sections 5.5.1 and 5.5.2, while captions flow."""
    async with hall(path) as room, connect(f"{room.ws}?after=0", compression=None) as socket_:
        await room.has(1)
        for _ in range(3):
            await room.say()
            async with asyncio.timeout(5):
                await (await socket_.ping())
        assert [json.loads(await socket_.recv())["seq"] for _ in range(3)] == [1, 2, 3]
        await socket_.close(1000)
        assert socket_.close_code == 1000
        await room.has(0)


def masked(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


CHATTER = [
    masked(Opcode.TEXT, b"hel", fin=False),
    masked(Opcode.PING, b"in between"),
    masked(Opcode.CONT, b"lo"),
    masked(Opcode.BINARY, bytes(70_000)),
    masked(Opcode.PONG, b"nobody asked"),
] * 20


async def test_what_a_viewer_says_is_dropped(path: Path) -> None:
    """Fragments with control frames between them, long messages, unasked pongs: all the same."""
    async with hall(path) as room:
        with stalled(room, "socket") as talker:
            await room.has(1)
            talker.setblocking(False)
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(10):
                for frame in CHATTER:
                    await loop.sock_sendall(talker, frame)
            await asyncio.to_thread(_read_until, talker, b"in between", 20)
            await room.say("after all that")
            await room.say("after all that")
            await asyncio.to_thread(_read_until, talker, b"after all that")


RUBBISH = {
    "a reserved opcode": b"\x83\x80\0\0\0\0",
    "no mask": b"\x81\x05hello",
    "a control frame in parts": b"\x09\x80\0\0\0\0",
    "a control frame too long": b"\x89\xfe" + struct.pack("!H", 200) + bytes(204),
    "a message too long": b"\x82\xff" + struct.pack("!Q", 2**40) + bytes(4),
}


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=list(RUBBISH))
async def test_rubbish_ends_its_own_connection_only(path: Path, rubbish: bytes) -> None:
    """It is closed with a code, and the others read on."""
    async with hall(path) as room, viewer(room, "socket", "after=0") as healthy:
        await room.has(1)
        with stalled(room, "socket") as hostile:
            await room.has(2)
            hostile.sendall(rubbish)
            await room.has(1)
            hostile.settimeout(5)
            data = b"".join(iter(lambda: hostile.recv(65536), b""))
        await room.say()
        assert numbers(await take(healthy, 1)) == [1]
    assert data.split(b"\r\n\r\n", 1)[1][:1] == b"\x88"


async def test_rubbish_behind_an_unanswered_handshake_leaves_nothing_behind(path: Path) -> None:
    """Whenever it is read, the connection ends with its viewer, and the others read on."""
    async with hall(path) as room, viewer(room, "socket", "after=0") as healthy:
        await room.has(1)
        for _ in range(20):
            with stalled(room, "socket") as hostile:
                await asyncio.sleep(0)
                hostile.sendall(bytes(range(256)) * 100)
                await asyncio.sleep(0)
        await room.has(1)
        await room.say()
        assert numbers(await take(healthy, 1)) == [1]


async def test_a_stop_ends_sockets_with_1012(path: Path) -> None:
    """So that viewers come back, and no caption follows the close frame."""
    async with hall(path) as room:
        socket_ = await connect(f"{room.ws}?after=0", compression=None)
        await room.has(1)
    with pytest.raises(ConnectionClosed):
        await socket_.recv()
    assert socket_.close_code == 1012
