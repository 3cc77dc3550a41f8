"""Worker processes: a blocking recogniser behind the async port, and every way it can go wrong.

The recognisers here are real ones in real processes; only their hearing is simple.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from parola.domain.audio import RATE_HZ, AudioChunk
from parola.domain.errors import EngineFailed
from parola.domain.transcript import Hypothesis, Settled, Word
from parola.domain.vocabulary import Language
from parola.engines import worker_messages as messages
from parola.engines.worker import MAX_BEHIND, Workers
from parola.engines.worker_process import Opener, serve
from parola.ports import EngineEvent, StreamRequest

# What goes wrong here mostly hangs.
pytestmark = pytest.mark.timeout(20)

REQUEST = StreamRequest(Language("en-US"), "a session", 0)


class Echo:
    """Says where each chunk lies; what it was told to do instead is in the session's name."""

    def __init__(self, request: StreamRequest) -> None:
        self.request = request
        self.end_frame = 0

    def accept(self, chunk: AudioChunk) -> Iterator[EngineEvent]:
        self.end_frame = chunk.end_frame
        word = Word(self.request.session, chunk.first_frame, chunk.end_frame, 0.5, stable=True)
        yield Hypothesis("è", chunk.first_frame, chunk.end_frame, words=(word,), language="it")

    def finish(self) -> Iterable[EngineEvent]:
        return [Settled(self.end_frame)]


class Raises(Echo):
    def accept(self, chunk: AudioChunk) -> Iterator[EngineEvent]:
        raise RuntimeError(f"cannot hear frame {chunk.first_frame}")


class Dies(Echo):
    def accept(self, chunk: AudioChunk) -> Iterator[EngineEvent]:
        os.kill(os.getpid(), signal.SIGSEGV)
        return iter(())


class Stalls(Echo):
    def accept(self, chunk: AudioChunk) -> Iterator[EngineEvent]:
        while True:
            signal.pause()


class Babbles(Echo):
    """Writes into its own socket what is no message."""

    def accept(self, chunk: AudioChunk) -> Iterator[EngineEvent]:
        for fd in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
            if fd > 2:
                try:
                    os.write(fd, b"\xff\xff\xff\xffthank you for watching")
                except OSError:
                    continue
        return iter(())


class Chatters(Echo):
    """Says a thousand things at once."""

    def accept(self, chunk: AudioChunk) -> Iterator[EngineEvent]:
        for number in range(1000):
            yield Hypothesis(str(number), chunk.first_frame, chunk.end_frame)


class RefusesToOpen(Echo):
    def __init__(self, request: StreamRequest) -> None:
        raise ValueError(f"no model for {request.language}")


def make_echo() -> Opener:
    return Echo


def make_raises() -> Opener:
    return Raises


def make_dies() -> Opener:
    return Dies


def make_stalls() -> Opener:
    return Stalls


def make_babbles() -> Opener:
    return Babbles


def make_chatters() -> Opener:
    return Chatters


def make_refuses() -> Opener:
    return RefusesToOpen


def make_nothing() -> Opener:
    raise FileNotFoundError("the model's folder is empty")


def make_crash() -> Opener:
    os._exit(139)


@pytest.fixture
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """Workers of the recogniser that the test names, ended at its end."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    made = Workers("test engine", f"test_worker:{getattr(request, 'param', 'make_echo')}")
    yield made
    made.close()


def recogniser(name: str) -> pytest.MarkDecorator:
    """Return the mark that has the test run on a recogniser."""
    return pytest.mark.parametrize("workers", [name], indirect=True)


def second(number: int) -> AudioChunk:
    """Return one second of audio, as the number'th of its session."""
    return AudioChunk(number * RATE_HZ, bytes(2 * RATE_HZ))


async def talk(workers: Workers, session: str, seconds: int) -> list[EngineEvent]:
    """Return all that a worker says to some seconds of audio."""
    async with workers.open(StreamRequest(Language("en-US"), session)) as stream:

        async def speak() -> None:
            for number in range(seconds):
                await stream.send(second(number))
            await stream.end()

        async with asyncio.TaskGroup() as group:
            group.create_task(speak())
            return [event async for event in stream]


def gone(pid: int) -> bool:
    """Wait until a process is gone and buried; False if that takes more than five seconds."""
    try:
        psutil.Process(pid).wait(timeout=5)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


async def test_what_the_recogniser_says_arrives_whole_and_in_order(workers: Workers) -> None:
    """Every chunk is heard once, in order; every field of every event arrives as it was said."""
    events = await talk(workers, "sala", 5)
    assert events[-1] == Settled(5 * RATE_HZ)
    assert events[:-1] == [
        Hypothesis(
            "è",
            n * RATE_HZ,
            (n + 1) * RATE_HZ,
            words=(Word("sala", n * RATE_HZ, (n + 1) * RATE_HZ, 0.5, stable=True),),
            language="it",
        )
        for n in range(5)
    ]


