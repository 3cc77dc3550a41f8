"""Amazon Transcribe hears every word, and what goes wrong is survived or told with a remedy."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from parola.beside import beside
from parola.domain.audio import FRAME_BYTES, AudioChunk
from parola.domain.errors import EngineFailed, NoEngine, ParolaError
from parola.domain.transcript import Hypothesis, Settled
from parola.domain.vocabulary import language_tag
from parola.engines.amazon import AmazonEngine, AmazonSettings, Recognition
from parola.engines.amazon_errors import Busy, LinkLost
from parola.engines.scripted import BLOCK_FRAMES, marked_audio
from parola.ports import EngineEvent, EngineStream, StreamRequest
from parola.wire import transcribe
from parola.wire.transcribe import StreamParameters, TranscribeError
from tests.unit.engines.amazon_service import KEYS, Fault, Service, running, settings_for

ENGLISH = language_tag("en-US")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with running(Service()) as one:
        yield one


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


def engine_for(service: Service, **more: object) -> AmazonEngine:
    return AmazonEngine(settings_for(service, **more), sleep=no_sleep)


def chunks(pcm: bytes, first: int = 0, frames: int = 512) -> list[AudioChunk]:
    size = frames * FRAME_BYTES
    parts = [pcm[at : at + size] for at in range(0, len(pcm), size)]
    return [AudioChunk(first + n * frames, part) for n, part in enumerate(parts)]


class Heard:
    """What a stream said so far, and whoever waits for more of it."""

    def __init__(self) -> None:
        self.events: list[EngineEvent] = []
        self._more = asyncio.Event()

    async def listen(self, stream: EngineStream) -> None:
        async for event in stream:
            self.events.append(event)
            self._more.set()

    async def until(self, holds: Callable[[list[EngineEvent]], bool]) -> None:
        while not holds(self.events):
            self._more.clear()
            await self._more.wait()


async def hear(
    engine: AmazonEngine,
    audio: list[AudioChunk],
    first: int = 0,
    *,
    ends: bool = True,
    room: str = "",
    options: Mapping[str, str] | None = None,
    rate_hz: int = 16_000,
    channels: int = 1,
) -> list[EngineEvent]:
    """Return all that one stream says."""

    async def send(stream: EngineStream) -> None:
        for chunk in audio:
            await stream.send(chunk)
        if ends:
            await stream.end()

    async with asyncio.timeout(30):
        request = StreamRequest(
            ENGLISH, "s", first, room, options=options or {}, rate_hz=rate_hz, channels=channels
        )
        async with engine.open(request) as stream, beside(send(stream)):
            return [event async for event in stream]


def finals(events: list[EngineEvent]) -> list[Hypothesis]:
    return [e for e in events if isinstance(e, Hypothesis) and e.is_final]


async def test_every_word_comes_once_with_its_time_on_the_sessions_clock(service: Service) -> None:
    """Wherever the stream starts on the session's clock, words lie over their sound."""
    first = 7 * 3600 * 16_000
    events = await hear(engine_for(service), chunks(marked_audio(range(23)), first), first)
    words = [word for final in finals(events) for word in final.words]
    assert [word.text for word in words] == [str(n) for n in range(23)]
    assert [word.start_frame for word in words] == [first + n * BLOCK_FRAMES for n in range(23)]
    assert words[0].confidence == 0.9
    assert words[0].stable
    assert finals(events)[0].speaker == "1"
    assert events[-1] == Settled(first + 23 * BLOCK_FRAMES)


async def test_the_service_is_asked_for_what_was_set(service: Service) -> None:
    """Every option arrives, and each stream has a session id of its own."""
    recognition = Recognition(
        vocabulary_name="names",
        vocabulary_filter_name="rude",
        vocabulary_filter_method="mask",
        show_speaker_label=True,
        partial_results_stability="low",
        content_redaction_type="PII",
        pii_entity_types=("NAME",),
        language_model_name="ours",
        session_resume_window_min=30,
        transcript_format="spoken",
    )
    engine = engine_for(service, recognition=recognition)
    for _ in range(2):
        await hear(engine, chunks(marked_audio(range(3))))
    one, two = (call.asked for call in service.calls)
    assert one.session_id != two.session_id
    assert one.language_code == "en-US"
    assert one.sample_rate_hz == 16_000
    for name in Recognition.__dataclass_fields__.keys() & StreamParameters.__dataclass_fields__:
        assert getattr(one, name) == getattr(recognition, name), name


