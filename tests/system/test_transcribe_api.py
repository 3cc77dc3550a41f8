"""The Transcribe-compatible endpoint, called over real sockets by raw clients."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import websockets

from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.domain.errors import NoEngine
from parola.domain.vocabulary import Language
from parola.engines.scripted import Script, ScriptedEngine, marked_audio
from parola.ports import Engine, EngineStream, StreamRequest
from parola.transcribe_api.dev_ca import dev_certificate
from parola.transcribe_api.door import Setup
from parola.transcribe_api.faults import Fault, Scenario
from parola.transcribe_api.journal import Journal
from parola.transcribe_api.serving import open_transcribe_api, run
from parola.wire import eventstream
from parola.wire.transcribe import (
    IDLE_TIMEOUT,
    BadRequest,
    Conflict,
    FilterMethod,
    IdleTimeout,
    InternalFailure,
    InvalidSignature,
    LimitExceeded,
    MediaEncoding,
    MissingAuthenticationToken,
    ServiceUnavailable,
    StreamParameters,
    Throttled,
    TranscribeError,
    UnrecognizedClient,
)
from tests.unit.transcribe_api.callers import (
    ENGLISH,
    KEY,
    Caller,
    Ended,
    encoded,
    over_http2,
    over_websocket,
    query,
    text,
)

SAMPLE = Path(__file__).parents[2] / "src" / "parola" / "samples" / "talk.ogg"

MARKS = marked_audio(range(30))
"""Three seconds, of which a scripted engine makes three finals of ten words."""

FINALS = [" ".join(map(str, range(at, at + 10))) for at in (0, 10, 20)]

over_each = pytest.mark.parametrize("open_call", [over_websocket, over_http2])

OpenCall = Any
"""`over_websocket` or `over_http2`."""


@asynccontextmanager
async def serving(
    engine: Engine | None = None,
    scenario: Scenario | None = None,
    **more: Any,  # noqa: ANN401 - the fields of Setup
) -> AsyncIterator[str]:
    setup = Setup(
        engines=[engine or ScriptedEngine(Script())],
        make_gate=lambda: Gate(SileroDetector()),
        monotonic=time.monotonic,
        scenario=scenario or Scenario(),
    )
    certificate = more.pop("certificate", None)
    async with open_transcribe_api(replace(setup, **more), certificate=certificate) as url:
        yield url


@over_each
async def test_partials_and_finals_carry_words_times_and_one_id(open_call: OpenCall) -> None:
    """Each utterance's results share an id and a start; only its last one is final."""
    async with serving() as url, open_call(url) as caller:
        results = await caller.converse(MARKS)
    finals = [one for one in results if not one.is_partial]
    assert [text(one) for one in finals] == FINALS
    assert [(one.start_s, one.end_s) for one in finals] == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    assert len({one.result_id for one in results}) == 3
    by_id: dict[str, list[Any]] = {}
    for one in results:
        by_id.setdefault(one.result_id, []).append(one)
    for utterance in by_id.values():
        assert len({one.start_s for one in utterance}) == 1
        assert [one.is_partial for one in utterance] == [True] * 9 + [False]
    said = finals[1].alternatives[0].items
    assert [(one.content, one.start_s, one.confidence, one.stable) for one in said[:2]] == [
        ("10", 1.0, 1.0, None),
        ("11", 1.1, 1.0, None),
    ]
    partial = results[0].alternatives[0].items[0]
    assert (partial.confidence, partial.stable) == (None, None)
    assert finals[0].language_code is None


@over_each
async def test_the_answer_begins_before_any_audio(open_call: OpenCall) -> None:
    """A client that waits for the answer before it speaks is answered."""
    async with serving() as url, asyncio.timeout(5), open_call(url) as caller:
        results = await caller.converse(MARKS)
    assert results


