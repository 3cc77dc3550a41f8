"""Raw clients of the endpoint, made of our own frames and nobody's SDK."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import av
import h2.config
import h2.connection
import h2.events
import websockets
from av.audio.stream import AudioStream
from websockets.asyncio.client import ClientConnection

from parola.beside import beside
from parola.wire import eventstream, sigv4
from parola.wire.eventstream import Message
from parola.wire.sigv4_chunks import ChunkSigner
from parola.wire.transcribe import (
    MediaEncoding,
    Result,
    StreamParameters,
    read_exception,
    read_refusal,
    read_transcript_event,
    to_headers,
    to_query,
)

REGION = "eu-west-1"
KEY = sigv4.Credentials("AKIDEXAMPLE", "a secret of nobody's")
ENGLISH = StreamParameters("en-US")


class Ended(Exception):  # noqa: N818 - a state
    """The server ended the stream in order."""


class Caller:
    """What both transports have in common."""

    async def send_frame(self, frame: bytes) -> None:
        raise NotImplementedError

    async def next_frame(self) -> bytes:
        """Return the next frame.

        Raises:
            Ended: the stream is over.
        """
        raise NotImplementedError

    async def say(self, audio: bytes, piece: int = 3200) -> None:
        """Send audio in pieces of so many bytes."""
        for at in range(0, len(audio), piece):
            await self.send_audio(audio[at : at + piece])

    async def send_audio(self, audio: bytes) -> None:
        await self.send_frame(eventstream.encode_audio(audio))

    async def end(self) -> None:
        await self.send_audio(b"")

    async def results(self) -> AsyncIterator[Result]:
        """Yield results until the stream ends.

        Raises:
            TranscribeError: it ends with one.
        """
        while True:
            try:
                message = eventstream.decode(await self.next_frame())
            except Ended:
                return
            if message.kind != "event":
                raise read_exception(message)
            for result in read_transcript_event(message.payload):
                yield result

    async def finals(self) -> list[str]:
        return [text(one) async for one in self.results() if not one.is_partial]

    async def converse(self, audio: bytes, piece: int = 3200) -> list[Result]:
        """Send all the audio, as fast as it goes, and return all results."""

        async def speak() -> None:
            await self.say(audio, piece)
            await self.end()

        async with beside(speak()):
            return [one async for one in self.results()]
        raise AssertionError("an error of either is raised as itself")


def text(result: Result) -> str:
    return result.alternatives[0].transcript


class WebSocketCaller(Caller):
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send_frame(self, frame: bytes) -> None:
        await self.socket.send(frame)

    async def next_frame(self) -> bytes:
        try:
            frame = await self.socket.recv()
        except websockets.ConnectionClosedOK as error:
            raise Ended from error
        assert isinstance(frame, bytes)
        return frame


def query(asked: StreamParameters, more: Iterable[tuple[str, str]] = ()) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in [*to_query(asked), *more])


@asynccontextmanager
async def over_websocket(
    url: str,
    asked: StreamParameters = ENGLISH,
    *,
    fault: str = "",
    key: sigv4.Credentials | None = None,
    raw_query: str | None = None,
    trust: Path | None = None,
    at: datetime | None = None,
) -> AsyncIterator[WebSocketCaller]:
    """Open a stream; a wrong signature is websockets.InvalidStatus."""
    where = urlsplit(url)
    path = f"{where.path}/stream-transcription-websocket"
    asking = query(asked) if raw_query is None else raw_query
    if key:
        headers = (("host", where.netloc),)
        request = sigv4.SignedRequest("GET", path, asking, headers)
        asking = sigv4.presign(request, key, REGION, at or datetime.now(UTC))
    address = f"{'wss' if where.scheme == 'https' else 'ws'}://{where.netloc}{path}?{asking}"
    async with websockets.connect(
        address,
        compression=None,
        additional_headers={"x-parola-fault": fault} if fault else None,
        ssl=trusting(trust) if trust else None,
        proxy=None,
        close_timeout=1,
    ) as socket:
        yield WebSocketCaller(socket)


def trusting(ca: Path, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


class Http2Caller(Caller):
    """One stream on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        config = h2.config.H2Configuration(header_encoding="utf-8")
        self._h2 = h2.connection.H2Connection(config)
        self._decoder = eventstream.Decoder()
        self._messages: list[Message] = []
        self.headers: dict[str, str] = {}
        self.body = b""
        self._over = False
        self._broken: Exception | None = None
        self._changed = asyncio.Condition()
        self.wrap: Callable[[bytes], bytes] | None = None
        """What puts a frame into its signed envelope."""

    async def start(self, headers: Sequence[tuple[str, str]]) -> None:
        self._h2.initiate_connection()
        self._h2.send_headers(1, headers)
        self._flush()

    def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())

    async def read(self) -> None:
        """Take what comes until the connection or the stream ends."""
        try:
            while data := await self._reader.read(65536):
                for event in self._h2.receive_data(data):
                    self._take(event)
                self._flush()
                async with self._changed:
                    self._changed.notify_all()
        except (OSError, eventstream.EventStreamError) as error:
            self._broken = error
        finally:
            self._over = True
            async with self._changed:
                self._changed.notify_all()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self.headers = {str(name): str(value) for name, value in event.headers or ()}
        elif isinstance(event, h2.events.DataReceived):
            self.body += event.data or b""
            if self.headers.get("content-type") == "application/vnd.amazon.eventstream":
                self._messages += self._decoder.feed(event.data or b"")
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, 1)
        elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            self._over = True

    async def answered(self) -> int:
        """Wait for status and headers, and return the status.

        Raises:
            TranscribeError: the request is refused.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self.headers or self._over)
            status = int(self.headers[":status"])
            if status != 200:
                await self._changed.wait_for(lambda: self._over)
                raise read_refusal(status, self.headers.get("x-amzn-errortype", ""), self.body)
        return status

    async def send_frame(self, frame: bytes) -> None:
        await self.send_raw(self.wrap(frame) if self.wrap else frame)

    async def send_raw(self, data: bytes) -> None:
        while data and not self._over:
            room = min(self._h2.local_flow_control_window(1), self._h2.max_outbound_frame_size)
            if not room:
                async with self._changed:
                    await self._changed.wait_for(
                        lambda: self._over or self._h2.local_flow_control_window(1) > 0
                    )
                continue
            self._h2.send_data(1, data[:room])
            data = data[room:]
            self._flush()
            await self._writer.drain()

    async def end(self) -> None:
        """Send an envelope with nothing in it, as the official clients do; else no audio."""
        await (self.send_raw(self.wrap(b"")) if self.wrap else self.send_audio(b""))

    async def end_body(self) -> None:
        """End the request without the frame that ends the stream."""
        self._h2.end_stream(1)
        self._flush()

    async def next_frame(self) -> bytes:
        async with self._changed:
            await self._changed.wait_for(lambda: self._messages or self._over)
        if not self._messages:
            raise self._broken or Ended
        return eventstream.encode(self._messages.pop(0))


@asynccontextmanager
async def over_http2(
    url: str,
    asked: StreamParameters = ENGLISH,
    *,
    fault: str = "",
    key: sigv4.Credentials | None = None,
    raw_headers: Sequence[tuple[str, str]] | None = None,
    trust: Path | None = None,
) -> AsyncIterator[Http2Caller]:
    """Open a stream and wait for its headers.

    Raises:
        TranscribeError: the request is refused.
    """
    where = urlsplit(url)
    context = trusting(trust, "h2") if trust else None
    reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=context)
    if context:
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    caller = Http2Caller(reader, writer)
    headers = list(to_headers(asked)) if raw_headers is None else list(raw_headers)
    if fault:
        headers.append(("x-parola-fault", fault))
    path = "/stream-transcription"
    if key:
        now = datetime.now(UTC)
        request = sigv4.SignedRequest("POST", path, "", (*headers, (":authority", where.netloc)))
        headers = list(sigv4.sign_headers(request, key, REGION, now))
        caller.wrap = _envelopes(headers, key)
    pseudo = [
        (":method", "POST"),
        (":path", path),
        (":scheme", where.scheme),
        (":authority", where.netloc),
    ]
    plain = [(name.lower(), value) for name, value in headers if name.lower() != ":authority"]
    try:
        await caller.start([*pseudo, *plain])
        reading = asyncio.create_task(caller.read())
        try:
            await caller.answered()
            yield caller
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def _envelopes(
    headers: Sequence[tuple[str, str]], key: sigv4.Credentials
) -> Callable[[bytes], bytes]:
    """Return what signs each frame, starting from the request's signature."""
    authorization = next(value for name, value in headers if name.lower() == "authorization")
    day = authorization.split("Credential=")[1].split("/")[1]
    signature = authorization.rsplit("Signature=", 1)[1]
    signer = ChunkSigner(key.secret_key, sigv4.Scope(day, REGION), signature)
    return lambda frame: eventstream.encode(signer.sign(frame, datetime.now(UTC)))


def encoded(path: Path, encoding: MediaEncoding, rate_hz: int, seconds: float) -> bytes:
    """Return the beginning of a recording as a client would send it."""
    form, codec = {
        "pcm": ("s16le", "pcm_s16le"),
        "flac": ("flac", "flac"),
        "ogg-opus": ("ogg", "libopus"),
    }[encoding]
    file = io.BytesIO()
    with av.open(str(path)) as talk, av.open(file, "w", format=form) as out:
        stream = out.add_stream(codec, rate=rate_hz, layout="mono")
        assert isinstance(stream, AudioStream)
        mixer = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
        for frame in talk.decode(audio=0):
            if (frame.time or 0.0) < seconds:
                for mixed in mixer.resample(frame):
                    out.mux(stream.encode(mixed))
        out.mux(stream.encode(None))
    return file.getvalue()
