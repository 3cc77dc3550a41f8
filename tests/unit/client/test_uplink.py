"""The uplink against a small real server that says what a test tells it to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from parola.beside import beside
from parola.client.connection import Unreachable
from parola.client.sources import DecodedSource, Heard, heard
from parola.client.spool_folder import SpoolFolder, memory_talk
from parola.client.streaming import stream
from parola.client.uplink import AHEAD_FRAMES, Listener, Sender, Sent, Uplink
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
    # It need not wait for goodbyes behind sound that it does not read.
    async with serve(handler, "127.0.0.1", 0, close_timeout=0.2) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


async def send(
    sound: Iterator[AudioChunk],
    url: str,
    note: Callable[[Sent], None] = lambda _: None,
    room: str = "main",
    engine_options: Mapping[str, str] = MappingProxyType({}),
) -> Sent:
    """Stream chunks as a recording, as fast as the server takes them."""
    source = DecodedSource("test", lambda: sound, is_live=False, real_time=False)
    where = Uplink(url, room_name(room), engine_options)
    return await stream(source, where, language_tag("en-US"), listener=Listener(note))


async def greet(socket: ServerConnection) -> dict[str, object]:
    start: dict[str, object] = json.loads(await socket.recv())
    await socket.send(json.dumps({"type": "ready", "session": "x", "position": 0}))
    return start


async def acknowledge(socket: ServerConnection, position: int) -> None:
    await socket.send(json.dumps({"type": "ack", "position": position}))


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
        sent = await send(chunks(23), url, told.append)
    assert taken == [chunk.pcm for chunk in chunks(23)]
    assert (sent.sent_frame, sent.safe_frame) == (23 * CHUNK_FRAMES, 23 * CHUNK_FRAMES)
    assert [t.sent_frame for t in told] == sorted(t.sent_frame for t in told)
    assert told[-1].level_dbfs > float("-inf")


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
            await send(chunks(1), url, room="Sala à?b")
    path, start = seen
    assert path == "/ws/audio/Sala%20%C3%A0%3Fb"
    assert isinstance(start, dict)
    assert start.pop("session")
    assert start == {"type": "start", "language": "en-US", "rate": RATE_HZ, "position": 0}


async def test_the_start_asks_for_the_engines_options() -> None:
    """What the source asks of its engine is in every start, by the engine's own names."""
    seen: list[dict[str, object]] = []

    async def handler(socket: ServerConnection) -> None:
        seen.append(json.loads(await socket.recv()))
        await socket.close(1008, "bad_message: enough.")

    async with server(handler) as url:
        with pytest.raises(BadMessage, match=r"enough\."):
            await send(chunks(1), url, engine_options={"vocabulary_name": "speakers"})
    assert seen[0]["engine_options"] == {"vocabulary_name": "speakers"}


async def test_the_clock_sets_the_pace() -> None:
    """In real time no chunk is passed on before the clock has reached its end."""
    now = 100.0
    passed_at: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    source = DecodedSource(
        "test",
        lambda: chunks(40),
        is_live=False,
        real_time=True,
        monotonic=lambda: now,
        sleep=sleep,
    )
    async with aclosing(source.sound(0)) as sound:
        passed_at = [now async for _ in sound]
    assert passed_at == pytest.approx([100.1 + 0.1 * index for index in range(40)])


