"""The engine that lets Amazon Transcribe Streaming recognise, over its WebSocket endpoint."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from parola.domain.errors import BadMessage, NoEngine
from parola.domain.vocabulary import Language
from parola.engines.amazon_access import Access
from parola.engines.amazon_channels import Turns
from parola.engines.amazon_dial import dial
from parola.engines.amazon_errors import Busy, of_service
from parola.engines.amazon_leg import Leg, LegTools
from parola.engines.amazon_meter import Meter
from parola.engines.amazon_options import checked, with_texts
from parola.engines.amazon_settings import (
    CHANNELS,
    AmazonSettings,
    Recognition,
    language_code,
    parameters,
)
from parola.engines.amazon_starts import Starts
from parola.engines.amazon_stream import AmazonStream
from parola.ports import Bill, StreamRequest
from parola.wire.transcribe import LANGUAGE_CODES, StreamParameters, TranscribeError

REMEMBERED = 1000
"""Sessions whose doubts are remembered."""


class AmazonEngine:
    """Amazon Transcribe for every room of a server; needs no start and no close.

    Streams of one engine share credentials, the account's limits and the meter.
    """

    name = "amazon"
    gated = True

    def __init__(
        self,
        settings: AmazonSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Make an engine; nothing is looked up or connected yet.

        Args:
            settings: for all sessions.
            clock: in seconds, does not go back.
            sleep: waits for so many seconds; for the pace, and for starts.
        """
        self._settings = settings or AmazonSettings()
        self._clock = clock
        self._sleep = sleep
        self._meter = Meter(self._settings.price_per_min)
        self._access = Access(self._settings, clock)
        self._starts = Starts(self._settings.streams, self._settings.starts_per_s, clock, sleep)
        self._doubts: dict[str, int] = {}

    @property
    def languages(self) -> tuple[str, ...]:
        """The base languages it can be asked for, such as "it"."""
        options = self._settings.recognition.language_options
        codes = options if self._settings.recognition.identifies else LANGUAGE_CODES
        return tuple(sorted({code.split("-")[0] for code in codes}))

    def knows(self, language: Language) -> bool:
        code = language_code(language)
        recognition = self._settings.recognition
        return code in recognition.language_options if recognition.identifies else bool(code)

    def bill(self, room: str) -> Bill:
        return self._meter.bill(room)

    def check_options(self, request: StreamRequest) -> None:
        checked(self._recognition(request), request.language, "engine_options")
        asks = request.options.get("enable_channel_identification", "").lower() == "true"
        if asks and request.channels == 1:
            raise BadMessage(
                "engine_options: EnableChannelIdentification needs a source of exactly two "
                "channels, which this one is not; leave it out."
            )

    def hears_channels(self, request: StreamRequest) -> bool:
        return self._identifies_channels(request, self._recognition(request))

    @staticmethod
    def _identifies_channels(request: StreamRequest, recognition: Recognition) -> bool:
        return request.channels == CHANNELS and recognition.enable_channel_identification

    def _recognition(self, request: StreamRequest) -> Recognition:
        """Return what counts for a session: its own options, its room's, and what is common.

        Raises:
            BadMessage: there is no such option, or no such value of it.
        """
        of_room = self._settings.rooms.get(request.room, self._settings.recognition)
        return with_texts(of_room, request.options)

    async def check(self) -> None:
        """See that streams could be signed; the service itself is not asked.

        Raises:
            NoEngine: credentials, region or library are missing; the message names the remedy.
            EngineFailed: where credentials come from does not answer.
        """
        await self._access.find()

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator[AmazonStream]:
        """Open a stream.

        Raises:
            BadMessage: the request's options cannot be had, see `check_options`.
            NoEngine: the service does not know the language, or something that only a person can
                change keeps it from working; the message names the remedy.
            EngineFailed: it cannot start now.
        """
        recognition = self._recognition(request)
        if not recognition.identifies and not language_code(request.language):
            raise NoEngine(f"Amazon Transcribe does not know {request.language}: choose another.")
        stream = AmazonStream(
            request.first_frame,
            self._settings,
            lambda first_frame: self._open_leg(request, recognition, first_frame),
            self._clock,
            self._sleep,
            CHANNELS if self._identifies_channels(request, recognition) else 1,
        )
        with self._starts.place():
            try:
                await stream.begin()
                yield stream
            finally:
                stream.abort()

    async def _open_leg(
        self, request: StreamRequest, recognition: Recognition, first_frame: int
    ) -> Leg:
        try:
            # A session id of its own: the service ends the older of two with the same one.
            session_id = str(uuid.uuid4())
            asked = parameters(
                recognition, request.language, session_id, request.rate_hz, request.channels
            )
            turns = (
                Turns(recognition.channel_names) if asked.enable_channel_identification else None
            )
            return await self._dial_leg(request, asked, first_frame, turns)
        except TranscribeError as error:
            self._note(error)
            raise of_service(error) from error

    async def _dial_leg(
        self,
        request: StreamRequest,
        asked: StreamParameters,
        first_frame: int,
        turns: Turns | None,
    ) -> Leg:
        url, trusted = await self._access.address(asked)
        await self._starts.wait()
        socket = await dial(url, trusted, self._settings.connect_s)
        tools = LegTools(
            settings=self._settings,
            clock=self._clock,
            on_error=self._note,
            on_result=self._starts.succeeded,
            doubt=lambda first, end: self._has_doubted(request.session, first, end),
            rate_hz=asked.sample_rate_hz,
            turns=turns,
        )
        leg = Leg(socket, first_frame, self._meter.begin(request.room), tools)
        try:
            await leg.greet()
        except BaseException:
            leg.abort()
            raise
        return leg

    def _note(self, error: TranscribeError) -> None:
        """Learn from a refusal, for all streams."""
        if isinstance(of_service(error), Busy):
            self._starts.refused()
        if error.status == 403:
            self._access.forget()

    def _has_doubted(self, session: str, first_frame: int, end_frame: int) -> bool:
        """Return whether an earlier stream of the session had no answer there either."""
        before = self._doubts.pop(session, -1)
        self._doubts[session] = max(before, end_frame)
        if len(self._doubts) > REMEMBERED:
            del self._doubts[next(iter(self._doubts))]
        return first_frame <= before


__all__ = ["AmazonEngine", "AmazonSettings", "Recognition"]
