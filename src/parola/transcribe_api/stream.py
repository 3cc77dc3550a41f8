"""One stream: audio in, frames out, until its client, a limit, or a fault ends it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import pack
from typing import ClassVar
from uuid import uuid4
from zlib import crc32

from parola.audio.gate import Gate
from parola.beside import tasks_beside
from parola.domain.errors import EngineFailed, NoEngine
from parola.domain.vocabulary import Language
from parola.live.session import SessionPlan
from parola.ports import Engine
from parola.transcribe_api.answers import Answers, Send
from parola.transcribe_api.contest import Contest
from parola.transcribe_api.faults import CAP, CONFLICT, Fault, Scenario
from parola.transcribe_api.journal import Journal
from parola.transcribe_api.sound import Sound, open_sound
from parola.transcribe_api.word_filters import WordFilter
from parola.transcribe_api.wreck import Line
from parola.wire import eventstream
from parola.wire.transcribe import (
    IDLE_TIMEOUT,
    Conflict,
    IdleTimeout,
    InternalFailure,
    LimitExceeded,
    StreamParameters,
    TranscribeError,
    write_transcript_event,
)

OVERSIZED_BYTES = 32 * 1024 * 1024
"""Above the 16 MiB that amazon-transcribe takes and the 24 MiB of botocore."""

INSIDE_A_FRAME = 7
"""How many bytes come through before a reset: less than any frame's first twelve."""


class HungUp(Exception):  # noqa: N818 - an end by script, not an error
    """The stream ends without a word."""


class Wrecked(Exception):  # noqa: N818 - an end by script, not an error
    """The connection is gone; nothing can be sent on it."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What a stream is made of."""

    number: int
    parameters: StreamParameters
    language: Language
    engine: Engine
    make_gate: Callable[[], Gate | None]
    words: WordFilter | None
    faults: tuple[Fault, ...]
    scenario: Scenario
    journal: Journal
    monotonic: Callable[[], float]
    line: Line | None = None
    candidates: tuple[tuple[Language, Engine], ...] = ()
    """The languages of which one is to be found out; without any it is `language`."""

    options: Mapping[str, str] = field(default_factory=dict)
    """What the engine is asked for beyond the language."""

    left_out: Sequence[str] = ()
    """Parameters that nobody does, by their names in `StreamParameters`."""