async def test_http2_answers_with_the_parameters_it_took() -> None:
    """Status and headers name the session, repeat what was asked, and say what comes."""
    session = str(uuid4())
    asked = StreamParameters("en-US", session_id=session, sample_rate_hz=8000)
    async with serving() as url, over_http2(url, asked) as caller:
        headers = caller.headers
        await caller.end()
        assert await caller.finals() == []
    assert headers["content-type"] == "application/vnd.amazon.eventstream"
    assert headers["x-amzn-transcribe-session-id"] == session
    assert headers["x-amzn-transcribe-sample-rate"] == "8000"
    assert headers["x-amzn-request-id"]


@over_each
async def test_stable_flags_come_with_stabilisation_only(open_call: OpenCall) -> None:
    """Items say whether they are stable where that was asked for."""
    asked = StreamParameters(
        "en-US", enable_partial_results_stabilization=True, partial_results_stability="high"
    )
    async with serving() as url, open_call(url, asked) as caller:
        results = await caller.converse(MARKS)
    assert {item.stable for one in results for item in one.alternatives[0].items} == {True}


async def test_identification_names_the_language_that_is_listened_for() -> None:
    """With identification every result says its language."""
    asked = StreamParameters(
        identify_language=True, language_options=("it-IT", "en-US"), preferred_language="en-US"
    )
    async with serving() as url, over_websocket(url, asked) as caller:
        results = await caller.converse(MARKS)
    assert {one.language_code for one in results} == {"en-US"}
    assert results[0].language_identification[0].language_code == "en-US"


async def test_each_channel_is_heard_alone() -> None:
    """With channel identification, results say which of the two channels they are of."""
    left, right = marked_audio(range(10)), marked_audio(range(50, 60))
    both = b"".join(left[at : at + 2] + right[at : at + 2] for at in range(0, len(left), 2))
    asked = StreamParameters("en-US", enable_channel_identification=True, number_of_channels=2)
    async with serving() as url, over_websocket(url, asked) as caller:
        results = await caller.converse(both, piece=3201)
    finals = {one.channel_id: text(one) for one in results if not one.is_partial}
    assert finals == {"ch_0": FINALS[0], "ch_1": "50 51 52 53 54 55 56 57 58 59"}


async def test_a_quiet_stream_ends_in_order() -> None:
    """No audio at all, or no more than half a frame of it, is no error."""
    async with serving() as url, over_websocket(url) as caller:
        assert await caller.converse(b"") == []
    async with serving() as url, over_websocket(url) as caller:
        assert await caller.converse(b"x") == []


async def test_a_body_that_ends_is_an_end_too() -> None:
    """A client that ends its request without the last frame still gets its finals."""
    async with serving() as url, over_http2(url) as caller:
        await caller.say(MARKS)
        await caller.end_body()
        assert await caller.finals() == FINALS


REFUSED = [
    ("language-code=en-US&media-encoding=pcm", "Member must not be null"),
    ("language-code=en-US&media-encoding=mp3&sample-rate=16000", "enum value set"),
    ("language-code=en-US&media-encoding=pcm&sample-rate=7999", "greater than or equal to 8000"),
    ("media-encoding=pcm&sample-rate=16000", "exactly one of LanguageCode"),
    ("language-code=xx-XX&media-encoding=pcm&sample-rate=16000", "languageCode"),
    (query(replace(ENGLISH, content_redaction_type="PII")), "personal information"),
    (query(replace(ENGLISH, vocabulary_name="nobody")), "vocabulary couldn't be found"),
    (query(replace(ENGLISH, vocabulary_filter_name="x")), "vocabulary filter couldn't be found"),
    (query(replace(ENGLISH, language_model_name="x")), "language model couldn't be found"),
    (query(ENGLISH, [("x-parola-fault", "nonsense")]), "there is no fault 'nonsense'"),
]


@pytest.mark.parametrize(("asking", "why"), REFUSED)
async def test_bad_parameters_are_refused_as_the_service_does(asking: str, why: str) -> None:
    """WebSocket: accepted, one exception frame, closed. HTTP/2: status and error type."""
    async with serving() as url:
        async with over_websocket(url, raw_query=asking) as caller:
            message = eventstream.decode(await caller.next_frame())
            assert (message.kind, message.name) == ("exception", "BadRequestException")
            assert why in json.loads(message.payload)["Message"]
            with pytest.raises(Ended):
                await caller.next_frame()
        headers = [
            (name if name.startswith("x-") else f"x-amzn-transcribe-{name}", value)
            for name, value in (pair.split("=") for pair in asking.split("&"))
        ]
        with pytest.raises(BadRequest, match=why):
            async with over_http2(url, raw_headers=headers):
                pass


