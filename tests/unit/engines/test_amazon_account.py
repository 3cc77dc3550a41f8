"""The account's limits are kept and its bill is counted."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.audio import RATE_HZ
from parola.engines.amazon_errors import Busy
from parola.engines.amazon_meter import LEAST_S, REMEMBERED, Meter
from parola.engines.amazon_settings import AmazonSettings, Recognition
from parola.engines.amazon_starts import Starts
from parola.ports import Bill
from parola.wire.transcribe import StreamParameters


@given(st.lists(st.lists(st.integers(0, 30 * RATE_HZ), max_size=6), max_size=6))
def test_every_stream_costs_its_whole_seconds_and_fifteen_at_least(
    streams: list[list[int]],
) -> None:
    """Counted while it runs, not only at its end."""
    meter = Meter(Decimal("0.024"))
    expected = 0
    for chunks in streams:
        account = meter.begin("s")
        for frames in chunks:
            account.add(frames)
        total = sum(chunks)
        expected += max(-(-total // RATE_HZ), LEAST_S) if total else 0
    bill = meter.bill("s")
    assert bill.seconds == meter.total.seconds == expected
    assert bill.streams == sum(1 for chunks in streams if sum(chunks))
    assert bill.money == Decimal("0.0004") * expected


def test_old_sessions_are_forgotten_and_stay_in_the_total() -> None:
    """The meter's memory has a bound."""
    meter = Meter(Decimal(1))
    for n in range(REMEMBERED + 5):
        meter.begin(f"s{n}").add(RATE_HZ)
    assert meter.bill("s0") == Bill()
    assert meter.bill("s10").seconds == LEAST_S
    assert meter.total.streams == REMEMBERED + 5


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_starts_are_spread() -> None:
    """25 rooms that begin at once begin 10 a second."""
    time = Time()
    starts = Starts(25, 10, time, time.sleep)
    for _ in range(25):
        await starts.wait()
    assert time.now == pytest.approx(2.4)


async def test_a_refusal_stops_all_starts_longer_each_time() -> None:
    """Until the service listens again."""
    time = Time()
    starts = Starts(25, 10, time, time.sleep)
    waited = []
    for _ in range(3):
        starts.refused()
        before = time.now
        await starts.wait()
        waited.append(time.now - before)
    assert waited == pytest.approx([1, 2, 4], abs=0.2)
    starts.succeeded()
    starts.refused()
    before = time.now
    await starts.wait()
    assert time.now - before == pytest.approx(1, abs=0.2)


def test_places_come_back() -> None:
    """A stream that ended, well or not, makes room for another."""
    starts = Starts(1, 10, lambda: 0.0)
    with starts.place(), pytest.raises(Busy), starts.place():
        pass
    assert starts.running == 0


def test_every_option_of_the_service_can_be_set() -> None:
    """Except what follows from our audio, from the session, and from the stream."""
    ours = {
        "language_code",
        "media_encoding",
        "sample_rate_hz",
        "session_id",
        "number_of_channels",
    }
    every = set(StreamParameters.__dataclass_fields__)
    assert every - set(Recognition.__dataclass_fields__) == ours
    assert set(Recognition.__dataclass_fields__) - every == {"channel_names"}


@pytest.mark.parametrize("wrong", [{"chunk_ms": 20}, {"patience_s": 0}, {"streams": -1}])
def test_settings_that_cannot_work_are_refused(wrong: dict[str, int]) -> None:
    """At the start, not in the first talk."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AmazonSettings(**wrong)  # type: ignore[arg-type]