class Stream:
    """A stream that was let in.

    `run` does the work. `supersede` and `shut` end it from outside.
    """

    def __init__(self, plan: StreamPlan) -> None:
        self.plan = plan
        self.session_id = plan.parameters.session_id or str(uuid4())
        self.audio_s = 0.0
        """How much audio has come."""
        self._faults = sorted(plan.faults, key=lambda fault: fault.at_s or 0.0)
        self._verdict: asyncio.Future[TranscribeError] = asyncio.get_running_loop().create_future()
        self._heard_at = plan.monotonic()
        self._taking = False
        self._voices: list[Answers] = []

    @property
    def finals(self) -> int:
        """How many final results were sent."""
        return sum(voice.finals for voice in self._voices)

    def supersede(self) -> None:
        """End it because a newer stream has its session id."""
        self.shut(Conflict(CONFLICT))

    def shut(self, error: TranscribeError) -> None:
        """End it with an exception; the first one counts."""
        if not self._verdict.done():
            self._verdict.set_result(error)

    async def run(self, audio: AsyncIterator[bytes], send: Send) -> None:
        """Answer the audio until it ends; the last finals have then been sent.

        Raises:
            TranscribeError: the exception that the client is to get.
            HungUp, Wrecked: a fault ended it.
        """
        channels = self._channels(send)
        try:
            async with tasks_beside() as tasks:
                for watch in (self._watch_idle(), self._watch_cap(), self._watch_verdict()):
                    tasks.create_task(watch)
                for channel in channels:
                    for voice in channel.voices:
                        tasks.create_task(voice.session.run())
                await self._hear(audio, channels, send)
                for channel in channels:
                    channel.end()
                for channel in channels:
                    await channel.finished()
        except (EngineFailed, NoEngine) as error:
            raise InternalFailure(error.message) from error

    def _channels(self, send: Send) -> list[Contest]:
        """Return private sessions for each channel: one for each language it may be."""
        plan = self.plan
        count = plan.parameters.number_of_channels or 1
        return [self._contest(number, send, is_named=count > 1) for number in range(count)]

    def _contest(self, channel: int, send: Send, *, is_named: bool) -> Contest:
        plan = self.plan
        answers = Answers(plan.parameters, send, plan.words, channel if is_named else None)
        self._voices.append(answers)
        contest = Contest(answers)
        for language, engine in plan.candidates or ((plan.language, plan.engine),):
            gate = plan.make_gate() if engine.gated else None
            name = f"{self.session_id}-{plan.number}-{channel}-{language}"
            rate_hz = plan.parameters.sample_rate_hz
            asked = SessionPlan(name, language, options=plan.options, rate_hz=rate_hz)
            contest.enter(asked, engine, gate)
        return contest

    async def _hear(self, audio: AsyncIterator[bytes], channels: list[Contest], send: Send) -> None:
        await self._meet_faults(send)
        feeds = [channel.feed for channel in channels]
        async with open_sound(self.plan.parameters, feeds) as sound:
            async for data in audio:
                await self._take(sound, data)
                await self._meet_faults(send)
            self._taking = True
            self.audio_s = await sound.end()

    async def _take(self, sound: Sound, data: bytes) -> None:
        # While the engine is behind, the client waits for us and not we for it.
        self._taking = True
        try:
            self.audio_s = await sound.take(data)
        finally:
            self._taking = False
            self._heard_at = self.plan.monotonic()

    async def _watch_idle(self) -> None:
        limit_s = self.plan.scenario.idle_s / self.plan.scenario.time_scale
        while True:
            silent_s = 0.0 if self._taking else self.plan.monotonic() - self._heard_at
            if silent_s >= limit_s:
                raise IdleTimeout(IDLE_TIMEOUT)
            await asyncio.sleep(limit_s - silent_s)

    async def _watch_cap(self) -> None:
        await asyncio.sleep(self.plan.scenario.cap_s / self.plan.scenario.time_scale)
        raise LimitExceeded(CAP)

    async def _watch_verdict(self) -> None:
        raise await self._verdict

    async def _meet_faults(self, send: Send) -> None:
        """Do what is due at this point of the audio."""
        while self._faults and (self._faults[0].at_s or 0.0) <= self.audio_s:
            fault = self._faults.pop(0)
            self.plan.journal.note(
                "fault", self.plan.number, kind=fault.kind, audio_s=round(self.audio_s, 3)
            )
            if fault.error is not None:
                raise fault.error
            await self._do[fault.kind](self, fault, send)

    async def _close(self, _fault: Fault, _send: Send) -> None:
        raise HungUp

    async def _oversized(self, _fault: Fault, send: Send) -> None:
        await send(oversized_frame())
        raise HungUp

    async def _corrupt(self, _fault: Fault, send: Send) -> None:
        whole = _empty_event()
        await send(whole[:-1] + bytes([whole[-1] ^ 1]))
        raise HungUp

    async def _reset(self, _fault: Fault, send: Send) -> None:
        line = self._line()
        line.reset_after = INSIDE_A_FRAME
        await send(_empty_event())
        await line.is_reset.wait()
        raise Wrecked

    async def _slow_reader(self, fault: Fault, _send: Send) -> None:
        self._line().bytes_per_s = fault.bytes_per_s

    async def _black_hole(self, _fault: Fault, _send: Send) -> None:
        self._line().swallow()

    def _line(self) -> Line:
        if self.plan.line is None:
            raise HungUp
        return self.plan.line

    _do: ClassVar[dict[str, Callable[["Stream", Fault, Send], Awaitable[None]]]] = {
        "close": _close,
        "oversized": _oversized,
        "corrupt": _corrupt,
        "reset": _reset,
        "slow-reader": _slow_reader,
        "black-hole": _black_hole,
    }


def oversized_frame() -> bytes:
    """Return the beginning of a frame that claims to be 32 MiB long, its first checksum right."""
    lengths = pack("!II", OVERSIZED_BYTES, 0)
    return lengths + pack("!I", crc32(lengths)) + bytes(64)


def _empty_event() -> bytes:
    payload = write_transcript_event([])
    return eventstream.encode(eventstream.event("TranscriptEvent", payload))