async def test_streams_do_not_mix(workers: Workers) -> None:
    """Two sessions at once have a process each and hear only themselves."""
    both = await asyncio.gather(talk(workers, "one", 4), talk(workers, "two", 4))
    for name, events in zip(("one", "two"), both, strict=True):
        heard = {w.text for e in events if isinstance(e, Hypothesis) for w in e.words}
        assert heard == {name}


async def test_a_long_chunk_travels_in_pieces(workers: Workers) -> None:
    """A minute in one chunk is taken like sixty of a second: the bound holds for any chunk."""
    async with workers.open(REQUEST) as stream:

        async def speak() -> None:
            await stream.send(AudioChunk(0, bytes(2 * 60 * RATE_HZ)))
            await stream.end()

        async with asyncio.TaskGroup() as group:
            group.create_task(speak())
            assert len([event async for event in stream]) == 61


@recogniser("make_stalls")
async def test_send_waits_while_the_recogniser_is_behind(workers: Workers) -> None:
    """No more audio than the bound is ever under way to a recogniser that stands still."""
    taken = 0
    async with workers.open(REQUEST) as stream:

        async def speak() -> None:
            nonlocal taken
            for number in range(60):
                await stream.send(second(number))
                taken = (number + 1) * RATE_HZ

        speaking = asyncio.ensure_future(speak())
        # Every step that can be taken without the worker is taken within a few turns of the loop.
        for _ in range(1000):
            await asyncio.sleep(0)
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
    assert taken == MAX_BEHIND


@recogniser("make_chatters")
async def test_nothing_is_lost_when_nobody_reads_for_a_while(workers: Workers) -> None:
    """A talkative worker waits for its reader, and then everything comes."""
    async with workers.open(REQUEST) as stream:
        await stream.send(second(0))
        await stream.send(second(1))
        await stream.end()
        texts = [e.text async for e in stream if isinstance(e, Hypothesis)]
    assert texts == [str(number) for number in range(1000)] * 2


@recogniser("make_raises")
async def test_an_error_in_the_recogniser_is_told(workers: Workers) -> None:
    """Whatever the recogniser raises ends the stream with its own words."""
    with pytest.raises(ExceptionGroup) as caught:
        await talk(workers, "s", 10)
    assert "test engine failed: RuntimeError: cannot hear frame 0" in str(caught.value.exceptions)


def test_who_failed_lets_the_parent_hang_up() -> None:
    """A parent that still sends reads the reason first, and no broken pipe in its place."""
    ours, theirs = socket.socketpair()
    with ThreadPoolExecutor(1) as threads, ours:
        serving = threads.submit(serve_and_close, theirs)
        ours.sendall(messages.of_request(REQUEST))
        # More than fits into the socket: it goes through only while somebody reads.
        for number in range(40):
            ours.sendall(messages.of_audio(second(number)))
        reader = messages.MessageReader()
        said: list[tuple[bytes, bytes]] = []
        while not said or said[-1][0] != messages.FAILED:
            said += reader.add(ours.recv(1 << 16))
        assert b"cannot hear frame 0" in said[-1][1]
        ours.close()
        serving.result(timeout=10)


def serve_and_close(stream: socket.socket) -> None:
    with stream:
        serve(stream, Raises)


@recogniser("make_dies")
async def test_a_crash_is_told(workers: Workers) -> None:
    """A segmentation fault ends its stream with a sentence, and nothing else."""
    async with workers.open(REQUEST) as stream:
        await stream.send(second(0))
        with pytest.raises(EngineFailed, match="test engine's worker process ended unexpectedly"):
            await anext(aiter(stream))
        with pytest.raises(EngineFailed, match="ended unexpectedly"):
            await stream.send(second(1))
        with pytest.raises(EngineFailed, match="ended unexpectedly"):
            await stream.end()


@recogniser("make_babbles")
async def test_garbage_is_told(workers: Workers) -> None:
    """Bytes that are no message end the stream; nothing is made of them."""
    async with workers.open(REQUEST) as stream:
        await stream.send(second(0))
        with pytest.raises(EngineFailed, match="something unreadable"):
            await anext(aiter(stream))


@recogniser("make_stalls")
async def test_a_killed_worker_is_noticed_by_a_waiting_send(workers: Workers) -> None:
    """`send`, waiting for a worker that is killed, raises within a second."""
    async with workers.open(REQUEST) as stream:
        await stream.send(second(0))
        await stream.send(second(1))
        asyncio.get_running_loop().call_soon(os.kill, stream.pid, signal.SIGKILL)
        with pytest.raises(EngineFailed):
            async with asyncio.timeout(1):
                await stream.send(second(2))


