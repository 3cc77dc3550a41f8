"""AWS's own clients of Transcribe, unmodified, at our endpoint."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import jiwer
import pytest
import pytest_asyncio

from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.beside import beside
from parola.domain.log import Withheld
from parola.domain.transcript import Segment
from parola.domain.vocabulary import language_tag
from parola.engines.pocketsphinx import PocketSphinxEngine
from parola.engines.scripted import marked_audio
from parola.live.session import Session, SessionPlan
from parola.ports import Engine, RoomState
from parola.transcribe_api.dev_ca import dev_certificate
from parola.transcribe_api.door import Setup
from parola.transcribe_api.faults import read_header
from parola.transcribe_api.serving import open_transcribe_api
from tests.sdks.run import COMMANDS, Case, Sdk, Went, is_here, need, sdks
from tests.sdks.stage import EXCEPTIONS, HANGS, SILENT, Scripted, Wanted, reference, sound
from tests.unit.transcribe_api.callers import KEY

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

RECORDINGS = ("speech/harvard-spk1_snt5.wav", "speech/libri-1089-134691-0.wav")
"""What the embedded recogniser understands; docs/reference/accuracy.md tells what it does not."""

PAUSE = bytes(2 * 16_000)
"""A second between them. Each client plays them in one stream: its recogniser starts once."""

PATIENCE_S = 150.0

MAX_WORD_ERROR_RATE = 0.1

H2C = "node h2c"
"""Node again, over plain HTTP/2."""

EVERY = pytest.mark.parametrize("name", COMMANDS)


@dataclass(slots=True)
class Endpoint:
    """The endpoint over TLS and plain, with signatures checked, and all its clients."""

    https: str
    http: str
    scenario: Wanted
    clients: dict[str, Sdk]
    engine: PocketSphinxEngine
    folder: Path
    ca: Path

    def audio(self, name: str, pcm: bytes) -> str:
        """Return a file with these samples."""
        file = self.folder / f"{Path(name).stem}.pcm"
        file.write_bytes(pcm)
        return str(file)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def endpoint(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Endpoint]:
    """One endpoint for all: English by the real recogniser, Italian by the scripted one."""
    folder = tmp_path_factory.mktemp("sdks")
    ca, certificate = dev_certificate(folder, datetime.now(UTC))
    # A recogniser that is slow here must not look like a client that sends nothing.
    scenario = Wanted(starts_per_s=1000, streams=1000, idle_s=3600)
    with closing(PocketSphinxEngine()) as engine:
        engines: list[Engine] = [Scripted(), engine]
        setup = Setup(
            engines,
            lambda: Gate(SileroDetector()),
            time.monotonic,
            keys={KEY.access_key: KEY},
            scenario=scenario,
        )
        async with AsyncExitStack() as stack:
            https = await stack.enter_async_context(
                open_transcribe_api(setup, certificate=certificate)
            )
            http = await stack.enter_async_context(open_transcribe_api(setup))
            clients = await stack.enter_async_context(sdks(ca, KEY, folder))
            yield Endpoint(
                https.replace("127.0.0.1", "localhost"),
                http.replace("127.0.0.1", "localhost"),
                scenario,
                clients,
                engine,
                folder,
                ca,
            )


@dataclass(slots=True)
class Screen:
    """A sink that remembers finals."""

    finals: list[str] = field(default_factory=list)

    async def show(self, segment: Segment) -> None:
        if segment.is_final:
            self.finals.append(segment.text)

    async def withhold(self, withheld: Withheld) -> None:
        pass

    async def tell(self, state: RoomState) -> None:
        pass


async def heard_by_us(engine: Engine, pcm: bytes) -> list[str]:
    """Return the finals of a session of our own, without any endpoint."""
    screen = Screen()
    plan = SessionPlan("ours", language_tag("en-US"))
    session = Session(plan, engine, Gate(SileroDetector()), screen)
    async with beside(session.run()):
        for at in range(0, len(pcm), 3200):
            await session.feed(pcm[at : at + 3200])
        session.end()
        await session.finished()
    return screen.finals


Heard = Mapping[str, Went]
"""How it went, by client."""


@pytest.fixture(scope="module")
def talk(recordings: Path) -> bytes:
    """All recordings, one after the other."""
    return b"".join(sound(recordings, recording) + PAUSE for recording in RECORDINGS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(endpoint: Endpoint, talk: bytes) -> Heard:
    """Let every client that is here play the recordings, all clients at the same time."""
    endpoint.scenario.next.clear()
    audio = endpoint.audio("talk", talk)
    went: dict[str, Went] = {}

    async def play(name: str, url: str, clients: Mapping[str, Sdk]) -> None:
        # Six recognisers side by side on a busy machine are slow, and nobody hangs.
        case = Case(url, audio, patience_s=PATIENCE_S)
        went[name] = await clients[name.split(maxsplit=1)[0]].play(case)

    async with sdks(endpoint.ca, KEY, endpoint.folder) as more, asyncio.TaskGroup() as tasks:
        for name in filter(is_here, COMMANDS):
            tasks.create_task(play(name, endpoint.https, endpoint.clients))
        if is_here("node"):
            tasks.create_task(play(H2C, endpoint.http, more))
    return went


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ours(endpoint: Endpoint, talk: bytes) -> list[str]:
    """What a session of our own makes of the recordings."""
    return await heard_by_us(endpoint.engine, talk)


@pytest.mark.audio
@pytest.mark.parametrize("name", [*COMMANDS, H2C])
async def test_every_client_gets_the_right_words(
    heard: Heard, ours: list[str], recordings: Path, name: str
) -> None:
    """Real recordings come out as from a session of our own, and as somebody wrote them down."""
    need(name.split(maxsplit=1)[0])
    went = heard[name]
    assert (went.raised, went.hung) == ("", False), went
    assert went.finals == ours
    assert went.partials > 1
    written = " ".join(reference(recordings, recording) for recording in RECORDINGS)
    assert jiwer.wer(written, " ".join(went.finals)) <= MAX_WORD_ERROR_RATE


async def provoke(endpoint: Endpoint, name: str, fault: str) -> Went:
    """Let a client meet a fault; it sends two seconds of marks and no end."""
    need(name)
    endpoint.scenario.next[:] = read_header(fault)
    audio = endpoint.audio("marks", marked_audio(range(20)))
    hangs = fault.startswith("black-hole")
    case = Case(endpoint.https, audio, "it-IT", ends=False, patience_s=1.0 if hangs else 40.0)
    return await endpoint.clients[name].play(case)


MODELS = {
    "amazon-transcribe": "amazon_transcribe.exceptions.",
    "aws-sdk": "aws_sdk_transcribe_streaming.models.",
    "node": "",
    "presigned": "",
}
"""Where each client has the classes of its exceptions."""


@EVERY
@pytest.mark.parametrize("at", ["", "@0.5"], ids=["before", "within"])
async def test_every_exception_is_the_clients_own(endpoint: Endpoint, name: str, at: str) -> None:
    """Before and within the stream each fault raises the class that the client has for it."""
    for fault, (exception, says) in EXCEPTIONS.items():
        went = await provoke(endpoint, name, fault + at)
        assert went.raised == MODELS[name] + exception, (fault, went)
        assert says in went.message
        assert went.finals == []


BREAKS: Mapping[str, Mapping[str, set[str]]] = {
    "close@0.5": {
        "amazon-transcribe": {SILENT},
        "aws-sdk": {SILENT},
        "node": {SILENT},
        "presigned": {SILENT},
    },
    "reset@0.5": {
        "amazon-transcribe": {SILENT},
        "aws-sdk": {SILENT},
        # As the reset meets its reading or its writing.
        "node": {SILENT, "other:Error"},
        "presigned": {"websockets.exceptions.ConnectionClosedError"},
    },
    "corrupt@0.5": {
        "amazon-transcribe": {"amazon_transcribe.eventstream.ChecksumMismatch"},
        "aws-sdk": {"smithy_aws_event_stream.exceptions.ChecksumMismatch"},
        "node": {"other:Error"},
        "presigned": {"botocore.eventstream.ChecksumMismatch"},
    },
    "oversized@0.5": {
        "amazon-transcribe": {"amazon_transcribe.eventstream.InvalidPayloadLength"},
        "aws-sdk": {"smithy_aws_event_stream.exceptions.InvalidPayloadLength"},
        "node": {"other:Error"},
        "presigned": {"botocore.eventstream.InvalidPayloadLength"},
    },
    "throttle": {
        "amazon-transcribe": {"amazon_transcribe.exceptions.UnknownServiceException"},
        "aws-sdk": {"smithy_core.exceptions.CallError"},
        "node": {"TranscribeStreamingServiceException"},
        "presigned": {"ThrottlingException"},
    },
    "throttle@0.5": {
        "amazon-transcribe": {"amazon_transcribe.exceptions.ServiceException"},
        "aws-sdk": {"builtins.KeyError"},
        "node": {"other:ThrottlingException"},
        "presigned": {"ThrottlingException"},
    },
    # The last one: a client that hangs is ended.
    "black-hole@0.5": {name: {HANGS} for name in COMMANDS},
}
"""What each client makes of what is not in its model; docs/howto/transcribe-api.md has it too."""


@EVERY
async def test_what_is_not_in_the_model_looks_as_documented(endpoint: Endpoint, name: str) -> None:
    """A lost connection ends most clients as if all were well; a black hole ends none."""
    for fault, looks in BREAKS.items():
        went = await provoke(endpoint, name, fault)
        look = HANGS if went.hung else went.raised or SILENT
        assert look in looks[name], (fault, went)
