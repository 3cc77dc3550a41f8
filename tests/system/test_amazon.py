"""A whole talk through Amazon's engine, while everything goes wrong between us and the service."""

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import cycle

import pytest

from parola.audio.gate import Gate, GateSettings
from parola.audio.pcm import interleaved
from parola.beside import beside
from parola.domain.errors import NoEngine
from parola.domain.log import Withheld
from parola.domain.transcript import Segment
from parola.domain.vocabulary import language_tag
from parola.engines.amazon import AmazonEngine, Recognition
from parola.engines.scripted import BLOCK_FRAMES, marked_audio
from parola.live.session import Session, SessionPlan
from parola.ports import RoomState
from parola.wire import transcribe
from parola.wire.transcribe import TranscribeError
from tests.unit.engines.amazon_service import KEYS, Fault, Kind, Service, running, settings_for

pytestmark = pytest.mark.usefixtures("fast_mouths")

FAULTS: tuple[Kind | TranscribeError, ...] = (
    "close",
    "reset",
    "going",
    transcribe.IdleTimeout(transcribe.IDLE_TIMEOUT),
    transcribe.LimitExceeded("You have too many streams."),
    "hole",
    transcribe.Conflict("A new stream started."),
    transcribe.InternalFailure("Oops."),
    "deny",
    transcribe.ServiceUnavailable("Down."),
    transcribe.Throttled("Rate exceeded."),
    transcribe.ExpiredToken(transcribe.EXPIRED_TOKEN),
)

SPEECH, PAUSE = 60, 40
"""Blocks of a tenth of a second, by turns."""


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@dataclass(slots=True)
class Screen:
    """A sink that remembers everything."""

    finals: list[Segment] = field(default_factory=list)
    told: list[RoomState] = field(default_factory=list)

    async def show(self, segment: Segment) -> None:
        if segment.is_final:
            self.finals.append(segment)

    async def withhold(self, withheld: Withheld) -> None:
        pass

    async def tell(self, state: RoomState) -> None:
        self.told.append(state)


class MarkDetector:
    """Hears speech in the tenth of a second that begins with a mark."""

    def __init__(self) -> None:
        self._last = deque([False] * 4, maxlen=4)

    def __call__(self, window: bytes) -> float:
        self._last.append(any(window))
        return float(any(self._last))


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


async def play(engine: AmazonEngine, pcm: bytes, screen: Screen) -> Session:
    gate = Gate(MarkDetector(), GateSettings())
    session = Session(SessionPlan("s", language_tag("en-US")), engine, gate, screen, no_sleep)
    async with asyncio.timeout(100), beside(session.run()):
        for start in range(0, len(pcm), 3200):
            await session.feed(pcm[start : start + 3200])
        session.end()
        await session.finished()
    return session


def talk(blocks: int) -> tuple[list[int], bytes]:
    """Return which blocks hold a word, and the sound: speech and pauses by turns."""
    spoken = [n for n in range(blocks) if n % (SPEECH + PAUSE) < SPEECH]
    said = set(spoken)
    pcm = b"".join(marked_audio([n]) if n in said else bytes(3200) for n in range(blocks))
    return spoken, pcm


def two_voices(blocks: int) -> tuple[set[int], bytes]:
    """Return the words of two channels that cut in on each other, and their sound, interleaved.

    A word is twice its block, and one more on the second channel.
    """
    spoken: set[int] = set()
    channels = []
    for channel, begins in enumerate((0, 45)):
        sound = b""
        for n in range(blocks):
            speaks = begins <= n % 100 < begins + 50
            word = 2 * n + channel
            sound += marked_audio([word]) if speaks else bytes(3200)
            spoken |= {word} if speaks else set()
        channels.append(sound)
    return spoken, interleaved(*channels)