async def test_a_session_may_have_options_of_its_own(service: Service) -> None:
    """The language can be found out in one room while others are told it."""
    options = {"identify_language": "true", "language_options": "it-IT,en-US"}
    await hear(engine_for(service), chunks(marked_audio(range(3))), options=options)
    asked = service.calls[0].asked
    assert asked.language_code is None
    assert asked.identify_language
    assert asked.language_options == ("it-IT", "en-US")
    assert asked.preferred_language == "en-US"


async def test_a_room_may_have_options_of_its_own(service: Service) -> None:
    """Beside what is common; a session's own count before both."""
    rooms = {"hall": Recognition(vocabulary_name="hall", show_speaker_label=True)}
    engine = engine_for(service, rooms=rooms, recognition=Recognition(vocabulary_name="all"))
    audio = chunks(marked_audio(range(3)))
    await hear(engine, audio)
    await hear(engine, audio, room="hall")
    await hear(engine, audio, room="hall", options={"vocabulary_name": "mine"})
    asked = [(call.asked.vocabulary_name, call.asked.show_speaker_label) for call in service.calls]
    assert asked == [("all", False), ("hall", True), ("mine", True)]


async def test_telephone_sound_travels_as_it_came(service: Service) -> None:
    """8,000 samples a second, each in its place wherever chunks are cut; the bill is the same."""
    first, samples = 1_601, np.arange(16_001, dtype="<i2")
    audio = chunks(samples.tobytes(), first, frames=333)
    engine = engine_for(service)
    events = await hear(engine, audio, first, rate_hz=8_000)
    (call,) = service.calls
    assert call.asked.sample_rate_hz == 8_000
    # Frame 1601 is between two samples of the source; 1602 is one.
    assert bytes(call.telephone) == samples[1::2].tobytes()
    assert all(400 <= size <= 1600 for size in call.sizes[:-1])
    assert events[-1] == Settled(first + 16_001)
    assert engine.bill("").seconds == 15


@pytest.mark.parametrize("rate_hz", [11_025, 16_000, 44_100, 48_000, 192_000])
async def test_any_other_sound_travels_at_16_khz(service: Service, rate_hz: int) -> None:
    """Words and times are the same, whatever the source's rate was."""
    events = await hear(engine_for(service), chunks(marked_audio(range(7))), rate_hz=rate_hz)
    assert service.calls[0].asked.sample_rate_hz == 16_000
    words = [word.text for final in finals(events) for word in final.words]
    assert words == [str(n) for n in range(7)]


async def test_audio_travels_in_chunks_the_service_likes(service: Service) -> None:
    """50 to 200 ms each, whatever sizes come in."""
    pcm = marked_audio(range(30))
    await hear(engine_for(service), [AudioChunk(0, pcm)])
    await hear(engine_for(service), chunks(pcm, frames=160))
    for call in service.calls:
        assert call.frames == 30 * BLOCK_FRAMES
        assert all(800 <= size <= 3200 for size in call.sizes)


EXCEPTIONS: list[tuple[TranscribeError, type[ParolaError], str]] = [
    (transcribe.BadRequest("Your audio is odd."), NoEngine, "Your audio is odd"),
    (transcribe.IdleTimeout(transcribe.IDLE_TIMEOUT), EngineFailed, "no new audio"),
    (
        transcribe.BadRequest("The requested vocabulary couldn't be found."),
        NoEngine,
        "is READY",
    ),
    (transcribe.LimitExceeded("Too many streams."), Busy, "Service Quotas"),
    (transcribe.Throttled("Rate exceeded."), Busy, "per second"),
    (transcribe.Conflict("A new stream took over."), EngineFailed, "new session id"),
    (transcribe.InternalFailure("Oops."), EngineFailed, "Health Dashboard"),
    (transcribe.ServiceUnavailable("Down."), EngineFailed, "another region"),
    (transcribe.Serialization("Bad frame."), NoEngine, "report"),
    (transcribe.AccessDenied("No right."), NoEngine, "StartStreamTranscriptionWebSocket"),
    (transcribe.UnrecognizedClient(transcribe.UNKNOWN_TOKEN), NoEngine, "access key"),
    (transcribe.ExpiredToken(transcribe.EXPIRED_TOKEN), EngineFailed, "aws sso login"),
    (transcribe.ClockSkew("Signature expired: …"), EngineFailed, "clock"),
    (TranscribeError("Who knows.", "NewException"), EngineFailed, "NewException"),
]


