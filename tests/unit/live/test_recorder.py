"""The recorder: nobody waits, nothing is lost, nothing comes twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.beside import beside
from parola.domain.errors import StoreFailed
from parola.domain.log import Entry, StateChange, Withheld
from parola.domain.transcript import Segment
from parola.live import recorder as module
from parola.live.recorder import Recorder
from parola.stores.memory import MemoryLog


def _segment(first_frame: int, session: str = "talk", text: str = "ciao") -> Segment:
    return Segment(session, 1, text, first_frame, first_frame + 9, True, "it-IT")


class _Pauses:
    """Stands for the clock: notes each pause and lets the test end it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.over = asyncio.Event()
        self.over.set()

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await self.over.wait()
        await asyncio.sleep(0)


@asynccontextmanager
async def _running(recorder: Recorder) -> AsyncIterator[Recorder]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(recorder.run())
        yield recorder
        task.cancel()


async def test_numbers_are_given_before_the_save() -> None:
    """A submitted entry has its number and time at once, saved or not."""
    recorder = Recorder(MemoryLog())
    await recorder.open_room("sala")
    first = recorder.submit("sala", StateChange("session_started", "talk", "it-IT"), 1000)
    second = recorder.submit("sala", _segment(0), 1000)
    assert first.entry == Entry("sala", 1, 1000, StateChange("session_started", "talk", "it-IT"))
    assert second.entry == Entry("sala", 2, 1001, _segment(0))
    assert not second.durable
    assert not await second.wait(0)
    assert recorder.pending == 2


async def test_times_go_on_when_the_clock_is_set_back() -> None:
    """No two entries of a room have the same time, and none is earlier than the one before."""
    recorder = Recorder(MemoryLog())
    await recorder.open_room("sala")
    times = [
        recorder.submit("sala", _segment(n), now).entry.at_ms for n, now in enumerate([5, 2, 9])
    ]
    assert times == [5, 6, 9]


async def test_numbering_goes_on_after_a_restart() -> None:
    """A new process counts on from the log, in numbers and in time."""
    log = MemoryLog()
    await log.append([Entry("sala", n, 5000 + n, _segment(n * 10)) for n in range(1, 4)])
    recorder = Recorder(log)
    await recorder.open_room("sala")
    assert recorder.submit("sala", _segment(900), 0).entry == Entry("sala", 4, 5004, _segment(900))


async def test_a_replay_is_recognised_after_a_restart() -> None:
    """What a client sends again because the server died is neither numbered nor shown again."""
    log = MemoryLog()
    first = Entry("sala", 1, 5000, _segment(0))
    await log.append([first])
    recorder = Recorder(log)
    await recorder.open_room("sala")
    saving = recorder.submit("sala", _segment(0, text="ciao di nuovo"), 9000)
    assert (saving.entry, saving.replayed, saving.durable) == (first, True, True)
    assert recorder.pending == 0


async def test_a_replay_in_one_run_is_recognised() -> None:
    """The same session and first frame give the first entry, and become durable with it."""
    log = MemoryLog()
    async with _running(Recorder(log)) as recorder:
        await recorder.open_room("sala")
        first = recorder.submit("sala", _segment(0), 1000)
        again = recorder.submit("sala", _segment(0, text="altro"), 2000)
        assert (first.replayed, again.replayed) == (False, True)
        assert again.entry == first.entry
        assert await again.wait(10)
        await recorder.settled()
    assert await log.read("sala") == [first.entry]


async def test_a_replay_of_what_was_withheld_is_recognised_after_a_restart() -> None:
    """It is kept once, and beside a segment that begins at the same frame."""
    log = MemoryLog()
    withheld = Withheld("s", "thank you", 0, 8000, "no speech", 3.0, "hostile")
    kept = [Entry("sala", 1, 5000, _segment(0)), Entry("sala", 2, 5001, withheld)]
    await log.append(kept)
    recorder = Recorder(log)
    await recorder.open_room("sala")
    saving = recorder.submit("sala", replace(withheld, strength=3.1), 9000)
    assert (saving.entry, saving.replayed) == (kept[1], True)
    assert not recorder.submit("sala", replace(withheld, first_frame=1), 9000).replayed