async def test_a_language_without_an_engine_is_refused_in_words() -> None:
    """Who asks for what no engine here knows hears so before the stream."""

    class Deaf(ScriptedEngine):
        def knows(self, language: Language) -> bool:
            return language == "it-IT"

    async with serving(Deaf()) as url:
        with pytest.raises(BadRequest, match="No engine behind this endpoint knows en-US"):
            async with over_http2(url):
                pass


@over_each
async def test_a_right_signature_opens_the_door(open_call: OpenCall) -> None:
    """With keys, a signed request whose frames are signed is served."""
    async with serving(keys={KEY.access_key: KEY}) as url, open_call(url, key=KEY) as caller:
        results = await caller.converse(MARKS)
    assert [text(one) for one in results if not one.is_partial] == FINALS


async def test_a_wrong_signature_is_refused_at_the_handshake() -> None:
    """Unsigned, unknown, wrong, or old: status 403 and the name of what is wrong."""
    wrong = replace(KEY, secret_key="wrong")  # noqa: S106 - nobody's
    unknown = replace(KEY, access_key="AKIDNOBODY")
    old = datetime.now(UTC) - timedelta(minutes=6)
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, MissingAuthenticationToken.name),
        ({"key": wrong}, InvalidSignature.name),
        ({"key": unknown}, UnrecognizedClient.name),
        ({"key": KEY, "at": old}, InvalidSignature.name),
    ]
    async with serving(keys={KEY.access_key: KEY}) as url:
        for how, name in cases:
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with over_websocket(url, **how):
                    pass
            assert refused.value.response.status_code == 403
            assert refused.value.response.headers["x-amzn-errortype"] == name
        with pytest.raises(MissingAuthenticationToken):
            async with over_http2(url):
                pass
        with pytest.raises(InvalidSignature):
            async with over_http2(url, key=wrong):
                pass


async def test_a_frame_that_breaks_the_chain_ends_the_stream() -> None:
    """A frame that was signed is not taken a second time."""
    async with serving(keys={KEY.access_key: KEY}) as url, over_http2(url, key=KEY) as caller:
        assert caller.wrap
        frame = caller.wrap(eventstream.encode_audio(bytes(3200)))
        await caller.send_raw(frame)
        await caller.send_raw(frame)
        with pytest.raises(InvalidSignature, match="does not match"):
            await caller.finals()


@over_each
async def test_what_is_no_event_stream_is_refused(open_call: OpenCall) -> None:
    """Frames that cannot be read, or are no audio, end the stream with BadRequest."""
    async with serving() as url:
        for frame in (
            bytes(100),
            eventstream.encode(eventstream.event("ConfigurationEvent", b"{}")),
        ):
            async with open_call(url) as caller:
                await caller.send_frame(frame)
                with pytest.raises(BadRequest):
                    await caller.finals()


@over_each
async def test_idle_is_ended_in_the_services_words(open_call: OpenCall) -> None:
    """After 15 seconds without audio the stream ends with BadRequest; here 15 are a tenth."""
    scenario = Scenario(time_scale=150)
    async with serving(scenario=scenario) as url, open_call(url) as caller:
        await caller.send_audio(bytes(3200))
        with pytest.raises(IdleTimeout) as ended:
            await caller.finals()
    assert ended.value.message == IDLE_TIMEOUT
    assert ended.value.name == "BadRequestException"


async def test_a_stream_cannot_be_longer_than_four_hours() -> None:
    """The longest stream ends with LimitExceeded, whatever the client does."""
    scenario = Scenario(cap_s=4 * 3600, idle_s=5 * 3600, time_scale=4 * 36000)
    async with serving(scenario=scenario) as url, over_websocket(url) as caller:
        with pytest.raises(LimitExceeded, match="audio length limit"):
            await caller.finals()


