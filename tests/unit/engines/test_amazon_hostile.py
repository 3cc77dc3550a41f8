"""Whatever a hostile or broken service sends, Amazon's engine ends with a sentence, or lives."""

import asyncio
import json
import tracemalloc
from collections.abc import Iterable, Sequence
from struct import pack
from zlib import crc32

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from parola.beside import beside
from parola.domain.audio import AudioChunk
from parola.domain.errors import EngineFailed, NoEngine, ParolaError
from parola.domain.transcript import Hypothesis
from parola.domain.vocabulary import language_tag
from parola.engines.amazon import AmazonEngine
from parola.ports import EngineEvent, StreamRequest
from parola.wire import eventstream
from parola.wire.eventstream import Message
from tests.unit.engines.amazon_service import KEYS, Service, running, settings_for

Frames = Sequence[bytes | str]
"""Binary and text frames of a WebSocket."""

names = st.sampled_from(
    [
        "ResultId", "StartTime", "EndTime", "IsPartial", "Alternatives", "Transcript", "Items",
        "Content", "Type", "Confidence", "Stable", "Speaker", "LanguageCode", "Score",
    ]
)  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([-1.0, 1e308, 10**400, "NaN", "\ud800"])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
times = st.floats() | st.integers(-10, 10) | st.sampled_from([10**30, 1e308])
items = st.fixed_dictionaries(
    {"Type": st.text(max_size=3), "Content": st.text(max_size=5)},
    optional={"StartTime": times, "EndTime": times, "Confidence": times, "Speaker": st.text()},
)
results = st.fixed_dictionaries(
    {
        "ResultId": st.text(max_size=3),
        "IsPartial": st.booleans(),
        "Alternatives": st.lists(
            st.fixed_dictionaries(
                {"Transcript": st.text(max_size=9), "Items": st.lists(items, max_size=3)}
            ),
            max_size=2,
        ),
    },
    optional={"StartTime": times, "EndTime": times},
)


def transcript(whole: object) -> bytes:
    return eventstream.encode(eventstream.event("TranscriptEvent", json.dumps(whole).encode()))


messages = st.builds(
    Message,
    st.dictionaries(
        st.sampled_from([":message-type", ":event-type", ":exception-type", ":error-code"]),
        st.sampled_from(["event", "exception", "error", "TranscriptEvent", "Nobody"])
        | st.integers(-9, 9)
        | st.binary(max_size=3),
    ),
    st.binary(max_size=30) | anything.map(lambda value: json.dumps(value).encode()),
)
whole_frames = (
    messages.map(eventstream.encode)
    | anything.map(transcript)
    | st.lists(results, max_size=3).map(lambda some: transcript({"Transcript": {"Results": some}}))
    | st.builds(
        lambda name, says: eventstream.encode(eventstream.exception(name, says)),
        st.text(max_size=12) | st.sampled_from(["ConflictException", "LimitExceededException"]),
        st.text(max_size=12),
    )
)
frames = (
    whole_frames
    | st.binary(max_size=60)
    | st.text(max_size=20)
    | st.tuples(whole_frames, st.integers(0, 99)).map(lambda cut: cut[0][: cut[1]])
    | st.tuples(whole_frames, whole_frames).map(b"".join)
)


class Hostile(Service):
    """Sends what it is told, takes audio until its end, and closes."""

    def __init__(self, sends: Iterable[bytes | str]) -> None:
        super().__init__()
        self._sends = sends

    async def take(self, connection: ServerConnection) -> None:
        try:
            for frame in self._sends:
                await connection.send(frame)
            while eventstream.decode(await connection.recv(decode=False)).payload:
                pass
        except ConnectionClosed:
            pass


@pytest.fixture(autouse=True, scope="module")
def _credentials() -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        patch.delenv("AWS_PROFILE", raising=False)
        yield


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


async def hear(sends: Iterable[bytes | str]) -> tuple[list[EngineEvent], ParolaError | None]:
    """Return what a stream says of a second of silence, and what it ended with."""
    events: list[EngineEvent] = []
    async with asyncio.timeout(10), running(Hostile(sends)) as service:
        quick = {"settle_s": 0.3, "patience_s": 0.5, "ping_s": 0.1}
        engine = AmazonEngine(settings_for(service, **quick), sleep=no_sleep)
        try:
            async with engine.open(StreamRequest(language_tag("en-US"), "s")) as stream:

                async def send() -> None:
                    for n in range(10):
                        await stream.send(AudioChunk(n * 1600, bytes(3200), voiced=False))
                    await stream.end()

                async with beside(send()):
                    async for event in stream:
                        events.append(event)  # noqa: PERF401 - kept although the iteration fails
        except ParolaError as error:
            return events, error
    return events, None


def word(at_s: float, end_s: float) -> dict[str, object]:
    said = {"Transcript": "word", "Items": []}
    times = {"StartTime": at_s, "EndTime": end_s}
    return {"ResultId": "1", "IsPartial": True, "Alternatives": [said], **times}


@given(st.lists(frames, max_size=5))
@example([transcript({"Transcript": 3})])
@example([transcript({"Transcript": {"Results": [word(5, 6), word(1, 2)]}})])
@example([eventstream.encode(eventstream.event("TranscriptEvent", b"[" * 99_999))])
@settings(max_examples=40)
def test_any_frames_give_sane_words_or_a_sentence(sends: Frames) -> None:
    """It never hangs and raises only what engines may; times stay in order.

    Any other error, were it one of ours, would end the room for good where a new stream helps.
    """
    events, error = asyncio.run(hear(sends))
    for event in events:
        if isinstance(event, Hypothesis):
            assert 0 <= event.first_frame <= event.end_frame
            assert all(event.first_frame <= one.start_frame <= one.end_frame for one in event.words)
    if error:
        assert isinstance(error, EngineFailed | NoEngine)
        assert error.message


def claims(total_bytes: int) -> bytes:
    """Return a start of a frame that claims to be this long, its first checksum right."""
    lengths = pack("!II", total_bytes, 0)
    return lengths + pack("!I", crc32(lengths)) + bytes(64)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (bytes(100), "cannot be understood"),
        ("not even bytes", "cannot be understood"),
        (claims(32 * 2**20), "cannot be understood"),
        (transcript({"Transcript": {"Results": [{"StartTime": "soon"}]}}), "cannot be understood"),
        (bytes(8 * 2**20), "connection to Amazon Transcribe was lost"),
        (eventstream.encode(eventstream.exception("NewException", "Oh.")), "NewException: Oh."),
    ],
    ids=["zeros", "text", "claims 32 MiB", "wrong JSON", "8 MiB", "unknown exception"],
)
async def test_what_is_no_transcript_is_named(frame: bytes | str, says: str) -> None:
    """The sentence tells rubbish from a lost connection and from an exception nobody knows."""
    _, error = await hear([frame])
    assert error
    assert says in error.message


async def test_a_flood_of_results_does_not_fill_the_memory() -> None:
    """Utterances that are begun and never ended are not kept for ever."""

    def flood() -> Iterable[bytes]:
        for n in range(3000):
            alternative = {"Transcript": "a", "Items": []}
            result = {"ResultId": f"{n}" * 2000, "IsPartial": True, "Alternatives": [alternative]}
            yield transcript({"Transcript": {"Results": [result]}})

    tracemalloc.start()
    try:
        _, error = await hear(flood())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error
    assert "ended none" in error.message
    assert peak < 8 * 2**20