@recogniser("make_stalls")
async def test_leaving_ends_the_process_at_once(workers: Workers) -> None:
    """A worker in the middle of its work is gone, and buried, as soon as its stream is left."""
    async with workers.open(REQUEST) as stream:
        await stream.send(second(0))
        pid = stream.pid
        assert psutil.pid_exists(pid)
    assert await asyncio.to_thread(gone, pid)


@recogniser("make_stalls")
async def test_cancelling_leaves_nothing_behind(workers: Workers) -> None:
    """A cancelled session's worker is gone, and the next session gets another."""
    pids: list[int] = []
    for _ in range(3):
        opened = asyncio.Event()

        async def session(opened: asyncio.Event = opened) -> None:
            async with workers.open(REQUEST) as stream:
                pids.append(stream.pid)
                opened.set()
                while True:
                    await stream.send(second(0))

        async with asyncio.TaskGroup() as group:
            task = group.create_task(session())
            await opened.wait()
            task.cancel()
    assert len(set(pids)) == 3
    for pid in pids:
        assert await asyncio.to_thread(gone, pid)


async def test_cancelling_while_it_opens_leaves_nothing_behind(workers: Workers) -> None:
    """Whoever gives up before the worker is ready leaves no process and no file open."""
    workers.start()
    before = open_files()
    for _ in range(5):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(talk(workers, "s", 1))
            await asyncio.sleep(0)
            task.cancel()
    await talk(workers, "s", 1)
    assert open_files() == before
    assert workers.forge_pid is not None
    children = psutil.Process(workers.forge_pid).children()
    assert all([await asyncio.to_thread(gone, child.pid) for child in children])


async def test_streams_leave_no_file_open(workers: Workers) -> None:
    """A hundred streams come and go, and as many files are open as after the first."""
    await talk(workers, "s", 1)
    before = open_files()
    for _ in range(20):
        await asyncio.gather(*(talk(workers, "s", 1) for _ in range(5)))
    assert open_files() == before


def open_files() -> int:
    """Return how many files this process has open."""
    return int(psutil.Process().num_fds())


@recogniser("make_refuses")
async def test_a_recogniser_that_cannot_open_says_why(workers: Workers) -> None:
    """What keeps one stream from opening is told to that stream."""
    with pytest.raises(EngineFailed, match="no model for en-US"):
        await talk(workers, "s", 1)


@recogniser("make_nothing")
async def test_a_model_that_cannot_be_built_says_why(workers: Workers) -> None:
    """What keeps every stream from opening is told to every stream."""
    for _ in range(2):
        with pytest.raises(EngineFailed, match="the model's folder is empty"):
            await talk(workers, "s", 1)


@recogniser("make_crash")
async def test_a_model_that_ends_its_process_is_told(workers: Workers) -> None:
    """A model that takes its process down takes nothing else along, however often it is tried."""
    for _ in range(2):
        with pytest.raises(EngineFailed, match="ended unexpectedly"):
            await talk(workers, "s", 1)


async def test_a_killed_forge_is_replaced(workers: Workers) -> None:
    """If the process that holds the model is killed, the next stream starts it anew."""
    await talk(workers, "s", 1)
    assert workers.forge_pid is not None
    os.kill(workers.forge_pid, signal.SIGKILL)
    assert await asyncio.to_thread(gone, workers.forge_pid)
    assert len(await talk(workers, "s", 3)) == 4


async def test_close_ends_every_process(workers: Workers) -> None:
    """Closing the engine takes running workers along, and their streams say so."""
    async with workers.open(REQUEST) as stream:
        pids = [stream.pid, workers.forge_pid or 0]
        workers.close()
        with pytest.raises(EngineFailed):
            await anext(aiter(stream))
    for pid in pids:
        assert await asyncio.to_thread(gone, pid)


PROGRAM = """
import asyncio, sys
from parola.domain.vocabulary import Language
from parola.engines.worker import Workers
from parola.ports import StreamRequest

async def main():
    async with Workers("test engine", "test_worker:make_stalls").open(
        StreamRequest(Language("en"), "s")
    ) as stream:
        print(stream.pid, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

if __name__ != "__main__":
    raise SystemExit("the main program was imported by a worker")
try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(3)
"""


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(way: signal.Signals, tmp_path: Path) -> None:
    """A killed server leaves no worker behind; Ctrl-C on its group prints no worker's traceback."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        worker = psutil.Process(int(program.stdout.readline()))
        forge = worker.parent()
        assert forge is not None
        if way is signal.SIGINT:
            os.killpg(program.pid, way)
            assert program.stdin is not None
            program.stdin.close()
        else:
            program.kill()
        said = program.stderr.read()
    assert b"Traceback" not in said
    assert gone(worker.pid)
    assert gone(forge.pid)
