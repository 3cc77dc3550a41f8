"""Decides which calls become streams: signature, parameters, names, and the service's limits."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from parola.audio.gate import Gate
from parola.domain.errors import BadLanguage
from parola.domain.vocabulary import Language, language_tag
from parola.ports import Engine
from parola.transcribe_api.contest import MOST
from parola.transcribe_api.faults import LIMIT, ON_THE_LINE, RAMP, Fault, Scenario, read_header
from parola.transcribe_api.journal import Journal, utc_now
from parola.transcribe_api.passing import Passed, filter_names, passed_on
from parola.transcribe_api.sound import RAW
from parola.transcribe_api.stream import Stream
from parola.transcribe_api.word_filters import WordFilter, Words
from parola.transcribe_api.wreck import Line, Wreck
from parola.wire.sigv4 import Credentials, SignedRequest, Verified, verify_headers, verify_query
from parola.wire.sigv4_request import query_pairs
from parola.wire.transcribe import (
    BadRequest,
    LimitExceeded,
    ServiceUnavailable,
    StreamParameters,
    from_headers,
    from_query,
)

Transport = Literal["websocket", "http2"]

FAULT_HEADER = "x-parola-fault"
"""Names faults for one stream; over WebSocket also a parameter of the query."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came in."""

    transport: Transport
    request: SignedRequest
    port: int
    """The caller's, as the server sees it."""

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's decoded names and values."""
        return list(query_pairs(self.request.query))


@dataclass(frozen=True, slots=True)
class Setup:
    """What the endpoint is built on."""

    engines: Sequence[Engine]
    """In order of preference."""

    make_gate: Callable[[], Gate | None]
    monotonic: Callable[[], float]
    keys: Mapping[str, Credentials] = field(default_factory=dict)
    """Who may call, by access key. Without any, signatures are not looked at."""

    region: str | None = None
    """The only region that signatures may be made for; None: any."""

    words: Mapping[str, Words] = field(default_factory=dict)
    """The vocabulary filters, by name."""

    scenario: Scenario = field(default_factory=Scenario)
    journal: Journal = field(default_factory=lambda: Journal(None))
    now: Callable[[], datetime] = utc_now


