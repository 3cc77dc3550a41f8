from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.client.capture import Channel, DeviceLost, LiveSource, Recording, pick
from parola.client.impression import listen_briefly
from parola.domain.errors import BadAudio
from tests.audio_files import tone


class Tape:
    """A device that gives some pieces and is then unplugged."""

    def __init__(self, pieces: list[bytes], rate_hz: int = 16_000, channels: int = 1) -> None:
        self.rate_hz = rate_hz
        self.channels = channels
        self.overflows = 0
        self._pieces = pieces

    async def pieces(self) -> AsyncGenerator[bytes]:
        for piece in self._pieces:
            yield piece
        raise DeviceLost("The tape is at its end; see its cable.")


class Socket:
    """A place where devices are plugged in one after the other; None is nobody there."""

    def __init__(self, *tapes: Tape | None) -> None:
        self.tapes = list(tapes)
        self.waits: list[float] = []
        self.news: list[str] = []

    @asynccontextmanager
    async def opening(self, channel: Channel) -> AsyncIterator[Recording]:
        tape = self.tapes.pop(0)
        if tape is None:
            raise DeviceLost("The tape is not there.")
        yield tape

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def source(self, channel: Channel = "mono") -> LiveSource:
        return LiveSource("Tape", self.opening, channel, self.news.append, self.sleep)


async def hear(source: LiveSource, pieces: int) -> bytes:
    heard = b""
    async with aclosing(source.sound()) as sound:
        for _ in range(pieces):
            heard += (await anext(sound)).pcm
    return heard


async def test_a_device_that_is_unplugged_is_waited_for() -> None:
    """It is told once that the device went and once that it is back, and its sound goes on."""
    socket = Socket(Tape([b"\1\0", b"\2\0"]), None, None, Tape([b"\3\0"]))
    assert await hear(socket.source(), 3) == b"\1\0\2\0\3\0"
    assert len(socket.waits) == 3
    assert socket.news == [
        "The tape is at its end; see its cable. Waiting for Tape to come back.",
        "Tape is back.",
    ]


async def test_a_device_that_is_never_there_is_an_error() -> None:
    """At first a device that cannot be opened is not waited for: its name may be wrong."""
    with pytest.raises(DeviceLost, match="not there"):
        await hear(Socket(None).source(), 1)


async def test_lost_sound_is_told() -> None:
    """An overflow is told when it happens, and not again until the next."""
    tape = Tape([b"\0\0"] * 4)
    socket = Socket(tape)
    async with aclosing(socket.source().sound()) as sound:
        await anext(sound)
        tape.overflows = 2
        await anext(sound)
        await anext(sound)
    (sentence,) = socket.news
    assert "sound was lost 2 time(s)" in sentence


async def test_another_rate_is_filtered_and_converted() -> None:
    """A device at 48 kHz stereo gives 16 kHz mono, without what lies above 8 kHz."""
    low, high = tone(1.0, 48_000, 1_000.0), tone(1.0, 48_000, 15_000.0)
    for mono, loud in ((low, True), (high, False)):
        stereo = np.repeat(np.frombuffer(mono, "<i2"), 2).tobytes()
        cuts = [stereo[at : at + 9_600] for at in range(0, len(stereo), 9_600)]
        heard = await hear(Socket(Tape(cuts, 48_000, 2)).source("mix"), len(cuts))
        samples = np.frombuffer(heard, "<i2").astype(float)
        assert 14_000 < len(samples) <= 16_000
        power = float(np.sqrt(np.mean(samples[2_000:12_000] ** 2)))
        assert (power > 5_000) == loud
        assert loud or power < 20


@given(
    st.lists(st.tuples(*[st.integers(-32_768, 32_767)] * 2), max_size=20),
    st.sampled_from(["mono", "left", "right", "mix"]),
)
def test_a_channel_is_picked_as_it_was(frames: list[tuple[int, int]], channel: Channel) -> None:
    """Left and right come out untouched; mono and mix are the mean of both."""
    pcm = np.array(frames, "<i2").tobytes()
    picked = np.frombuffer(pick(pcm, 2, channel), "<i2").tolist()
    if channel in {"left", "right"}:
        assert picked == [frame[0 if channel == "left" else 1] for frame in frames]
    else:
        assert all(abs(2 * got - sum(both)) <= 1 for got, both in zip(picked, frames, strict=True))
    assert len(picked) == len(frames)


def test_of_one_channel_it_is_always_that_one() -> None:
    """A device with one channel is heard whatever channel was wished for."""
    for channel in ("mono", "left", "right", "mix"):
        assert pick(b"\1\0\2\0", 1, channel) == b"\1\0\2\0"
    with pytest.raises(BadAudio):
        pick(b"\1\0", 2, "right")


@pytest.mark.parametrize(
    ("pcm", "verdict"),
    [
        (tone(1.0), "sound"),
        (tone(1.0, peak=10), "faint"),
        (bytes(32_000), "silent"),
        (
            np.clip(np.frombuffer(tone(1.0), "<i2") * 5.0, -32768, 32767).astype("<i2").tobytes(),
            "clipping",
        ),
    ],
)
async def test_a_second_tells_what_a_device_gives(pcm: bytes, verdict: str) -> None:
    """Sound, hardly any, digital silence and too much of it are told apart."""
    edges = [*range(0, len(pcm), 3_200), len(pcm)]
    pieces = [pcm[first:end] for first, end in pairwise(edges)]
    impression = await listen_briefly(Socket(Tape(pieces)).source(), 1.0)
    assert impression.verdict == verdict


async def test_a_device_that_cannot_be_opened_says_why() -> None:
    """A list of impressions goes on behind a device that fails."""
    impression = await listen_briefly(Socket(None).source(), 1.0)
    assert (impression.verdict, impression.trouble) == ("error", "The tape is not there.")
