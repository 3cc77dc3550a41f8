"""The uplink against a small real server that says what a test tells it to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from parola.client.uplink import AHEAD_FRAMES, Sent, Unreachable, Uplink, socket_url, stream
from parola.client.viewer import follow
from parola.domain.audio import RATE_HZ, AudioChunk
from parola.domain.errors import BadAudio, BadMessage, NoEngine, RoomBusy
from parola.domain.vocabulary import language_tag, room_name

CHUNK_FRAMES = 1600

Handler = Callable[[ServerConnection], Awaitable[None]]


def chunks(count: int, frames: int = CHUNK_FRAMES) -> Iterator[AudioChunk]:
    """Yield chunks, each with its number in every sample."""
    for number in range(count):
        sample = (number % 32_000).to_bytes(2, "little")
        yield AudioChunk(number * frames, sample * frames)


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    """Serve on a free port, and give the address."""
    async with serve(handler, "127.0.0.1", 0) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


def uplink(url: str, *, real_time: bool = False, room: str = "main") -> Uplink:
    return Uplink(url, room_name(room), language_tag("en-US"), real_time=real_time)


async def greet(socket: ServerConnection) -> dict[str, object]:
    start: dict[str, object] = json.loads(await socket.recv())
    await socket.send(json.dumps({"type": "ready", "session": "x", "position": 0}))
    return start


async def take_all(socket: ServerConnection) -> list[bytes]:
    """Take a whole talk, acknowledge it at its end, and return its frames."""
    await greet(socket)
    frames = []
    while isinstance(frame := await socket.recv(), bytes):
        frames.append(frame)
    assert json.loads(frame) == {"type": "end"}
    await socket.send(json.dumps({"type": "ack", "position": sum(map(len, frames)) // 2}))
    return frames


async def test_every_chunk_arrives_in_order() -> None:
    """The server gets the start, every chunk once and in order, and the end."""
    taken: list[bytes] = []

    async def handler(socket: ServerConnection) -> None:
        taken.extend(await take_all(socket))

    told: list[Sent] = []
    async with server(handler) as url:
        sent = await stream(chunks(23), uplink(url), told.append)
    assert taken == [chunk.pcm for chunk in chunks(23)]
    assert (sent.sent_frame, sent.safe_frame) == (23 * CHUNK_FRAMES, 23 * CHUNK_FRAMES)
    assert [t.sent_frame for t in told] == sorted(t.sent_frame for t in told)
    assert told[1].level_dbfs > float("-inf")


async def test_the_start_says_what_the_source_is() -> None:
    """The room is in the path, percent-encoded; language, rate and position in the message."""
    seen: list[object] = []

    async def handler(socket: ServerConnection) -> None:
        assert socket.request
        seen.append(socket.request.path)
        seen.append(json.loads(await socket.recv()))
        await socket.close(1008, "bad_message: enough.")

    async with server(handler) as url:
        with pytest.raises(BadMessage, match=r"enough\."):
            await stream(chunks(1), uplink(url, room="Sala à?b"))
    path, start = seen
    assert path == "/ws/audio/Sala%20%C3%A0%3Fb"
    assert isinstance(start, dict)
    assert start.pop("session")
    assert start == {"type": "start", "language": "en-US", "rate": RATE_HZ, "position": 0}


async def test_the_clock_sets_the_pace() -> None:
    """In real time no chunk is sent before the clock has reached its end."""
    now = 100.0
    sent_at: list[tuple[float, float]] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        await asyncio.sleep(0)

    def note(sent: Sent) -> None:
        sent_at.append((now, sent.sent_frame / RATE_HZ))

    async def handler(socket: ServerConnection) -> None:
        await take_all(socket)

    async with server(handler) as url:
        await stream(chunks(40), uplink(url, real_time=True), note, lambda: now, sleep)
    assert all(at >= 100.0 + end_s - 1e-6 for at, end_s in sent_at[:40])
    assert now == pytest.approx(104.0)


async def test_fast_stays_near_what_is_acknowledged() -> None:
    """As fast as possible never means more than a minute and a half ahead of the server."""
    ahead: list[int] = []
    frames = 5 * RATE_HZ

    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        taken = 0
        while isinstance(frame := await socket.recv(), bytes):
            taken += len(frame) // 2
            if taken >= AHEAD_FRAMES:
                await socket.send(
                    json.dumps({"type": "ack", "position": taken - AHEAD_FRAMES // 2})
                )

    def note(sent: Sent) -> None:
        ahead.append(sent.sent_frame - sent.safe_frame)

    async with server(handler) as url:
        await stream(chunks(60, frames), uplink(url), note)
    assert max(ahead) == AHEAD_FRAMES


async def test_a_refusal_comes_in_the_servers_words() -> None:
    """An error message is raised as our class for its code, though a close follows at once."""

    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(
            json.dumps({"type": "error", "code": "room_busy", "message": "Busy; wait."})
        )
        await socket.close(1013, "room_busy: Busy; w")

    async with server(handler) as url:
        with pytest.raises(RoomBusy) as raised:
            await stream(chunks(3), uplink(url))
    assert raised.value.message == "Busy; wait."


async def test_a_refusal_in_mid_talk_ends_the_stream() -> None:
    """An engine that fails while sound is being sent is told, whatever waits to be sent."""

    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.recv()
        await socket.close(1008, "no_engine: The engine has gone; restart it.")

    async with server(handler) as url:
        with pytest.raises(NoEngine, match="The engine has gone; restart it"):
            await stream(chunks(10_000), uplink(url))


@pytest.mark.parametrize("after", ["start", "ready"])
async def test_a_server_that_leaves_early_is_noticed(after: str) -> None:
    """A close in order before the end of the talk is an error, not a success and not a wait."""

    async def handler(socket: ServerConnection) -> None:
        if after == "ready":
            await greet(socket)
        await socket.recv()

    async with server(handler) as url:
        with pytest.raises(Unreachable, match=r"try again|broke"):
            await stream(chunks(10_000), uplink(url))


async def test_a_broken_connection_is_noticed() -> None:
    """A connection that breaks without a goodbye is an error with a remedy."""

    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        socket.transport.abort()

    async with server(handler) as url:
        with pytest.raises(Unreachable, match="broke"):
            await stream(chunks(10_000), uplink(url))


async def test_no_server_is_one_sentence() -> None:
    """Where nobody listens the message names the address and what to start."""
    async with server(take_nothing) as url:
        pass
    with pytest.raises(Unreachable, match=r"ws://127.*Connection refused.*parola serve"):
        await stream(chunks(1), uplink(url))


async def test_another_kind_of_server_is_told_apart() -> None:
    """A server that refuses the socket is named with its status; a password is not repeated."""

    def refuse(socket: ServerConnection, _: Request) -> Response:
        return socket.respond(HTTPStatus.NOT_FOUND, "no")

    async with serve(take_nothing, "127.0.0.1", 0, process_request=refuse) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        with pytest.raises(Unreachable, match="404") as raised:
            await stream(chunks(1), uplink(f"ws://me:secret@127.0.0.1:{port}"))
    assert "secret" not in raised.value.message


async def test_a_bad_file_is_its_own_error() -> None:
    """What goes wrong in the source is raised as it is, not as the server's fault."""

    def broken() -> Iterator[AudioChunk]:
        yield from chunks(7)
        raise BadAudio("The file is damaged; export it again.")

    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        async for _ in socket:
            pass

    async with server(handler) as url:
        with pytest.raises(BadAudio, match="damaged"):
            await stream(broken(), uplink(url))