async def test_a_recording_goes_on_in_mid_chunk() -> None:
    """From a frame on a recording gives exactly what follows, at the same pace."""
    source = DecodedSource("test", lambda: chunks(5), is_live=False, real_time=False)
    async with aclosing(source.sound(2 * CHUNK_FRAMES + 7)) as sound:
        pcm = b"".join([piece.pcm async for piece in sound])
    assert pcm == b"".join(chunk.pcm for chunk in chunks(5))[2 * (2 * CHUNK_FRAMES + 7) :]


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
                await acknowledge(socket, taken - AHEAD_FRAMES // 2)
        await acknowledge(socket, taken)

    def note(sent: Sent) -> None:
        ahead.append(sent.sent_frame - sent.safe_frame)

    async with server(handler) as url:
        await send(chunks(60, frames), url, note)
    assert max(ahead) == AHEAD_FRAMES


async def test_the_servers_word_keeps_sound_off_the_disk(tmp_path: Path) -> None:
    """From the frame that it names, also of what was written before the word came; then on again.

    Whoever listens is told both times, and a word that is repeated tells nothing new.
    """
    on, off, late = b"\1\1" * RATE_HZ, b"\2\2" * RATE_HZ, b"\3\3" * RATE_HZ
    folder = SpoolFolder(tmp_path, "ws://x", room_name("main"), 100 * RATE_HZ)
    with folder.locked():
        kept = folder.new_talk(language_tag("en-US"), "test")
    words: asyncio.Queue[tuple[int, bool] | None] = asyncio.Queue()
    news: asyncio.Queue[str] = asyncio.Queue()

    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        while word := await words.get():
            said = {"type": "record", "position": word[0], "off": word[1]}
            await socket.send(json.dumps(said))

    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in sorted(tmp_path.rglob("*.pcm")))

    async with server(handler) as url:
        listener = Listener(news=news.put_nowait)
        sender = Sender(Uplink(url, room_name("main")), kept, listener, is_live=True)
        async with asyncio.timeout(20), beside(sender.run()):
            sender.take(heard(on + off))
            assert on_disk() == on + off
            for word in ((RATE_HZ, True), (RATE_HZ, True)):
                words.put_nowait(word)
            assert "off the record" in await news.get()
            sender.take(heard(off))
            assert on_disk() == on
            words.put_nowait((3 * RATE_HZ, False))
            assert "on the record again" in await news.get()
            sender.take(heard(late))
            assert on_disk() == on + late
            assert news.empty()
        words.put_nowait(None)


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
            await send(chunks(3), url)
    assert raised.value.message == "Busy; wait."


async def test_a_refusal_in_mid_talk_ends_the_stream() -> None:
    """An engine that fails while sound is being sent is told, whatever waits to be sent."""

    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.recv()
        await socket.close(1008, "no_engine: The engine has gone; restart it.")

    async with server(handler) as url:
        with pytest.raises(NoEngine, match="The engine has gone; restart it"):
            await send(chunks(10_000), url)


@dataclass
class Break:
    """How one connection ends."""

    after: int
    """So many messages are taken before it breaks; of them the first `safe` are acknowledged."""

    safe: int
    kind: str