@over_each
async def test_a_second_stream_of_a_session_ends_the_first(open_call: OpenCall) -> None:
    """The newer one goes on, the older one hears Conflict."""
    asked = StreamParameters("en-US", session_id=str(uuid4()))
    async with serving() as url, open_call(url, asked) as older, open_call(url, asked) as newer:
        with pytest.raises(Conflict):
            await older.finals()
        results = await newer.converse(MARKS)
    assert [text(one) for one in results if not one.is_partial] == FINALS


@over_each
async def test_too_many_streams_are_refused(open_call: OpenCall) -> None:
    """One more than the limit is refused, and let in when another has ended."""
    async with serving(scenario=Scenario(streams=1)) as url:
        async with open_call(url) as first:
            with pytest.raises(LimitExceeded, match="concurrent"):
                async with open_call(url) as second:
                    await second.finals()
            await first.end()
            assert await first.finals() == []
        # What the server has not noticed yet, it will: the client asks until then.
        async with asyncio.timeout(5):
            while not await _is_let_in(open_call, url):
                pass


async def _is_let_in(open_call: OpenCall, url: str) -> bool:
    try:
        async with open_call(url) as caller:
            await caller.end()
            await caller.finals()
    except LimitExceeded:
        return False
    return True


async def test_streams_started_too_fast_are_refused() -> None:
    """One start more than the limit within a second is refused."""
    async with serving(scenario=Scenario(starts_per_s=2)) as url:
        for _ in range(2):
            async with over_websocket(url) as caller:
                await caller.end()
                await caller.finals()
        async with over_websocket(url) as caller:
            with pytest.raises(LimitExceeded, match="rate"):
                await caller.finals()


EXCEPTIONS: list[tuple[str, type[TranscribeError]]] = [
    ("idle", IdleTimeout),
    ("cap", LimitExceeded),
    ("conflict", Conflict),
    ("limit", LimitExceeded),
    ("ramp", LimitExceeded),
    ("throttle", Throttled),
    ("exception=ServiceUnavailableException", ServiceUnavailable),
]


async def until_error(caller: Caller) -> tuple[list[str], TranscribeError]:
    """Return the texts that came, and what the stream ended with."""
    seen = []
    try:
        async for one in caller.results():
            seen.append(text(one))  # noqa: PERF401 - kept although the iteration fails
    except TranscribeError as error:
        return seen, error
    raise AssertionError("the stream ended in order")


@over_each
@pytest.mark.parametrize(("fault", "error"), EXCEPTIONS)
async def test_a_scripted_exception_comes_when_it_was_asked_for(
    open_call: OpenCall, fault: str, error: type[TranscribeError]
) -> None:
    """Without a time before the stream, with one within it: always the same exception."""
    async with serving() as url:
        with pytest.raises(error):
            async with open_call(url, fault=fault) as caller:
                await caller.finals()
        async with open_call(url, fault=f"{fault}@1.5") as caller:
            await caller.say(MARKS)
            seen, ended = await until_error(caller)
    assert type(ended) is error
    assert FINALS[0] in seen
    assert FINALS[1] not in seen


@over_each
async def test_a_clean_close_says_nothing(open_call: OpenCall) -> None:
    """The stream ends in order though the client has not ended it."""
    async with serving() as url, open_call(url, fault="close@1") as caller:
        await caller.say(MARKS[:32000])
        assert await caller.finals() in ([], FINALS[:1])


@over_each
@pytest.mark.parametrize(("fault", "reason"), [("oversized", "length"), ("corrupt", "checksum")])
async def test_a_broken_frame_is_the_clients_to_find(
    open_call: OpenCall, fault: str, reason: str
) -> None:
    """A frame that claims 32 MiB, or was changed on its way, reaches the client as it is."""
    async with serving() as url, open_call(url, fault=f"{fault}@0.1") as caller:
        await caller.send_audio(bytes(3200))
        with pytest.raises(eventstream.EventStreamError) as broken:
            await caller.finals()
    assert broken.value.reason == reason


