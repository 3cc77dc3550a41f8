"""Finals leave the outbox only when the queue has them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from parola.beside import beside
from parola.domain.errors import StoreFailed
from parola.domain.log import Entry, StateChange
from parola.domain.transcript import Segment
from parola.live.shipper import ALARM_LINES, FIRST_PAUSE_S, LONGEST_PAUSE_S, Shipper
from parola.ports import Outgoing, Refusal
from parola.stores.sqlite import SqliteStores, open_sqlite


class ListQueue:
    """A queue in memory that answers as it is told: then it takes everything."""

    def __init__(self, *answers: Callable[[Sequence[Outgoing]], list[Refusal]]) -> None:
        self._answers = list(answers)
        self.calls: list[list[int]] = []
        self.numbers: list[int] = []
        self.all_in = asyncio.Event()
        self.wanted = 10**9

    async def send(self, lines: Sequence[Outgoing]) -> list[Refusal]:
        self.calls.append([line.entry.number for line in lines])
        refusals = self._answers.pop(0)(lines) if self._answers else []
        refused = {refusal.ticket for refusal in refusals}
        self.numbers += [line.entry.number for line in lines if line.ticket not in refused]
        if len(set(self.numbers)) >= self.wanted:
            self.all_in.set()
        return refusals


def _outage(_lines: Sequence[Outgoing]) -> list[Refusal]:
    raise StoreFailed("AWS's sqs cannot be reached; it is tried again.")


def _entry(number: int) -> Entry:
    body = Segment("talk", number, "ciao", number * 100, number * 100 + 90, True, "it-IT")
    return Entry("sala", number, 1000 + number, body)


@asynccontextmanager
async def _stores(folder: Path) -> AsyncIterator[SqliteStores]:
    async with open_sqlite(folder, ships=True) as stores:
        yield stores


async def _ship(stores: SqliteStores, queue: ListQueue) -> list[float]:
    """Send until nothing waits; return the pauses between."""
    pauses: list[float] = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        await asyncio.sleep(0)

    shipper = Shipper(stores.outbox, queue, lambda: 5000, sleep=sleep)
    assert await shipper.empty(20) == 0
    return pauses


def _is_late(shipper: Shipper) -> bool:
    # A type checker takes a property for a constant.
    return shipper.is_late


async def test_what_comes_is_sent_at_once(tmp_path: Path) -> None:
    """A final that is appended while the shipper runs wakes it; none is lost."""
    async with _stores(tmp_path) as stores:
        queue = ListQueue()
        queue.wanted = 2
        await stores.log.append([_entry(1)])
        shipper = Shipper(stores.outbox, queue, lambda: 5000)
        async with asyncio.timeout(20), beside(shipper.run()):
            await stores.log.append([_entry(2)])
            await queue.all_in.wait()
    assert set(queue.numbers) == {1, 2}


async def test_finals_go_in_order_ten_at_a_time(tmp_path: Path) -> None:
    """Every final of the log reaches the queue once, in order; other entries never do."""
    async with _stores(tmp_path) as stores:
        await stores.log.append([_entry(n) for n in range(1, 24)])
        await stores.log.append([Entry("sala", 24, 9000, StateChange("session_ended", "talk"))])
        queue = ListQueue()
        await _ship(stores, queue)
    assert [len(call) for call in queue.calls] == [10, 10, 3]
    assert queue.numbers == list(range(1, 24))


async def test_one_refused_final_is_sent_again_alone(tmp_path: Path) -> None:
    """What a call did not take is tried again; what it took is not."""

    def second_fails(lines: Sequence[Outgoing]) -> list[Refusal]:
        return [Refusal(lines[1].ticket, "InternalError", is_final=False)]

    async with _stores(tmp_path) as stores:
        await stores.log.append([_entry(n) for n in (1, 2, 3)])
        queue = ListQueue(second_fails)
        await _ship(stores, queue)
    assert queue.calls == [[1, 2, 3], [2]]


async def test_a_final_that_is_never_taken_stands_in_nobodys_way(tmp_path: Path) -> None:
    """It stays in the outbox, is counted, and the others go on."""

    def first_is_hopeless(lines: Sequence[Outgoing]) -> list[Refusal]:
        return [Refusal(lines[0].ticket, "InvalidMessageContents", is_final=True)]

    async with _stores(tmp_path) as stores:
        await stores.log.append([_entry(n) for n in (1, 2)])
        queue = ListQueue(first_is_hopeless)
        await _ship(stores, queue)
        await stores.log.append([_entry(3)])
        await _ship(stores, queue)
        unsent = await stores.outbox.unsent()
    assert queue.numbers == [2, 3]
    assert (unsent.lines, unsent.refused) == (0, 1)


async def test_an_outage_is_waited_out(tmp_path: Path) -> None:
    """Pauses double up to half a minute, differ by chance, and start anew after a success."""
    async with _stores(tmp_path) as stores:
        await stores.log.append([_entry(1)])
        queue = ListQueue(*[_outage] * 9)
        pauses = await _ship(stores, queue)
        await stores.log.append([_entry(2)])
        queue._answers.append(_outage)
        pauses += await _ship(stores, queue)
    longest = [min(FIRST_PAUSE_S * 2**n, LONGEST_PAUSE_S) for n in range(9)] + [FIRST_PAUSE_S]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))
    assert queue.numbers == [1, 2]


async def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    """What was not sent when the process ended is sent by the next one."""
    async with _stores(tmp_path) as stores:
        await stores.log.append([_entry(1)])
        shipper = Shipper(stores.outbox, ListQueue(*[_outage] * 1000), lambda: 0)
        assert await shipper.empty(0.05) == 1
    async with _stores(tmp_path) as stores:
        queue = ListQueue()
        await _ship(stores, queue)
    assert queue.numbers == [1]


async def test_an_outbox_that_falls_behind_says_so(tmp_path: Path) -> None:
    """Depth and age are told, and too much of either is an alarm; nothing is dropped for it."""
    now_ms = [1001]
    async with _stores(tmp_path) as stores:
        looked = asyncio.Event()

        async def sleep(_pause_s: float) -> None:
            looked.set()
            await asyncio.sleep(0)

        await stores.log.append([_entry(n) for n in range(1, ALARM_LINES + 2)])
        shipper = Shipper(stores.outbox, ListQueue(), lambda: now_ms[0], sleep=sleep)
        async with asyncio.timeout(20), beside(shipper.watch()):
            await looked.wait()
        assert shipper.unsent.lines == ALARM_LINES + 1
        assert shipper.oldest_s == 0
        assert _is_late(shipper)
        tickets = [line.ticket for line in await stores.outbox.waiting(ALARM_LINES + 1)]
        await stores.outbox.settle(tickets[1:], [])
        async with asyncio.timeout(20), beside(shipper.watch()):
            looked.clear()
            await looked.wait()
        assert not _is_late(shipper)
        now_ms[0] = 1001 + 121_000
        assert _is_late(shipper)