class Breaking:
    """A server that holds what it took, and whose connections break as planned."""

    def __init__(self, plan: list[Break], *, forgets: bool = False) -> None:
        """One that `forgets` has after a break only what it acknowledged."""
        self.held = bytearray()
        self.starts: list[dict[str, object]] = []
        self._plan = iter(plan)
        self._forgets = forgets
        self._safe = 0

    async def handle(self, socket: ServerConnection) -> None:
        start = json.loads(await socket.recv())
        self.starts.append(start)
        if self._forgets:
            del self.held[2 * self._safe :]
        ready = {"type": "ready", "session": start["session"], "position": len(self.held) // 2}
        await socket.send(json.dumps(ready))
        plan = next(self._plan, None)
        taken = 0
        while plan is None or taken < plan.after:
            frame = await socket.recv()
            if isinstance(frame, str):
                if plan is None:
                    await acknowledge(socket, len(self.held) // 2)
                    return
                break
            self.held += frame
            taken += 1
            if plan and taken == min(plan.safe, plan.after):
                self._safe = len(self.held) // 2
                await acknowledge(socket, self._safe)
        assert plan
        if plan.kind == "abort":
            socket.transport.abort()
        elif plan.kind == "move":
            await socket.close(1012, "stopping: The server is about to restart; come back.")
        else:
            await socket.close()


async def send_through(breaking: Breaking, count: int, news: list[str]) -> Sent:
    """Send chunks to a breaking server as live sound, without waiting between attempts."""

    async def no_wait(_: float) -> None:
        await asyncio.sleep(0)

    async with server(breaking.handle) as url:
        kept = memory_talk(language_tag("en-US"), "test", 10**9)
        where = Uplink(url, room_name("main"))
        listener = Listener(news=news.append)
        sender = Sender(where, kept, listener, is_live=True, sleep=no_wait)
        for chunk in chunks(count):
            sender.take(Heard(chunk.pcm, 0.0, False))
        sender.end()
        await asyncio.wait_for(sender.run(), 20)
        return sender.progress


breaks = st.builds(
    Break, st.integers(0, 9), st.integers(0, 9), st.sampled_from(["abort", "move", "close"])
)


@settings(max_examples=40)
@given(st.lists(breaks, max_size=5), st.integers(0, 20), st.booleans())
def test_whatever_breaks_every_frame_arrives_once(
    plan: list[Break], count: int, forgets: bool
) -> None:
    """However connections end, a server that says what it has gets all sound, in order, once."""
    breaking = Breaking(plan, forgets=forgets)
    sent = asyncio.run(send_through(breaking, count, []))
    whole = b"".join(chunk.pcm for chunk in chunks(count))
    assert sent.safe_frame == count * CHUNK_FRAMES
    # Where the last acknowledgement came before a break there is nothing left to be said.
    assert bytes(breaking.held) == whole[: len(breaking.held)]
    assert len(breaking.held) >= 2 * sent.safe_frame
    assert len({start["session"] for start in breaking.starts}) <= 1


async def test_a_break_is_told_and_so_is_its_end() -> None:
    """Whoever watches reads once that the connection broke, and once that it is back."""
    news: list[str] = []
    await send_through(Breaking([Break(2, 1, "abort")]), 9, news)
    assert [sentence.split()[0] for sentence in news] == ["The", "Connected;"]
    assert "broke" in news[0]
    assert "Sound is kept" in news[0]


async def test_a_server_that_moves_is_followed_at_once() -> None:
    """After 1012 the first attempt is made without a wait; without an answer waits double."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    breaking = Breaking([Break(0, 0, "move")] * 3 + [Break(0, 0, "close")] * 6)
    async with server(breaking.handle) as url:
        kept = memory_talk(language_tag("en-US"), "test", 10**9)
        sender = Sender(
            Uplink(url, room_name("main")),
            kept,
            Listener(),
            is_live=True,
            sleep=note,
            jitter=lambda: 0.0,
        )
        sender.take(Heard(b"\0\0", 0.0, False))
        sender.end()
        await sender.run()
    assert waits == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


async def test_sound_that_was_given_up_is_silence() -> None:
    """After a spool overflowed the server's clock is still right, and the loss is told."""
    news: list[str] = []
    breaking = Breaking([])
    seconds = 50
    async with server(breaking.handle) as url:
        kept = memory_talk(language_tag("en-US"), "test", 20 * RATE_HZ)
        sender = Sender(
            Uplink(url, room_name("main")), kept, Listener(news=news.append), is_live=True
        )
        for _ in range(seconds):
            sender.take(Heard(b"\1\0" * RATE_HZ, 0.0, False))
        sender.end()
        await sender.run()
    lost = seconds - 20
    assert bytes(breaking.held) == b"\0\0" * lost * RATE_HZ + b"\1\0" * 20 * RATE_HZ
    assert any("from 0:00.0 to 0:10.0" in sentence for sentence in news)


async def test_no_server_is_one_sentence() -> None:
    """Where nobody listens the message names the address and what to start."""
    async with server(take_nothing) as url:
        pass
    with pytest.raises(Unreachable, match=r"ws://127.*Connection refused.*parola serve"):
        await send(chunks(1), url)


async def test_another_kind_of_server_is_told_apart() -> None:
    """A server that refuses the socket is named with its status; a password is not repeated."""

    def refuse(socket: ServerConnection, _: Request) -> Response:
        return socket.respond(HTTPStatus.NOT_FOUND, "no")

    async with serve(take_nothing, "127.0.0.1", 0, process_request=refuse) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        with pytest.raises(Unreachable, match="404") as raised:
            await send(chunks(1), f"ws://me:secret@127.0.0.1:{port}")
    assert "secret" not in raised.value.message


async def test_a_bad_file_is_its_own_error() -> None:
    """What goes wrong in the source is raised as it is, after what was heard is safe."""

    def broken() -> Iterator[AudioChunk]:
        yield from chunks(7)
        raise BadAudio("The file is damaged; export it again.")

    taken: list[bytes] = []

    async def handler(socket: ServerConnection) -> None:
        taken.extend(await take_all(socket))

    async with server(handler) as url:
        with pytest.raises(BadAudio, match="damaged"):
            await send(broken(), url)
    assert taken == [chunk.pcm for chunk in chunks(7)]


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


async def test_a_token_in_the_address_is_sent_as_a_password() -> None:
    """The conference system's way to carry a token: Authorization, Basic, and not in the path."""
    seen: list[tuple[str, str]] = []

    async def handler(socket: ServerConnection) -> None:
        assert socket.request
        seen.append((socket.request.path, socket.request.headers["Authorization"]))
        await take_all(socket)

    async with server(handler) as url:
        await send(chunks(1), url.replace("ws://", "ws://user:token@"))
    assert seen == [("/ws/audio/main", "Basic dXNlcjp0b2tlbg==")]