@over_each
async def test_a_reset_comes_in_the_middle_of_a_frame(open_call: OpenCall) -> None:
    """The connection is broken off, not closed, after a part of a frame."""
    async with serving() as url, open_call(url, fault="reset@1") as caller:
        await caller.say(MARKS[:32000])
        with pytest.raises((ConnectionResetError, websockets.ConnectionClosedError)) as broken:
            await caller.finals()
    cause = broken.value.__cause__ or broken.value
    assert isinstance(cause, ConnectionResetError)


async def test_a_reset_goes_through_tls(ca: Path) -> None:
    """The record is cut, so the client sees no close of TLS either."""
    trust, certificate = dev_certificate(ca, datetime.now(UTC))
    async with (
        serving(certificate=certificate) as url,
        over_http2(url, fault="reset@1", trust=trust) as caller,
    ):
        await caller.say(MARKS[:32000])
        with pytest.raises(ConnectionResetError):
            await caller.finals()


@over_each
async def test_a_black_hole_swallows_everything(open_call: OpenCall, tmp_path: Path) -> None:
    """Nothing is answered and nothing ends, though the endpoint has long given up."""
    log = tmp_path / "log"
    with log.open("a") as file:
        more: dict[str, Any] = {"journal": Journal(file), "scenario": Scenario(time_scale=150)}
        async with serving(**more) as url, open_call(url, fault="black-hole@0.1") as caller:
            await caller.send_audio(bytes(3200))
            hearing = asyncio.create_task(caller.next_frame())
            async with asyncio.timeout(10), over_websocket(url) as another:
                while "ended" not in [one["event"] for one in journal(log)]:
                    await another.send_audio(MARKS[:3200])
                    await another.next_frame()
            assert not hearing.done()
            hearing.cancel()
    ended = [(one["stream"], one["how"]) for one in journal(log) if one["event"] == "ended"]
    assert ended[0] == (1, "BadRequestException")


async def test_a_slow_reader_makes_the_client_wait() -> None:
    """What the client sends stays in its own buffers; other streams are read as fast as ever."""
    many = bytes(16 * 2**20)
    async with serving() as url, over_websocket(url, fault="slow-reader=1000") as slow:
        sending = asyncio.create_task(slow.say(many, piece=64000))
        async with over_websocket(url) as other:
            results = await other.converse(MARKS)
        assert [text(one) for one in results if not one.is_partial] == FINALS
        assert not sending.done()
        sending.cancel()
        slow.socket.transport.abort()


