"""Amazon's engine and our own endpoint, back to back: what each breaks, the other survives."""

import asyncio
import random
import time
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import pytest

from parola.audio.pcm import interleaved
from parola.cli.transcribing import Asked, Recogniser, transcribe_file
from parola.domain.audio import RATE_HZ
from parola.domain.errors import BadMessage, NoEngine
from parola.domain.transcript import Segment
from parola.domain.vocabulary import language_tag
from parola.engines.amazon import AmazonEngine, AmazonSettings
from parola.engines.scripted import BLOCK_FRAMES, Script, ScriptedEngine, marked_audio
from parola.transcribe_api.dev_ca import dev_certificate
from parola.transcribe_api.door import Setup
from parola.transcribe_api.faults import Fault, FaultKind, Scenario
from parola.transcribe_api.serving import open_transcribe_api
from parola.wire.transcribe import StreamParameters
from tests.audio_files import wav
from tests.system.test_amazon import Screen, no_sleep, play, talk
from tests.unit.engines.amazon_service import KEYS, REGION, Service, running, settings_for
from tests.unit.transcribe_api.callers import over_http2

pytestmark = pytest.mark.usefixtures("fast_mouths")

KINDS: tuple[FaultKind, ...] = (
    "idle",
    "conflict",
    "limit",
    "ramp",
    "throttle",
    "exception",
    "close",
    "oversized",
    "corrupt",
    "reset",
    "black-hole",
    "cap",
)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


async def test_over_tls_the_authority_has_to_be_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A stranger's certificate is told with its remedy; with AWS_CA_BUNDLE every word comes."""
    ca, certificate = dev_certificate(tmp_path, datetime.now(UTC))
    engines = [ScriptedEngine(Script(words_per_final=5))]
    setup = Setup(engines, lambda: None, time.monotonic, keys={KEYS.access_key: KEYS})
    spoken, pcm = talk(60)
    screen = Screen()
    async with open_transcribe_api(setup, certificate=certificate) as url:
        settings = AmazonSettings(region=REGION, endpoint_url=url, catch_up_speed=10_000)
        with pytest.raises(NoEngine, match="AWS_CA_BUNDLE"):
            await play(AmazonEngine(settings), pcm, Screen())
        monkeypatch.setenv("AWS_CA_BUNDLE", str(ca))
        await play(AmazonEngine(settings), pcm, screen)
    assert [int(word.text) for final in screen.finals for word in final.words] == spoken


async def test_our_endpoint_hears_our_two_channels(tmp_path: Path) -> None:
    """A stereo recording goes through decoder, session, engine and endpoint as two voices.

    A recording of one channel, of which the same is asked, is refused.
    """
    engines = [ScriptedEngine(Script(words_per_final=5))]
    setup = Setup(engines, lambda: None, time.monotonic, keys={KEYS.access_key: KEYS})
    pause = bytes(3200 * 20)
    both = interleaved(
        marked_audio(range(20)) + pause,
        pause + marked_audio(range(20, 40)),
    )
    recording = tmp_path / "call.wav"
    recording.write_bytes(wav(both, RATE_HZ, channels=2))
    of_one = tmp_path / "one.wav"
    of_one.write_bytes(wav(pause))
    finals: list[Segment] = []

    def keep(segment: Segment) -> None:
        if segment.is_final:
            finals.append(segment)

    async with asyncio.timeout(60), open_transcribe_api(setup) as url:
        settings = AmazonSettings(region=REGION, endpoint_url=url, catch_up_speed=10_000)
        engine = AmazonEngine(settings, sleep=no_sleep)
        options = {"enable_channel_identification": "true", "channel_names": "Ada,Bob"}
        recogniser = Recogniser(engine, language_tag("en-US"), gated=False, asked=Asked(options))
        await transcribe_file(recording, recogniser, keep, lambda _: None)
        with pytest.raises(BadMessage, match="exactly two channels"):
            await transcribe_file(of_one, recogniser, keep, lambda _: None)
    # The scripted engine says a verse where there is no mark: silence is not silence to it.
    said = {
        name: [
            int(w.text) for s in finals if s.speaker == name for w in s.words if w.text.isdecimal()
        ]
        for name in ("Ada", "Bob")
    }
    assert said == {"Ada": list(range(20)), "Bob": list(range(20, 40))}


async def test_the_service_behind_our_endpoint_is_asked_what_the_client_asks() -> None:
    """Vocabulary and redaction are the service's; its speakers come back to the client."""
    asked = StreamParameters(
        "en-US",
        vocabulary_name="names",
        content_redaction_type="PII",
        show_speaker_label=True,
        session_resume_window_min=5,
    )
    async with asyncio.timeout(30), running(Service()) as service:
        engine = AmazonEngine(settings_for(service), sleep=no_sleep)
        setup = Setup([engine], lambda: None, time.monotonic)
        async with open_transcribe_api(setup) as url, over_http2(url, asked) as caller:
            headers = caller.headers
            results = await caller.converse(marked_audio(range(5)))
    (call,) = service.calls
    assert call.asked.vocabulary_name == "names"
    assert call.asked.content_redaction_type == "PII"
    finals = [one for one in results if not one.is_partial]
    assert {item.speaker for one in finals for item in one.alternatives[0].items} == {"1"}
    assert headers["x-amzn-transcribe-show-speaker-label"] == "true"
    # Nobody takes a session up again, so it is not said that somebody would.
    assert "x-amzn-transcribe-session-resume-window" not in headers


async def test_fifty_faults_of_our_endpoint_lose_no_word_and_repeat_none() -> None:
    """With signatures checked: every word once, in order, its time true to 20 ms."""
    chance = random.Random(1)  # noqa: S311 - not a secret
    # Some before the stream; most after a while, so that the retry budget is full again.
    at_s = [chance.randint(40, 120) / 10 if chance.randint(0, 9) else None for _ in range(50)]
    faults = [
        Fault(kind, at, stream)
        for stream, (kind, at) in enumerate(zip(cycle(KINDS), at_s, strict=False), start=1)
    ]
    setup = Setup(
        [ScriptedEngine(Script(words_per_final=5))],
        lambda: None,
        time.monotonic,
        keys={KEYS.access_key: KEYS},
        region=REGION,
        scenario=Scenario(starts_per_s=10_000, faults=tuple(faults)),
    )
    spoken, pcm = talk(6000)
    screen = Screen()
    async with asyncio.timeout(100), open_transcribe_api(setup) as url:
        settings = AmazonSettings(
            region=REGION,
            endpoint_url=url,
            catch_up_speed=10_000,
            starts_per_s=10_000,
            ping_s=0.3,
            settle_s=2,
            patience_s=4,
        )
        engine = AmazonEngine(settings, sleep=no_sleep)
        await play(engine, pcm, screen)
    # The scripted engine says a verse where there is no mark; what it says of silence is withheld.
    words = [word for final in screen.finals for word in final.words if word.text.isdecimal()]
    assert [int(word.text) for word in words] == spoken
    assert max(abs(w.start_frame - int(w.text) * BLOCK_FRAMES) for w in words) <= 320
    recovered = [state for state in screen.told if state.state == "recovering"]
    assert len(recovered) == 50
    assert {state.state for state in screen.told} == {"waiting", "listening", "recovering"}