@pytest.mark.parametrize(
    ("error", "ours", "said"), EXCEPTIONS, ids=[error.name for error, _, _ in EXCEPTIONS]
)
@pytest.mark.parametrize("after", [0, 7])
async def test_every_exception_of_the_service_is_told_with_its_remedy(
    service: Service, error: TranscribeError, ours: type[ParolaError], said: str, after: int
) -> None:
    """What another stream may cure is an EngineFailed, what a person has to cure is not."""
    service.faults.append(Fault(error, after))
    with pytest.raises(ours, match=said):
        await hear(engine_for(service), chunks(marked_audio(range(40))))


@pytest.mark.parametrize("what", ["close", "going", "reset", "hole", "deny"])
async def test_a_stream_that_ends_before_we_end_it_is_a_loss(service: Service, what: str) -> None:
    """However politely it ends: the session opens another one."""
    service.faults.append(Fault(what, 7))  # type: ignore[arg-type]
    with pytest.raises(EngineFailed):
        await hear(engine_for(service), chunks(marked_audio(range(40))), ends=False)


async def test_speech_without_an_answer_is_a_loss_once_and_believed_the_second_time(
    service: Service,
) -> None:
    """A service that answers pings and forgot the stream costs no words; noise costs one stream."""
    service.faults += [Fault("deaf"), Fault("deaf")]
    engine = engine_for(service, patience_s=0.5, settle_s=0.2)
    audio = chunks(marked_audio(range(40)))
    with pytest.raises(EngineFailed, match="said nothing"):
        await hear(engine, audio, ends=False)
    async with asyncio.timeout(20), engine.open(StreamRequest(ENGLISH, "s")) as stream:
        for chunk in audio:
            await stream.send(chunk)
        async for event in stream:
            assert isinstance(event, Settled)
            if event.end_frame >= 35 * BLOCK_FRAMES:
                break


async def test_a_service_that_answers_no_pings_is_used_all_the_same(service: Service) -> None:
    """Whether Amazon answers them nobody here could try: results are a sign of life too."""
    service.faults.append(Fault("mute"))
    engine = engine_for(service, settle_s=0.3, ping_s=0.1)
    async with asyncio.timeout(20), engine.open(StreamRequest(ENGLISH, "s")) as stream:
        for chunk in chunks(marked_audio(range(7)) + bytes(20 * BLOCK_FRAMES * FRAME_BYTES)):
            await stream.send(replace(chunk, voiced=chunk.first_frame < 7 * BLOCK_FRAMES))
        async for event in stream:
            if isinstance(event, Settled) and event.end_frame >= 25 * BLOCK_FRAMES:
                break
        await stream.end()


async def test_silence_is_settled_while_the_stream_goes_on(service: Service) -> None:
    """A quiet room's audio is not kept until somebody speaks."""
    engine = engine_for(service, settle_s=0.3, ping_s=0.1)
    async with asyncio.timeout(20), engine.open(StreamRequest(ENGLISH, "s")) as stream:
        await stream.send(AudioChunk(0, bytes(320_000), voiced=False))
        async for event in stream:
            assert isinstance(event, Settled)
            if event.end_frame >= 150_000:
                return


async def test_a_source_that_stalls_gets_its_last_words_and_goes_on_later(
    service: Service,
) -> None:
    """The stream ends on purpose before the service's 15 seconds; the next audio begins another."""
    engine = engine_for(service, ping_s=0.05, stall_s=0.2)
    words: list[str] = []
    async with asyncio.timeout(20), engine.open(StreamRequest(ENGLISH, "s")) as stream:

        async def send() -> None:
            for chunk in chunks(marked_audio(range(3)), frames=BLOCK_FRAMES):
                await stream.send(chunk)
            await service.calls[0].closed.wait()
            assert service.calls[0].ended
            first = 3 * BLOCK_FRAMES
            for chunk in chunks(marked_audio(range(3, 6)), first, BLOCK_FRAMES):
                await stream.send(chunk)
            await stream.end()

        async with beside(send()):
            async for event in stream:
                if isinstance(event, Hypothesis) and event.is_final:
                    words += event.text.split()
                    assert event.first_frame == int(event.text.split()[0]) * BLOCK_FRAMES
    assert words == [str(n) for n in range(6)]


def silence(first_block: int, blocks: int) -> AudioChunk:
    return AudioChunk(first_block * BLOCK_FRAMES, bytes(blocks * 3200), voiced=False)