async def test_two_channels_lose_no_word_and_repeat_none_while_all_goes_wrong() -> None:
    """Each voice's words come once, in order, in its channel's name; times hold for most."""
    chance = random.Random(2)  # noqa: S311 - not a secret
    faults = [Fault(what, chance.randint(3, 70)) for what in FAULTS[:8]]
    spoken, pcm = two_voices(1000)
    screen = Screen()
    async with running(Service(faults)) as service:
        recognition = Recognition(enable_channel_identification=True)
        engine = AmazonEngine(settings_for(service, recognition=recognition), sleep=no_sleep)
        plan = SessionPlan("s", language_tag("en-US"), channels=2)
        session = Session(plan, engine, Gate(MarkDetector(), GateSettings()), screen, no_sleep)
        async with asyncio.timeout(100), beside(session.run()):
            for start in range(0, len(pcm), 6400):
                await session.feed(pcm[start : start + 6400])
            session.end()
            await session.finished()
        assert not service.faults
    for channel in (0, 1):
        said = [s for s in screen.finals if (s.speaker or "").startswith(f"ch_{channel}")]
        words = [int(word.text) for segment in said for word in segment.words]
        assert words == sorted(word for word in spoken if word % 2 == channel)
    late = [
        abs(word.start_frame - int(word.text) // 2 * BLOCK_FRAMES)
        for segment in screen.finals
        for word in segment.words
    ]
    # Where two spoke at once, the later line is placed behind the earlier one.
    assert sum(one > 320 for one in late) < len(late) / 4


@pytest.mark.parametrize("close_after_silence_s", [None, 1.0])
@pytest.mark.parametrize("seed", [1, 2])
async def test_fifty_faults_in_a_row_lose_no_word_and_repeat_none(
    seed: int, close_after_silence_s: float | None
) -> None:
    """In speech and in silence: every word once, in order, its time true to 20 ms."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    # Some at once, before a word; most after a while, so that the retry budget is full again.
    after = [chance.randint(0, 9) and chance.randint(40, 120) for _ in range(50)]
    faults = [Fault(*fault) for fault in zip(cycle(FAULTS), after, strict=False)]
    spoken, pcm = talk(6000)
    screen = Screen()
    async with running(Service(faults)) as service:
        engine = AmazonEngine(
            settings_for(service, close_after_silence_s=close_after_silence_s), sleep=no_sleep
        )
        session = await play(engine, pcm, screen)
        assert not service.faults
    words = [word for final in screen.finals for word in final.words]
    assert [int(word.text) for word in words] == spoken
    assert max(abs(w.start_frame - int(w.text) * BLOCK_FRAMES) for w in words) <= 320
    assert [final.number for final in screen.finals] == list(range(1, len(screen.finals) + 1))
    assert session.durable_frame == session.fed_frame
    assert {state.state for state in screen.told} == {"waiting", "listening", "recovering"}
    assert all(state.detail for state in screen.told if state.state == "recovering")


async def test_missing_credentials_are_told_within_a_second(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Source and display hear at once what to do, and nobody tries again."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/credentials")
    screen = Screen()
    async with running(Service()) as service:
        engine = AmazonEngine(settings_for(service))
        began = asyncio.get_running_loop().time()
        with pytest.raises(NoEngine, match="AWS_ACCESS_KEY_ID"):
            await play(engine, marked_audio(range(30)), screen)
        assert asyncio.get_running_loop().time() - began < 1.5
        assert not service.calls
    assert screen.told[-1].state == "failed"
    assert "aws sso login" in screen.told[-1].detail
    assert "recovering" not in {state.state for state in screen.told}


async def test_a_refused_vocabulary_is_told_and_not_tried_again() -> None:
    """The room fails with the service's words and the remedy after one stream."""
    refused = transcribe.BadRequest("The requested vocabulary couldn't be found.")
    screen = Screen()
    async with running(Service([Fault(refused)])) as service:
        with pytest.raises(NoEngine, match="READY"):
            await play(AmazonEngine(settings_for(service)), marked_audio(range(300)), screen)
        assert len(service.calls) == 1
    assert screen.told[-1].state == "failed"
    assert "vocabulary" in screen.told[-1].detail
