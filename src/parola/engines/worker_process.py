"""The other side of a stream: a process that builds a model once and forks one worker a stream.

`multiprocessing`'s fork server is not used: its children import the main program – the whole
server – and it swallows a model that fails to build. This one imports the recogniser only.

The parent asks over one control socket: "open number N" with the socket of the new stream
attached, and "close number N". When the parent is gone, that socket ends, and so do all workers.
"""

import errno
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from parola.domain.audio import AudioChunk
from parola.engines import worker_messages as messages
from parola.ports import EngineEvent, StreamRequest

OPEN, CLOSE = b"o", b"c"

CONTROL = struct.Struct("!cQ")
"""What the parent asks: open or close, and the stream's number."""


class Recogniser(Protocol):
    """A blocking recogniser for one stream. All frame numbers are the session's own.

    Whatever it raises ends the stream; the exception's text reaches the operator.
    """

    def accept(self, chunk: AudioChunk) -> Iterable[EngineEvent]:
        """Work off the next chunk and return what is new."""

    def finish(self) -> Iterable[EngineEvent]:
        """Return the last finals; no more audio comes."""


Opener = Callable[[StreamRequest], Recogniser]
"""Starts a recogniser; called in the stream's own process, after the fork."""

Maker = Callable[[], Opener]
"""Builds what all streams share; called once, before the forks.

What it builds must survive a fork: no threads, no open connections. A runtime that starts threads
(onnxruntime) is built by the opener instead.
"""


def main(control: socket.socket, maker: str) -> None:
    """Serve the parent until it is gone.

    Args:
        control: this side of the control socket.
        maker: where the maker is, as "package.module:name".
    """
    # Ctrl-C and a service manager's SIGTERM reach the whole group. The parent lets its streams
    # finish their sentences, so its workers live until it closes their sockets.
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    _Forge(control, _make(maker)).run()


def _make(maker: str) -> Opener:
    """Return the opener, or one that says why there is none."""
    try:
        module, _, name = maker.partition(":")
        make: Maker = getattr(importlib.import_module(module), name)
        return make()
    except Exception as error:  # noqa: BLE001 - the reason belongs into every stream's error
        reason = _sentence(error)

    def refuse(_: StreamRequest) -> Recogniser:
        raise RuntimeError(reason)

    return refuse


class _Forge:
    """Forks workers, ends them, and buries them."""

    def __init__(self, control: socket.socket, opener: Opener) -> None:
        self._control = control
        self._opener = opener
        self._workers: dict[int, int] = {}
        """Process ids by stream number. None of them is reused before it is buried here."""

    def run(self) -> None:
        woken, waker = socket.socketpair()
        for end in (woken, waker):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as ready, woken, waker:
            ready.register(self._control, selectors.EVENT_READ)
            ready.register(woken, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is woken:
                        woken.recv(4096)
                        self._bury()
                    elif not self._obey((ready, woken, waker)):
                        self._end_all()
                        return

    def _obey(self, ours: tuple[selectors.DefaultSelector, socket.socket, socket.socket]) -> bool:
        """Do what the parent asks; return False once it is gone."""
        try:
            record, fds, _, _ = socket.recv_fds(self._control, CONTROL.size, 1)
        except ConnectionError:
            return False
        if len(record) < CONTROL.size:
            return False
        order, number = CONTROL.unpack(record)
        if order == OPEN:
            with socket.socket(fileno=fds[0]) as stream:
                self._fork(number, stream, ours)
        elif number in self._workers:
            # A recogniser has nothing to tidy up, and SIGTERM would wait for its present chunk.
            os.kill(self._workers[number], signal.SIGKILL)
        return True

    def _fork(
        self,
        number: int,
        stream: socket.socket,
        ours: tuple[selectors.DefaultSelector, socket.socket, socket.socket],
    ) -> None:
        pid = os.fork()
        if pid:
            self._workers[number] = pid
            return
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for held in (*ours, self._control):
                held.close()
            serve(stream, self._opener)
        finally:
            # Never back into the forge's own loop, and no exit handlers twice.
            os._exit(0)

    def _bury(self) -> None:
        for number, pid in list(self._workers.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._workers[number]

    def _end_all(self) -> None:
        for pid in self._workers.values():
            os.kill(pid, signal.SIGKILL)
        for pid in self._workers.values():
            os.waitpid(pid, 0)


def serve(stream: socket.socket, opener: Opener) -> None:
    """Run one recogniser on one stream's socket until its end, or until the parent is gone."""
    try:
        _recognise(stream, opener)
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.ECONNRESET}:
            _say_failed(stream, error)
    except Exception as error:  # noqa: BLE001 - the recogniser's errors are told, not handled
        _say_failed(stream, error)


def _recognise(stream: socket.socket, opener: Opener) -> None:
    incoming = _read(stream)
    _, body = next(incoming, (b"", b""))
    if not body:
        return
    recogniser = opener(messages.to_request(body))
    stream.sendall(messages.of_number(messages.READY, os.getpid()))
    for kind, body in incoming:
        if kind == messages.END:
            for event in recogniser.finish():
                stream.sendall(messages.of_event(event))
            stream.sendall(messages.message(messages.DONE))
            return
        chunk = messages.to_audio(body)
        for event in recogniser.accept(chunk):
            stream.sendall(messages.of_event(event))
        stream.sendall(messages.of_number(messages.TOOK, chunk.frames))


def _read(stream: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    reader = messages.MessageReader()
    while data := stream.recv(1 << 16):
        yield from reader.add(data)


def _say_failed(stream: socket.socket, error: Exception) -> None:
    """Tell the parent what went wrong, and let it hang up.

    What it still sends is read and dropped: were the socket closed first, the parent's next write
    would break, and it would take that for the reason.
    """
    try:
        stream.sendall(messages.message(messages.FAILED, _sentence(error).encode()))
        while stream.recv(1 << 16):
            pass
    except OSError:
        # Nobody listens any more.
        return


def _sentence(error: Exception) -> str:
    """Return what went wrong and where, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""  # noqa: PTH119
    return f"{type(error).__name__}: {error}{where}"[:2000]


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