async def test_a_silent_room_may_end_its_stream_and_begin_another_with_the_next_word(
    service: Service,
) -> None:
    """Silence costs nothing then, times stay true, and the word gets silence before it."""
    engine = engine_for(service, close_after_silence_s=1.0, pre_roll_s=0.5)
    audio = [
        *chunks(marked_audio(range(3)), frames=BLOCK_FRAMES),
        *[silence(3 + n, 1) for n in range(200)],
        *chunks(marked_audio(range(203, 206)), 203 * BLOCK_FRAMES, BLOCK_FRAMES),
    ]
    service.faults.append(Fault("mute"))
    events = await _slowly(engine, service, audio, until=203)
    words = [word for final in finals(events) for word in final.words]
    assert [word.text for word in words] == ["0", "1", "2", "203", "204", "205"]
    assert all(word.start_frame == int(word.text) * BLOCK_FRAMES for word in words)
    assert service.calls[0].frames < 20 * BLOCK_FRAMES
    assert service.calls[1].frames == (5 + 3) * BLOCK_FRAMES
    settled = [event.end_frame for event in events if isinstance(event, Settled)]
    assert settled == sorted(settled)
    assert any(40 * BLOCK_FRAMES < frame <= 203 * BLOCK_FRAMES for frame in settled)
    assert engine.bill("").seconds == 30


async def _slowly(
    engine: AmazonEngine, service: Service, audio: list[AudioChunk], until: int
) -> list[EngineEvent]:
    """Send the audio; wait for the first stream's end before block `until`."""
    heard = Heard()
    async with asyncio.timeout(20), engine.open(StreamRequest(ENGLISH, "s")) as stream:

        async def send() -> None:
            for chunk in audio:
                if chunk.first_frame == 8 * BLOCK_FRAMES:
                    # Words that have no final yet keep the stream open.
                    await heard.until(lambda events: bool(finals(events)))
                if chunk.first_frame == until * BLOCK_FRAMES:
                    await heard.until(lambda e: settled(e) >= (until - 1) * BLOCK_FRAMES)
                await stream.send(chunk)
            await stream.end()

        async with beside(send()):
            await heard.listen(stream)
    return heard.events


def settled(events: list[EngineEvent]) -> int:
    return max((e.end_frame for e in events if isinstance(e, Settled)), default=0)