class Door:
    """Lets calls in and knows who is inside."""

    def __init__(self, setup: Setup, wreck: Wreck | None = None) -> None:
        """Take what stands before the server, if anything does."""
        self.setup = setup
        self.closed = False
        """Whether nobody is let in any more."""
        self._wreck = wreck
        self._numbers = 0
        self._left = asyncio.Event()
        self._inside: dict[Transport, set[Stream]] = {"websocket": set(), "http2": set()}
        self._starts: dict[Transport, deque[float]] = {"websocket": deque(), "http2": deque()}

    @property
    def streams(self) -> list[Stream]:
        """Everybody who is inside."""
        return [stream for inside in self._inside.values() for stream in inside]

    def next_number(self) -> int:
        """Return the number of the next stream, counted from 1 since the start."""
        self._numbers += 1
        return self._numbers

    def verify(self, call: Call) -> Verified | None:
        """Return who calls; None where everybody may.

        Raises:
            NotAllowed: the signature is missing or wrong.
        """
        if not self.setup.keys:
            return None
        check = verify_query if call.transport == "websocket" else verify_headers
        return check(call.request, self.setup.keys, self.setup.now(), self.setup.region)

    def faults(self, call: Call, number: int) -> tuple[Fault, ...]:
        """Return what is to go wrong in the call's stream.

        Raises:
            BadRequest: the caller asks for a fault that there is not.
        """
        asked = [value for name, value in call.request.headers if name.lower() == FAULT_HEADER]
        if call.transport == "websocket":
            asked += [value for name, value in call.query if name == FAULT_HEADER]
        wanted = [fault for text in asked for fault in read_header(text)]
        faults = self.setup.scenario.for_stream(number) + tuple(wanted)
        impossible = {fault.kind for fault in faults} & ON_THE_LINE
        if impossible and self.line(call) is None:
            raise BadRequest(
                f"{', '.join(sorted(impossible))}: not where the endpoint is part of another"
                " server; start `parola transcribe-api`."
            )
        return faults

    def line(self, call: Call) -> Line | None:
        """Return the call's connection, where it can be broken."""
        return self._wreck.line(call.port) if self._wreck else None

    def parameters(self, call: Call) -> tuple[StreamParameters, Language]:
        """Return what the caller asks for and the language that is listened for.

        Raises:
            BadRequest: in the words of the service; or ours, for what this endpoint cannot do.
        """
        read = from_query(call.query) if call.transport == "websocket" else None
        asked = read or from_headers(call.request.headers)
        _refuse_unsupported(asked)
        return asked, self._language(asked)

    def passed_on(self, asked: StreamParameters, language: Language, engine: Engine) -> Passed:
        """Return what the engine is asked for beyond the language, and what nobody does.

        Raises:
            BadRequest: something that nobody does has to be done; see `passed_on` of `passing`.
        """
        return passed_on(asked, language, engine, self.setup.words)

    def word_filter(self, asked: StreamParameters) -> WordFilter | None:
        """Return the filter that a stream's words go through."""
        names = [name for name in filter_names(asked) if name in self.setup.words]
        if not names:
            return None
        words = frozenset[str]().union(*(self.setup.words[name] for name in names))
        return WordFilter(words, asked.vocabulary_filter_method or "mask")

    def engine(self, language: Language) -> Engine | None:
        """Return the best engine for a language."""
        return next((one for one in self.setup.engines if one.knows(language)), None)

    def candidates(self, asked: StreamParameters) -> tuple[tuple[Language, Engine], ...]:
        """Return the languages to choose from that an engine here knows, the preferred first."""
        if not asked.identifies:
            return ()
        known = [(one, self.engine(one)) for one in dict.fromkeys(_wanted(asked))]
        return tuple((one, engine) for one, engine in known if engine)[:MOST]

    def _language(self, asked: StreamParameters) -> Language:
        """Return the one language, or the likeliest of several that an engine here knows."""
        wanted = _wanted(asked)
        known = next((one for one in wanted if self.engine(one)), None)
        if known is None:
            engines = ", ".join(engine.name for engine in self.setup.engines)
            raise BadRequest(
                f"No engine behind this endpoint knows {', '.join(dict.fromkeys(wanted))}"
                f" (engines: {engines}). Start it with another --engine."
            )
        return known

    @contextmanager
    def enter(self, call: Call, stream: Stream) -> Iterator[None]:
        """Count a stream as long as the context is open; it ends an older one of its session.

        Raises:
            LimitExceeded: too many are open, or too many were started within the last second.
            ServiceUnavailable: the endpoint is about to stop.
        """
        if self.closed:
            raise ServiceUnavailable("The endpoint is stopping. Try again in a moment.")
        self._count_start(call.transport)
        inside = self._inside[call.transport]
        if len(inside) >= self.setup.scenario.streams:
            raise LimitExceeded(LIMIT)
        for other in self.streams:
            if other.session_id == stream.session_id:
                other.supersede()
        inside.add(stream)
        try:
            yield
        finally:
            inside.discard(stream)
            self._left.set()

    async def close(self, within_s: float) -> None:
        """Let nobody in any more, and tell everybody inside to leave; wait for them a while."""
        self.closed = True
        for stream in self.streams:
            stream.shut(ServiceUnavailable("The endpoint is stopping. Try again in a moment."))
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.streams:
                    self._left.clear()
                    await self._left.wait()

    def _count_start(self, transport: Transport) -> None:
        now = self.setup.monotonic()
        starts = self._starts[transport]
        while starts and starts[0] <= now - 1.0:
            starts.popleft()
        if len(starts) >= self.setup.scenario.starts_per_s:
            raise LimitExceeded(RAMP)
        starts.append(now)


def _wanted(asked: StreamParameters) -> list[Language]:
    """Return the languages asked for, the likeliest first."""
    likely = (asked.language_code, asked.preferred_language, *asked.language_options)
    try:
        return [language_tag(code) for code in likely if code]
    except BadLanguage as error:
        raise BadRequest(error.message) from error


def _refuse_unsupported(asked: StreamParameters) -> None:
    """Refuse sound that this endpoint cannot hear.

    Raises:
        BadRequest: the parameter that cannot be had.
    """
    if asked.media_encoding == "g729":
        raise BadRequest("This endpoint does not decode g729.")
    if asked.enable_channel_identification and asked.media_encoding not in RAW:
        raise BadRequest("Channel identification is for pcm and g711 only at this endpoint.")
