"""One stream of Amazon's over one WebSocket, with its times on the session's clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from parola.audio.pcm import telephone
from parola.domain.audio import RATE_HZ, AudioChunk
from parola.domain.errors import EngineFailed, ParolaError
from parola.domain.transcript import Hypothesis, Settled
from parola.engines.amazon_channels import Turns
from parola.engines.amazon_errors import LinkLost, of_service
from parola.engines.amazon_meter import Account
from parola.engines.amazon_progress import Progress
from parola.engines.amazon_settings import AmazonSettings
from parola.ports import EngineEvent
from parola.wire import eventstream
from parola.wire.transcribe import (
    BadTranscript,
    Result,
    TranscribeError,
    read_exception,
    read_transcript_event,
    to_hypothesis,
)

REASON_S = 2.0
"""How long the reason of a break may be in coming."""

MAX_OPEN = 32
"""How many utterances may have begun and not ended; the service has one for each channel."""

_LOST = "The connection to Amazon Transcribe was lost"


@dataclass(frozen=True, slots=True)
class LegTools:
    """What a leg shares with its neighbours."""

    settings: AmazonSettings
    clock: Callable[[], float]
    on_error: Callable[[TranscribeError], None]
    """Told of everything that the service refuses."""

    on_result: Callable[[], None]
    doubt: Callable[[int, int], bool]
    """Asked, with the first frame without an answer and the first not sent, whether to believe
    that there are no words; see `Progress`."""

    rate_hz: int = RATE_HZ
    """At which the service gets the audio: 8 or 16 kHz."""

    turns: Turns | None = None
    """With channel identification: brings the channels into one row."""


class Leg:
    """A session's audio from one frame on, until `end`.

    One task sends, another iterates. When the service breaks off, both get the reason.
    """

    def __init__(
        self, socket: ClientConnection, first_frame: int, account: Account, tools: LegTools
    ) -> None:
        self.began_at = tools.clock()
        self.ended = False
        """Whether no more audio may be sent."""
        self._end_sent = False
        """Whether the service was told so."""
        self._socket = socket
        self._offset = first_frame
        self._account = account
        self._tools = tools
        settings = tools.settings
        self.progress = Progress(first_frame, settings.settle_s, settings.patience_s, self.began_at)
        self._first_frames: dict[str, int] = {}
        self._failure: ParolaError | None = None
        self._over = asyncio.Event()
        """Set when the service has said its last word."""
        self._sent_at = self._ended_at = self.began_at
        self._ping: tuple[float, Awaitable[float]] | None = None
        self._answers_pings = False
        self._heard_at = self.began_at
        self._settled = first_frame

    async def greet(self) -> None:
        """Ask for the first sign of life: only a service that once answered is judged by it."""
        with suppress(ConnectionClosed):
            # Why it is closed, the reader finds in what the service said before.
            await self._send_ping()

    async def send(self, piece: AudioChunk) -> None:
        """Send the next piece; waits while the service does not take it.

        Raises:
            ParolaError: the service broke off; the reason is the one the iteration raises.
        """
        now = self._tools.clock()
        self.progress.sent(piece.end_frame, now, voiced=piece.voiced)
        self._account.add(piece.frames)
        self._sent_at = now
        try:
            await self._socket.send(eventstream.encode_audio(self._sent_samples(piece)))
        except ConnectionClosed:
            await self._raise_reason()

    def _sent_samples(self, piece: AudioChunk) -> bytes:
        pcm, channels = (piece.both, 2) if self._tools.turns else (piece.pcm, 1)
        if self._tools.rate_hz == RATE_HZ:
            return pcm
        return telephone(pcm, piece.first_frame, channels)

    async def end(self) -> None:
        """Say that no more audio comes: the last finals follow.

        Raises:
            ParolaError: as in `send`.
        """
        try:
            await self._send_end()
        except ConnectionClosed:
            await self._raise_reason()

    async def _send_end(self) -> None:
        if not self.ended:
            self.ended = True
            self._ended_at = self._tools.clock()
            await self._socket.send(eventstream.encode_audio(b""))
            self._end_sent = True

    async def _raise_reason(self) -> None:
        """Raise what ended the stream: the reader finds it behind what is not read yet."""
        try:
            async with asyncio.timeout(REASON_S):
                await self._over.wait()
        except TimeoutError:
            raise LinkLost(f"{_LOST} while audio was sent.") from None
        if self._failure:
            raise type(self._failure)(self._failure.message) from None

    def abort(self) -> None:
        """Let go of the connection at once."""
        self._socket.transport.abort()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        """Yield results and what is settled, until the service ends a stream that we ended.

        Raises:
            ParolaError: the stream ended in any other way; a kind of `EngineFailed` where
                another stream may work.
        """
        try:
            while (events := await self._hear()) is not None:
                for event in events:
                    yield event
                settled = self._settled_frame()
                if settled > self._settled:
                    self._settled = settled
                    yield Settled(settled)
        except ParolaError as error:
            self._failure = error
            raise
        finally:
            self._over.set()
        for event in self._tools.turns.rest() if self._tools.turns else ():
            yield event
        yield Settled(self.progress.sent_frame)

    def _settled_frame(self) -> int:
        settled = self.progress.settled()
        waiting = self._tools.turns.waiting_frame if self._tools.turns else None
        return settled if waiting is None else min(settled, waiting)

    async def _hear(self) -> list[EngineEvent] | None:
        """Return what the next frame, or a while without one, tells; None at the end."""
        events: list[EngineEvent] = []
        try:
            data = await self._receive()
            if data is None:
                await self._look_for_life()
            else:
                self._heard_at = self._tools.clock()
                self.progress.alive(self._heard_at)
                events = self._read(data)
            if not events:
                await self._judge()
        except ConnectionClosed as closed:
            self._judge_end(closed)
            return None
        if self.ended and not self.progress.owes and self._is_drained():
            return None
        return events

    async def _receive(self) -> bytes | None:
        """Return the next frame, None when none came in time."""
        try:
            async with asyncio.timeout(self._tools.settings.ping_s):
                data = await self._socket.recv(decode=False)
        except TimeoutError:
            return None
        return bytes(data)

    def _read(self, data: bytes) -> list[EngineEvent]:
        try:
            message = eventstream.decode(data)
            if message.kind in {"exception", "error"}:
                error = read_exception(message)
                self._tools.on_error(error)
                raise of_service(error)
            if message.kind != "event" or message.name != "TranscriptEvent":
                return []
            results = read_transcript_event(message.payload)
        except (eventstream.EventStreamError, BadTranscript) as error:
            raise EngineFailed(f"Amazon Transcribe cannot be understood: {error}") from error
        self._tools.on_result()
        turns = self._tools.turns
        if turns is None:
            return [self._guess(result) for result in results]
        told = [turns.add(result.channel_id or "ch_0", self._guess(result)) for result in results]
        return [event for events in told for event in events]

    def _guess(self, result: Result) -> Hypothesis:
        guess = to_hypothesis(result, self._offset)
        # An utterance keeps its first frame, whatever later results say.
        first = self._first_frames.setdefault(result.result_id, guess.first_frame)
        guess = replace(guess, first_frame=first, end_frame=max(guess.end_frame, first))
        channel = result.channel_id or ""
        self.progress.heard(result.result_id, guess, self._tools.clock(), channel)
        if self.progress.open_utterances > MAX_OPEN:
            raise EngineFailed(f"Amazon Transcribe began {MAX_OPEN} utterances and ended none.")
        if guess.is_final:
            self._first_frames.pop(result.result_id, None)
        elif len(self._first_frames) > MAX_OPEN:
            # A final may carry another id than its partials; those would stay for ever.
            del self._first_frames[next(iter(self._first_frames))]
        return guess

    async def _look_for_life(self) -> None:
        """Ask a silent service for a sign of life.

        Raises:
            LinkLost: it answered earlier and does not any more.
        """
        if self._ping:
            asked_at, answer = self._ping
            if asyncio.isfuture(answer) and answer.done():
                self._answers_pings = True
                self.progress.alive(asked_at)
            elif self._answers_pings:
                silent_s = self._tools.clock() - self._heard_at
                raise LinkLost(f"{_LOST}: nothing came from it for {silent_s:.0f} s.")
        if not self._answers_pings:
            # Time alone has to do for a service that answers no pings; see `Progress`.
            self.progress.alive(self._tools.clock())
        await self._send_ping()

    async def _send_ping(self) -> None:
        asked_at = self._tools.clock()
        try:
            async with asyncio.timeout(self._tools.settings.ping_s):
                self._ping = asked_at, await self._socket.ping()
        except TimeoutError:
            raise LinkLost(f"{_LOST}: it takes no more data.") from None

    async def _judge(self) -> None:
        """End a stream that has no audio, and give up one that forgot to answer."""
        now = self._tools.clock()
        if not self.ended and now - self._sent_at >= self._tools.settings.stall_s:
            await self._send_end()
        if self.progress.is_stuck(now):
            if not self._is_doubted():
                raise EngineFailed(
                    "Amazon Transcribe has said nothing about speech for "
                    f"{self._tools.settings.patience_s:g} s."
                )
            self.progress.believe()

    def _judge_end(self, closed: ConnectionClosed) -> None:
        """Tell the end we asked for from a loss.

        Raises:
            LinkLost: it was a loss.
        """
        # A service that closes without our end frame is gone, however politely it goes.
        if not self._end_sent:
            raise LinkLost(f"{_LOST}: {closed}.") from closed
        is_polite = closed.rcvd is not None and closed.rcvd.code == 1000
        if (self.progress.owes or not is_polite) and not self._is_doubted():
            raise LinkLost(f"{_LOST} before the last words came.") from closed

    def _is_doubted(self) -> bool:
        """Whether an earlier stream had no answer either to what has none here."""
        return self._tools.doubt(self.progress.doubtful_frame, self.progress.sent_frame)

    def _is_drained(self) -> bool:
        """Whether the service was given the time to close and did not."""
        quiet_since = max(self._heard_at, self._ended_at)
        return self._tools.clock() - quiet_since >= self._tools.settings.settle_s