class Clock:
    """A clock that a test may put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead_s


@pytest.mark.parametrize("pause", [True, False])
async def test_before_four_hours_a_new_stream_takes_over_without_a_break(
    service: Service, pause: bool
) -> None:
    """In a pause, or in the end in mid-speech: every word once, times true, the old one ended."""
    clock = Clock()
    settings = settings_for(service, rotate_after_s=1000, rotate_at_last_s=2000, patience_s=1e9)
    engine = AmazonEngine(settings, clock=clock, sleep=no_sleep)
    heard = Heard()
    async with asyncio.timeout(20), engine.open(StreamRequest(ENGLISH, "s")) as stream:

        async def send() -> None:
            for n in range(60):
                if n == 20:
                    await heard.until(lambda events: len(finals(events)) == 4)
                    clock.ahead_s = 1500 if pause else 2500
                if pause and 30 <= n < 40:
                    await stream.send(silence(n, 1))
                else:
                    await stream.send(AudioChunk(n * BLOCK_FRAMES, marked_audio([n])))
                if pause and n == 36:
                    await heard.until(lambda e: "29" in finals(e)[-1].text.split())
            await stream.end()

        async with beside(send()):
            await heard.listen(stream)
    words = [word for final in finals(heard.events) for word in final.words]
    expected = [n for n in range(60) if not (pause and 30 <= n < 40)]
    assert [int(word.text) for word in words] == expected
    assert all(word.start_frame == int(word.text) * BLOCK_FRAMES for word in words)
    assert [call.ended for call in service.calls] == [True, True]
    assert sum(call.frames for call in service.calls) == 60 * BLOCK_FRAMES


async def test_a_stream_that_cannot_be_replaced_goes_on(service: Service) -> None:
    """While the service takes no new stream the old one is kept, and no word is lost."""
    clock = Clock()
    settings = settings_for(service, rotate_after_s=1000, rotate_at_last_s=2000, patience_s=1e9)
    engine = AmazonEngine(settings, clock=clock, sleep=no_sleep)
    async with asyncio.timeout(20), engine.open(StreamRequest(ENGLISH, "s")) as stream:
        service.faults.append(Fault("deny"))
        for n in range(40):
            clock.ahead_s = 2500 if n > 20 else 0
            await stream.send(AudioChunk(n * BLOCK_FRAMES, marked_audio([n])))
        await stream.end()
        words = [word.text for final in finals([e async for e in stream]) for word in final.words]
    assert words == [str(n) for n in range(40)]
    assert len(service.calls) == 1
    assert not service.faults


async def test_missing_last_words_are_a_loss(service: Service) -> None:
    """A service that ends without the final of an open utterance is asked again."""
    service.faults.append(Fault("speechless_end"))
    with pytest.raises(EngineFailed, match="last words"):
        await hear(engine_for(service), chunks(marked_audio(range(8))))


async def test_a_service_that_hangs_up_at_the_end_is_believed_the_second_time(
    service: Service,
) -> None:
    """Its last words might have been lost on the way; twice the same is its manner."""
    service.faults += [Fault("rude_end")] * 2
    engine = engine_for(service)
    with pytest.raises(LinkLost, match="last words"):
        await hear(engine, chunks(marked_audio(range(10))))
    events = await hear(engine, chunks(marked_audio(range(10))))
    assert settled(events) == 10 * BLOCK_FRAMES


async def test_garbage_is_a_clear_error(service: Service) -> None:
    """A result that cannot be read names what it is."""
    service.rewrite = lambda result: replace(result, start_s="soon")  # type: ignore[arg-type]
    with pytest.raises(EngineFailed, match="StartTime is not a number"):
        await hear(engine_for(service), chunks(marked_audio(range(8))))


async def test_a_final_with_another_id_ends_its_partials(service: Service) -> None:
    """Nothing stays open that its time says is final."""
    service.rewrite = lambda r: r if r.is_partial else replace(r, result_id=f"{r.result_id}-final")
    events = await hear(engine_for(service), chunks(marked_audio(range(10))))
    assert [final.text for final in finals(events)] == ["0 1 2 3 4", "5 6 7 8 9"]


async def test_a_language_the_service_does_not_have_is_refused() -> None:
    """Before anything is looked up or connected."""
    engine = AmazonEngine()
    assert engine.knows(language_tag("it-IT"))
    assert engine.knows(language_tag("it"))
    assert engine.knows(language_tag("zh-Hans-CN"))
    assert not engine.knows(language_tag("la"))
    assert not engine.knows(language_tag("it-US"))
    assert {"it", "en", "zh"} <= set(engine.languages)
    assert all(engine.knows(language_tag(base)) for base in engine.languages)
    with pytest.raises(NoEngine, match="does not know la"):
        async with engine.open(StreamRequest(language_tag("la"), "s")):
            pass


async def test_contradicting_settings_are_told_in_the_services_words(service: Service) -> None:
    """Nothing is sent that would be refused."""
    engine = engine_for(service, recognition=Recognition(vocabulary_filter_name="no spaces!"))
    with pytest.raises(NoEngine, match="vocabularyFilterName"):
        await hear(engine, [])
    assert not service.calls


async def test_a_wrong_secret_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service refuses the signature at the door."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(NoEngine, match="secret access key"):
        await hear(engine_for(service), [])


async def test_a_region_without_an_answer_names_network_and_port() -> None:
    """What cannot be reached says what to look at."""
    settings = AmazonSettings(region="eu-central-1", endpoint_url="ws://127.0.0.1:9")
    with pytest.raises(LinkLost, match="port 8443"):
        await hear(AmazonEngine(settings), [])


async def test_more_talks_than_the_account_allows_are_refused_at_once(service: Service) -> None:
    """With the remedy, and the place is free again when a talk ends."""
    engine = engine_for(service, streams=2)
    request = StreamRequest(ENGLISH, "s")
    async with engine.open(request):
        async with engine.open(request):
            with pytest.raises(Busy, match="Service Quotas"):
                async with engine.open(request):
                    pass
        async with engine.open(request):
            pass


async def test_leaving_in_mid_sentence_frees_the_connection(service: Service) -> None:
    """A talk that is stopped costs no more."""
    async with asyncio.timeout(10):
        async with engine_for(service).open(StreamRequest(ENGLISH, "s")) as stream:
            for chunk in chunks(marked_audio(range(8))):
                await stream.send(chunk)
        await service.calls[0].closed.wait()
        assert not service.calls[0].ended