async def test_memory_for_replays_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the newest entries of a room are kept in memory; and those that still wait."""
    monkeypatch.setattr(module, "RECENT_ENTRIES", 3)
    recorder = Recorder(MemoryLog())
    await recorder.open_room("sala")
    for frame in range(10):
        recorder.submit("sala", _segment(frame), 0)
    assert recorder.submit("sala", _segment(0), 0).replayed, "the log could not swallow it yet"
    async with asyncio.timeout(10), beside(recorder.run()):
        await recorder.settled()
        recorder.submit("sala", _segment(10), 0)
        assert len(recorder._rooms["sala"].recent) == 3
        assert recorder.submit("sala", _segment(8), 0).replayed
        await recorder.settled()


async def test_a_log_that_cannot_be_read_opens_no_room() -> None:
    """Without the last number nothing is numbered; opening again later works."""
    log = MemoryLog()
    log.fail_with = "The disk is gone; plug it in."
    recorder = Recorder(log)
    with pytest.raises(StoreFailed, match="plug it in"):
        await recorder.open_room("sala")
    with pytest.raises(LookupError, match="open_room"):
        recorder.submit("sala", _segment(0), 0)
    log.fail_with = None
    await recorder.open_room("sala")
    assert recorder.submit("sala", _segment(0), 0).entry.number == 1


async def test_opening_a_room_again_changes_nothing() -> None:
    """A room that two people open at once, or that is open, keeps its numbering."""
    recorder = Recorder(MemoryLog())
    await asyncio.gather(recorder.open_room("sala"), recorder.open_room("sala"))
    recorder.submit("sala", _segment(0), 0)
    await recorder.open_room("sala")
    assert recorder.submit("sala", _segment(1), 0).entry.number == 2


async def test_a_room_that_is_left_is_forgotten_when_it_is_saved() -> None:
    """Rooms nobody uses cost no memory, but numbers in the air are never given twice."""
    log = MemoryLog()
    recorder = Recorder(log)
    await recorder.open_room("sala")
    recorder.submit("sala", _segment(0), 0)
    recorder.close_room("sala")
    await recorder.open_room("sala")
    assert recorder.submit("sala", _segment(1), 0).entry.number == 2
    recorder.close_room("sala")
    async with _running(recorder):
        await recorder.settled()
    assert not recorder._rooms
    await recorder.open_room("sala")
    assert recorder.submit("sala", _segment(2), 0).entry.number == 3


async def test_a_room_left_while_its_entries_wait_in_two_batches() -> None:
    """A room is remembered until the last of its entries is saved: who comes back counts on."""

    class Door(MemoryLog):
        async def append(self, entries: Sequence[Entry]) -> None:
            await super().append(entries)
            if entries[0].number == 2:
                await recorder.open_room("sala")
                recorder.submit("sala", _segment(3), 0)
                recorder.close_room("sala")

    log = Door()
    recorder = Recorder(log, batch=1)
    await recorder.open_room("sala")
    for frame in range(3):
        recorder.submit("sala", _segment(frame), 0)
    recorder.close_room("sala")
    async with asyncio.timeout(10), _running(recorder):
        await recorder.settled()
    assert await log.last_number("sala") == 4
    assert not recorder._rooms


async def test_partials_are_refused() -> None:
    """A partial never gets into a log."""
    recorder = Recorder(MemoryLog())
    await recorder.open_room("sala")
    with pytest.raises(ValueError, match="partial"):
        recorder.submit("sala", Segment("talk", 1, "cia", 0, 9, False, "it-IT"), 0)


async def test_everything_queued_goes_in_one_append() -> None:
    """What came while the log was busy is saved together, a bounded number at a time."""
    log = MemoryLog()
    recorder = Recorder(log, batch=10)
    await recorder.open_room("sala")
    for frame in range(25):
        recorder.submit("sala", _segment(frame), 0)
    async with _running(recorder):
        await recorder.settled()
    assert log.appends == 3
    assert len(await log.read("sala")) == 25


async def test_a_failing_log_is_tried_again_and_again() -> None:
    """Pauses double from 0.1 s to 1 s and start anew after a success; order is kept."""
    log, pauses = MemoryLog(), _Pauses()

    async def sleep(seconds: float) -> None:
        await pauses.sleep(seconds)
        if len(pauses.seconds) == 8:
            log.fail_with = None

    async with _running(Recorder(log, sleep=sleep)) as recorder:
        await recorder.open_room("sala")
        log.fail_with = "Disk full; free some space."
        saving = recorder.submit("sala", _segment(0), 0)
        assert await saving.wait(60)
        assert recorder.failure is None
    assert pauses.seconds == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0]


async def test_people_are_told_when_saving_fails_and_when_it_works_again() -> None:
    """A watcher sees the log's own sentence at trouble and None when it is over."""
    log, pauses = MemoryLog(), _Pauses()
    pauses.over.clear()
    async with _running(Recorder(log, sleep=pauses.sleep)) as recorder:
        await recorder.open_room("sala")
        failures = recorder.failures()
        log.fail_with = "Disk full; free some space."
        recorder.submit("sala", _segment(0), 0)
        assert await anext(failures) == "Disk full; free some space."
        assert recorder.failure == "Disk full; free some space."
        assert recorder.pending == 1
        log.fail_with = None
        pauses.over.set()
        assert await anext(failures) is None
        assert recorder.pending == 0
        await failures.aclose()


async def test_a_log_that_hangs_counts_as_failing() -> None:
    """People are told of a disk that never answers, too; when it does, nothing is written twice."""
    log = MemoryLog()
    log.gate = asyncio.Event()
    async with _running(Recorder(log, patience_s=0)) as recorder:
        await recorder.open_room("sala")
        failures = recorder.failures()
        saving = recorder.submit("sala", _segment(0), 0)
        assert await anext(failures) == "The log has not answered for 0 s; look at its disk."
        assert not await saving.wait(0)
        log.gate.set()
        assert await anext(failures) is None
        assert saving.durable
        await failures.aclose()
    assert log.appends == 1