def journal(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_a_scenario_hits_the_streams_it_names_and_is_written_down(tmp_path: Path) -> None:
    """Faults count streams from 1; the journal tells what happened to each, without words."""
    faults = (Fault("close", at_s=1.0, stream=1), Fault("throttle", stream=2))
    log = tmp_path / "log"
    with log.open("a") as file:
        more: dict[str, Any] = {"scenario": Scenario(faults=faults), "journal": Journal(file)}
        async with serving(**more) as url:
            async with over_websocket(url) as caller:
                await caller.say(MARKS[:32000])
                await caller.finals()
            async with over_websocket(url) as caller:
                with pytest.raises(Throttled):
                    await caller.finals()
            async with over_websocket(url) as caller:
                results = await caller.converse(MARKS)
    assert text(results[-1]) == FINALS[-1]
    told = [
        (one["stream"], one["event"], one.get("kind") or one.get("how")) for one in journal(log)
    ]
    assert told == [
        (1, "started", None),
        (1, "fault", "close"),
        (1, "ended", "hung up"),
        (2, "fault", "throttle"),
        (2, "refused", None),
        (3, "started", None),
        (3, "ended", "complete"),
    ]
    assert (journal(log)[-1]["audio_s"], journal(log)[-1]["finals"]) == (3.0, 3)


async def test_a_client_that_leaves_is_forgotten(tmp_path: Path) -> None:
    """Its stream ends at once and counts no more."""
    log = tmp_path / "log"
    with log.open("a") as file:
        async with serving(scenario=Scenario(streams=1), journal=Journal(file)) as url:
            async with over_websocket(url) as caller:
                await caller.send_audio(MARKS[:3200])
                caller.socket.transport.abort()
            async with asyncio.timeout(5):
                while not await _is_let_in(over_websocket, url):
                    pass
    ends = {one["stream"]: one["how"] for one in journal(log) if one["event"] == "ended"}
    assert ends[1] == "client gone"


async def test_an_engine_that_breaks_for_good_is_said_at_once(tmp_path: Path) -> None:
    """The client hears InternalFailure with the reason, though it sends nothing any more."""

    class Broken:
        name = "broken"
        gated = False

        def knows(self, language: Language) -> bool:
            return True

        def open(self, request: StreamRequest) -> AbstractAsyncContextManager[EngineStream]:
            raise NoEngine("The model is gone; fetch it again.")

    async with serving(Broken()) as url, over_http2(url) as caller:
        with pytest.raises(InternalFailure, match="model is gone"):
            await caller.finals()


async def test_stopping_tells_the_clients() -> None:
    """Open streams end with ServiceUnavailable when the endpoint stops."""
    async with serving() as url:
        opened = over_websocket(url)
        caller = await opened.__aenter__()
    with pytest.raises(ServiceUnavailable):
        await caller.finals()
    await opened.__aexit__(None, None, None)


@over_each
async def test_a_black_hole_does_not_keep_the_endpoint_from_stopping(open_call: OpenCall) -> None:
    """The endpoint stops within seconds, though nothing can be said on that connection."""
    heard = Heard("fault")
    async with (
        asyncio.timeout(8),
        serving(journal=Journal(heard)) as url,
        open_call(url, fault="black-hole@0.1") as caller,
    ):
        await caller.send_audio(bytes(3200))
        await heard.event.wait()


class Heard(io.StringIO):
    """Waits for a word in the journal."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.event = asyncio.Event()
        self._word = word

    def write(self, text: str) -> int:
        if f'"{self._word}"' in text:
            self.event.set()
        return super().write(text)


async def test_filtered_words_are_masked_removed_or_tagged() -> None:
    """The words of the filter that was asked for go, in text and items, as the method says."""
    want: dict[FilterMethod, tuple[str, str, bool]] = {
        "mask": ("0 1 *** 3", "***", True),
        "remove": ("0 1 3 4", "3", False),
        "tag": ("0 1 2 3", "2", True),
    }
    async with serving(words={"rude": frozenset({"2", "15"})}) as url:
        for method, (start, third, match) in want.items():
            asked = StreamParameters(
                "en-US", vocabulary_filter_name="rude", vocabulary_filter_method=method
            )
            async with over_websocket(url, asked) as caller:
                results = await caller.converse(MARKS)
            first = next(one for one in results if not one.is_partial)
            assert text(first).startswith(start)
            item = first.alternatives[0].items[2]
            assert (item.content, item.vocabulary_filter_match) == (third, match)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a development CA."""
    folder = tmp_path_factory.mktemp("ca")
    dev_certificate(folder, datetime.now(UTC))
    return folder


@over_each
async def test_tls_with_the_development_ca(open_call: OpenCall, ca: Path) -> None:
    """One port serves https and wss; a client that trusts ca.pem needs nothing else."""
    trust, certificate = dev_certificate(ca, datetime.now(UTC))
    async with serving(certificate=certificate, keys={KEY.access_key: KEY}) as url:
        assert url.startswith("https://")
        async with open_call(url, key=KEY, trust=trust) as caller:
            results = await caller.converse(MARKS)
    assert [text(one) for one in results if not one.is_partial] == FINALS


@contextmanager
def running(*options: str) -> Iterator[str]:
    """Start the command on a free port, and end it."""
    program = "from parola.cli.transcribe_api import transcribe_api as run; import typer;"
    command = [sys.executable, "-c", f"{program} typer.run(run)", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("Transcribe endpoint is ready: "), line
        yield line.split(": ", 1)[1].strip()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        process.stdout.close()


def test_it_ends_in_order_while_connections_break() -> None:
    """Whatever its server's threads have still to let go of, the process has its own exit code."""

    async def break_off(url: str) -> None:
        query = "language-code=en-US&media-encoding=pcm&sample-rate=16000"
        address = f"{url.replace('http', 'ws')}/stream-transcription-websocket?{query}"
        clients = [await websockets.connect(address) for _ in range(8)]
        for client in clients:
            client.transport.abort()

    with running("--engine", "scripted") as url:
        asyncio.run(break_off(url))


def test_no_thread_of_the_server_needs_the_loop_after_a_run() -> None:
    """When `run` has returned, nothing holds its event loop any more, and the process may end."""
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def serve_once() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        async with serving() as url, over_websocket(url) as caller:
            await caller.send_audio(bytes(3200))

    run(serve_once())
    assert [one() for one in loops] == [None]


CASES: list[tuple[MediaEncoding, int, OpenCall]] = [
    ("pcm", 16_000, over_websocket),
    ("pcm", 44_100, over_http2),
    ("flac", 16_000, over_http2),
    ("flac", 44_100, over_websocket),
    ("ogg-opus", 48_000, over_websocket),
    ("ogg-opus", 48_000, over_http2),
]


def test_real_words_of_a_real_talk_in_every_encoding(tmp_path: Path) -> None:
    """The embedded recogniser hears the talk over both transports, signed, over TLS."""
    options = ("--dev-ca", str(tmp_path / "ca"), "--key", f"{KEY.access_key}={KEY.secret_key}")
    trust = tmp_path / "ca" / "ca.pem"

    async def hear(
        url: str, encoding: MediaEncoding, rate_hz: int, open_call: OpenCall
    ) -> list[str]:
        asked = StreamParameters("en-US", media_encoding=encoding, sample_rate_hz=rate_hz)
        async with open_call(url, asked, key=KEY, trust=trust) as caller:
            results = await caller.converse(encoded(SAMPLE, encoding, rate_hz, 7.0))
        return [text(one) for one in results if not one.is_partial]

    with running("--engine", "pocketsphinx", *options) as url:
        for encoding, rate_hz, open_call in CASES:
            finals = asyncio.run(hear(url, encoding, rate_hz, open_call))
            # The first word is not the same in every encoding: an old recogniser's ears.
            assert finals[0].endswith("morning everyone and welcome to this room"), finals
            assert finals[1:] == ["what i say is what you read"], (encoding, rate_hz)


async def test_what_is_not_flac_is_refused() -> None:
    """Audio that is not in the encoding that was named ends the stream with BadRequest."""
    asked = StreamParameters("en-US", media_encoding="flac")
    async with serving() as url, over_websocket(url, asked) as caller:
        with pytest.raises(BadRequest, match="could not be decoded"):
            await caller.converse(b"no flac at all " * 10_000)


def refusal(*options: str) -> tuple[int, str]:
    """Return the exit code and what is said by a command that does not start."""
    program = (
        "import sys; from parola.cli import app, run;"
        "from parola.cli.transcribe_api import transcribe_api;"
        "app.command('endpoint')(transcribe_api); sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "endpoint", *options],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_command_that_cannot_start_says_why(tmp_path: Path) -> None:
    """One sentence and a documented exit code; a secret is never repeated."""
    words = tmp_path / "empty"
    words.write_text("")
    cases = [
        (("--key", "=hush"), 2, "ACCESS=SECRET"),
        (("--faults", "nowhere.toml"), 2, "no file nowhere.toml"),
        (("--vocabulary-filter", f"rude={words}"), 2, "holds no words"),
    ]
    for options, code, why in cases:
        ended, said = refusal(*options)
        assert (ended, why in said) == (code, True), said
        assert "hush" not in said
        assert "Traceback" not in said


def test_a_taken_port_is_named() -> None:
    """The message says which port and what to do."""
    with running("--engine", "scripted") as url:
        code, said = refusal("--engine", "scripted", "--port", url.rsplit(":", 1)[1])
    assert code == 3
    assert url.rsplit(":", 1)[1] in said
    assert "Traceback" not in said