async def test_a_viewer_gets_every_message() -> None:
    """Following a room yields each frame as an object until the server closes in order."""

    async def handler(socket: ServerConnection) -> None:
        assert socket.request
        assert socket.request.path == "/ws/transcript/main?partial=true&v=1"
        for number in range(3):
            await socket.send(json.dumps({"type": "segment", "seq": number}))

    async with server(handler) as url:
        seen = [message["seq"] async for message in follow(url, room_name("main"))]
    assert seen == [0, 1, 2]


async def test_a_viewer_of_something_else_is_told() -> None:
    """A server that sends no JSON objects is an error with a question that helps."""

    async def handler(socket: ServerConnection) -> None:
        await socket.send("hello")

    async with server(handler) as url:
        with pytest.raises(BadMessage, match="is it a Parola server"):
            await anext(follow(url, room_name("main")))


async def take_nothing(socket: ServerConnection) -> None:
    await socket.wait_closed()


@pytest.mark.parametrize(
    ("server_url", "wanted"),
    [
        ("ws://127.0.0.1:8000", "ws://127.0.0.1:8000/p"),
        ("http://127.0.0.1:8000/", "ws://127.0.0.1:8000/p"),
        ("https://host/parola", "wss://host/parola/p"),
        ("wss://me:token@host", "wss://me:token@host/p"),
        ("localhost:8000", "ws://localhost:8000/p"),
        ("ws://[::1]:8000", "ws://[::1]:8000/p"),
    ],
)
def test_addresses_are_read_as_people_write_them(server_url: str, wanted: str) -> None:
    """Page addresses and socket addresses mean the same server."""
    assert socket_url(server_url, "/p") == wanted


addresses = st.builds(
    "{}://{}:{}".format,
    st.sampled_from(["ws", "https", "ftp"]),
    st.sampled_from(["host", "[::1]", "[", ""]) | st.text(),
    st.integers().map(str) | st.text(),
)


@given(addresses | st.text())
def test_any_address_is_read_or_refused(text: str) -> None:
    """Whatever is written as an address gives a socket's address or BadMessage."""
    try:
        url = socket_url(text, "/p")
    except BadMessage:
        return
    assert url.startswith(("ws://", "wss://"))
    assert url.endswith("/p")