async def test_what_waits_is_bounded() -> None:
    """At the limit a submit is refused without using up a number; nothing that waits is dropped."""
    log = MemoryLog()
    recorder = Recorder(log, limit=3)
    await recorder.open_room("sala")
    kept = [recorder.submit("sala", _segment(frame), frame).entry for frame in range(3)]
    with pytest.raises(StoreFailed, match="3 entries wait to be saved"):
        recorder.submit("sala", _segment(3), 3)
    assert recorder.submit("sala", _segment(0), 3).replayed
    async with _running(recorder):
        await recorder.settled()
        kept.append(recorder.submit("sala", _segment(3), 3).entry)
        await recorder.settled()
    assert kept[-1].number == 4
    assert await log.read("sala") == kept


async def test_closing_saves_what_waits() -> None:
    """`run` ends once everything submitted before is durable; nothing more is taken."""
    log = MemoryLog()
    recorder = Recorder(log)
    await recorder.open_room("sala")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(recorder.run())
        await asyncio.sleep(0)
        saving = recorder.submit("sala", _segment(0), 0)
        assert await recorder.close(60) == []
        assert saving.durable
        with pytest.raises(StoreFailed, match="stopping"):
            recorder.submit("sala", _segment(1), 0)
    assert running.done()
    assert await log.last_number("sala") == 1


@pytest.mark.parametrize("trouble", ["hangs", "fails"])
async def test_closing_gives_up_after_its_grace(trouble: str) -> None:
    """A log that is out of order cannot keep the process: what was not saved is handed back."""
    log, pauses = MemoryLog(), _Pauses()
    pauses.over.clear()
    recorder = Recorder(log, sleep=pauses.sleep)
    await recorder.open_room("sala")
    if trouble == "hangs":
        log.gate = asyncio.Event()
    else:
        log.fail_with = "Disk full; free some space."
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(recorder.run())
        await asyncio.sleep(0)
        saving = recorder.submit("sala", _segment(0), 0)
        assert await recorder.close(0) == [saving.entry]


Outcome = Literal["kept", "refused", "kept, but the answer was lost", "slow"]


class _FlakyLog(MemoryLog):
    """Follows a schedule of outcomes, one for each append; then works."""

    def __init__(self, schedule: Sequence[Outcome]) -> None:
        super().__init__()
        self._schedule = iter(schedule)

    async def append(self, entries: Sequence[Entry]) -> None:
        outcome = next(self._schedule, "kept")
        if outcome == "refused":
            raise StoreFailed("Refused; try again.")
        if outcome == "slow":
            for _ in range(7):
                await asyncio.sleep(0)
        await super().append(entries)
        if outcome == "kept, but the answer was lost":
            raise StoreFailed("The answer was lost; try again.")


outcomes = st.lists(
    st.sampled_from(["kept", "refused", "kept, but the answer was lost", "slow"]), max_size=12
)
submits = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.integers(0, 8) | st.none(),  # a segment's first frame, or a change
        st.integers(0, 20),  # the wall clock
        st.integers(0, 4),  # how long until the next one, turns of the loop
    ),
    max_size=30,
)


@settings(deadline=None)  # a busy machine has no pace
@given(outcomes, submits, st.integers(1, 5))
def test_everything_is_saved_once_and_in_order(
    schedule: list[Outcome], submitted: list[tuple[str, int | None, int, int]], batch: int
) -> None:
    """Whatever the log's failures, it ends with each entry once, numbered from 1 without a gap."""

    async def check() -> None:
        log, pauses = _FlakyLog(schedule), _Pauses()
        expected: dict[str, dict[int, Entry]] = {"a": {}, "b": {}}
        async with _running(Recorder(log, batch=batch, sleep=pauses.sleep)) as recorder:
            for room in expected:
                await recorder.open_room(room)
            for room, frame, now_ms, turns in submitted:
                body = StateChange("language", "talk") if frame is None else _segment(frame)
                saving = recorder.submit(room, body, now_ms)
                known = expected[room].setdefault(saving.entry.number, saving.entry)
                assert known == saving.entry
                for _ in range(turns):
                    await asyncio.sleep(0)
                if saving.durable:
                    assert saving.entry in await log.read(room)
            await recorder.settled()
            assert recorder.pending == 0
            assert recorder.failure is None
        for room, entries in expected.items():
            saved = await log.read(room)
            assert saved == list(entries.values())
            assert [entry.number for entry in saved] == list(range(1, len(saved) + 1))
            times = [entry.at_ms for entry in saved]
            assert times == sorted(set(times))
            segments = [one.body for one in saved if isinstance(one.body, Segment)]
            wanted = {frame for name, frame, *_ in submitted if name == room and frame is not None}
            assert sorted(one.first_frame for one in segments) == sorted(wanted)
            changes = [one for one in submitted if one[:2] == (room, None)]
            assert len(saved) == len(wanted) + len(changes)

    asyncio.run(check())
