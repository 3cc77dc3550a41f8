"""The process that holds one sherpa-onnx model: hears every stream of it, decodes them in a batch.

Nothing is forked: onnxruntime's threads would not survive it. What is said over the sockets is
`parola.engines.worker_messages`, as with the processes that serve one stream each.
"""

import os
import selectors
import signal
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from parola.domain.audio import AudioChunk, to_frames
from parola.domain.errors import ParolaError
from parola.engines import worker_messages as messages
from parola.engines.sherpa_loading import load
from parola.engines.sherpa_loading_order import Load
from parola.engines.sherpa_model import Model
from parola.engines.sherpa_recogniser import SherpaRecogniser
from parola.engines.worker_process import CONTROL, OPEN
from parola.ports import EngineEvent

STEP = to_frames(0.1)
"""Frames of each stream in a round: none waits longer for its turn than the others' tenths."""

MAX_UNSENT = 1 << 16
"""Bytes a stream may have to say; beyond that its sound waits until somebody reads."""


def main(control: socket.socket, order: str) -> None:
    """Serve the parent until it is gone."""
    # As in worker_process: the parent decides when its streams end.
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    Host(control, Load.of(order)).run()


class _Stream:
    """One stream's socket: what came, what waits to be said."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.recogniser: SherpaRecogniser | None = None
        self.ended = False
        """Whether all was said that will be said."""
        self._reader = messages.MessageReader()
        self._came: deque[tuple[bytes, bytes]] = deque()
        self._rest: AudioChunk | None = None
        self.unsent = bytearray()

    @property
    def has_work(self) -> bool:
        """Whether a round would do something for it."""
        waiting = bool(self._came) or self._rest is not None
        return waiting and not self.ended and len(self.unsent) < MAX_UNSENT

    def add(self, data: bytes) -> None:
        """Take what came; after the end it is dropped.

        Raises:
            Garbage: it is no message.
        """
        if not self.ended:
            self._came += self._reader.add(data)

    def next_order(self) -> tuple[bytes, bytes] | None:
        """Return the message whose turn it is, unless that is sound."""
        if self._rest is None and self._came and self._came[0][0] != messages.AUDIO:
            return self._came.popleft()
        return None

    def next_piece(self) -> AudioChunk:
        """Return the next `STEP` of sound."""
        chunk = self._rest or messages.to_audio(self._came.popleft()[1])
        piece, rest = chunk.cut(chunk.first_frame + STEP)
        self._rest = rest if rest.frames else None
        return piece

    def say(self, message: bytes) -> None:
        """Have something said as soon as it can be."""
        self.unsent += message

    def say_events(self, events: Iterable[EngineEvent]) -> None:
        """Have events said."""
        for event in events:
            self.say(messages.of_event(event))


class Host:
    """The model and its streams."""

    def __init__(self, control: socket.socket, order: Load) -> None:
        self._control = control
        self._order = order
        self._streams: dict[int, _Stream] = {}
        self._selector = selectors.DefaultSelector()
        self._loaded: tuple[Model, Any] | None = None
        self._failure = ""
        """Why there is no model."""

    def run(self) -> None:
        """Load the model, then serve until the parent is gone."""
        try:
            self._loaded = load(self._order)
        except ParolaError as error:
            self._failure = error.message
        except (RuntimeError, ValueError, AssertionError, OSError, ImportError) as error:
            self._failure = f"{type(error).__name__}: {error}"[:2000]
        self._selector.register(self._control, selectors.EVENT_READ)
        while self._attend():
            self._round()

    def _attend(self) -> bool:
        """Read and write what can be; return whether the parent is still there."""
        busy = any(stream.has_work for stream in self._streams.values())
        for number, stream in self._streams.items():
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if stream.unsent else 0)
            self._selector.modify(stream.sock, wanted, number)
        for key, events in self._selector.select(0 if busy else None):
            if key.fileobj is self._control:
                if not self._obey():
                    return False
            elif key.data in self._streams:
                self._exchange(key.data, events)
        return True

    def _obey(self) -> bool:
        try:
            record, fds, _, _ = socket.recv_fds(self._control, CONTROL.size, 1)
        except ConnectionError:
            return False
        if len(record) < CONTROL.size:
            return False
        order, number = CONTROL.unpack(record)
        if order == OPEN:
            sock = socket.socket(fileno=fds[0])
            sock.setblocking(False)
            self._streams[number] = _Stream(sock)
            self._selector.register(sock, selectors.EVENT_READ, number)
        elif number in self._streams:
            self._drop(number)
        return True

    def _exchange(self, number: int, events: int) -> None:
        stream = self._streams[number]
        try:
            if events & selectors.EVENT_WRITE:
                sent = stream.sock.send(stream.unsent)
                del stream.unsent[:sent]
            if events & selectors.EVENT_READ:
                data = stream.sock.recv(1 << 16)
                stream.add(data)
                if not data:
                    # Never before the parent hangs up: its next write would break, and it would
                    # take that for the reason.
                    self._drop(number)
        except BlockingIOError:
            return
        except (OSError, messages.Garbage):
            self._drop(number)

    def _drop(self, number: int) -> None:
        stream = self._streams.pop(number)
        self._selector.unregister(stream.sock)
        stream.sock.close()

    def _round(self) -> None:
        """Take a step of every stream that has sound, decode them together, say what is new."""
        heard: list[tuple[_Stream, SherpaRecogniser, int]] = []
        for stream in [s for s in self._streams.values() if s.has_work]:
            with self._alone(stream):
                if order := stream.next_order():
                    self._serve(stream, *order)
                elif stream.recogniser:
                    piece = stream.next_piece()
                    stream.say_events(stream.recogniser.feed(piece))
                    heard.append((stream, stream.recogniser, piece.frames))
                else:
                    self._fail(stream, "sound came before the request")
        self._decode([recogniser for _, recogniser, _ in heard])
        for stream, recogniser, frames in heard:
            with self._alone(stream):
                stream.say_events(recogniser.look())
                stream.say(messages.of_number(messages.TOOK, frames))

    @contextmanager
    def _alone(self, stream: _Stream) -> Iterator[None]:
        """Let what goes wrong with one stream end that stream only."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the border between one stream and the others
            self._fail(stream, f"{type(error).__name__}: {error}"[:2000])

    def _decode(self, recognisers: list[SherpaRecogniser]) -> None:
        if self._loaded is None:
            return
        model, engine = self._loaded
        # Upstream's WeNet ends the process on a batch of two.
        most = 1 if model.kind == "wenet_ctc" else len(recognisers)
        while ready := [r.stream for r in recognisers if r.ready]:
            engine.decode_streams(ready[:most])

    def _serve(self, stream: _Stream, kind: bytes, body: bytes) -> None:
        if kind == messages.REQUEST:
            if self._loaded is None:
                self._fail(stream, self._failure)
                return
            request = messages.to_request(body)
            stream.recogniser = SherpaRecogniser(*self._loaded, request, self._order.hotwords)
            stream.say(messages.of_number(messages.READY, os.getpid()))
        elif kind == messages.END and stream.recogniser:
            stream.say_events(stream.recogniser.finish())
            stream.say(messages.message(messages.DONE))
            stream.ended = True

    def _fail(self, stream: _Stream, sentence: str) -> None:
        stream.say(messages.message(messages.FAILED, sentence.encode()))
        stream.ended = True
