"""What Prometheus may know: numbers of the rooms in use, and never a word that was said.

The state is read when it is asked for; nothing is counted twice for it. Labels are the names of
the rooms in use, at most as many as may be open, and words of our own. Another part's numbers are
one more function in `PARTS`.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from parola.domain.jobs import JOB_STATUSES
from parola.domain.vocabulary import ROOM_STATES, RoomName
from parola.live.room import Room, lag_s
from parola.server.deps import Services, services

router = APIRouter()

QUIETEST_DBFS = -120.0
"""Told for digital silence: minus infinity cannot be drawn. 16 bits end at -96."""


@router.get("/metrics", tags=["health"])
async def metrics(request: Request, running: Annotated[Services, Depends(services)]) -> Response:
    """Return the numbers for Prometheus, as text or as OpenMetrics."""
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry(running)), media_type=media_type)


def registry(running: Services) -> CollectorRegistry:
    """Return a registry of the server's numbers and its process's."""
    numbers = CollectorRegistry(auto_describe=False)
    numbers.register(State(running))
    ProcessCollector(registry=numbers)
    PlatformCollector(registry=numbers)
    return numbers


class State(Collector):
    """Reads the running services."""

    def __init__(self, running: Services) -> None:
        self._running = running

    def collect(self) -> Iterator[Metric]:
        """Yield every part's numbers."""
        for part in PARTS:
            yield from part(self._running)


def of_server(running: Services) -> Iterator[Metric]:
    """Yield what there is of the server as a whole."""
    about = GaugeMetricFamily("parola_info", "Always 1; says what runs.", labels=["version"])
    about.add_metric([running.version], 1)
    yield about
    rooms = running.rooms
    yield GaugeMetricFamily("parola_rooms", "Rooms in use.", len(rooms.open_rooms))
    yield GaugeMetricFamily("parola_sessions", "Talks that are being recognised.", rooms.running)
    recorder = rooms.plugs.recorder
    yield GaugeMetricFamily(
        "parola_log_unsaved_entries", "Lines that are not in the log yet.", recorder.pending
    )
    yield GaugeMetricFamily(
        "parola_log_failing", "1 while the log cannot be written.", int(bool(recorder.failure))
    )


def of_rooms(running: Services) -> Iterator[Metric]:
    """Yield what there is of each room in use."""
    rooms = running.rooms.open_rooms
    for name, text, read in GAUGES:
        gauge = GaugeMetricFamily(f"parola_room_{name}", text, labels=["room"])
        for room in rooms:
            gauge.add_metric([room.name], read(room))
        yield gauge
    for name, text, read in COUNTERS:
        counter = CounterMetricFamily(f"parola_room_{name}", text, labels=["room"])
        for room in rooms:
            counter.add_metric([room.name], read(room))
        yield counter
    yield _states(rooms)
    yield _engines(rooms)


def of_bills(running: Services) -> Iterator[Metric]:
    """Yield what each room in use has cost; nothing where no engine costs money."""
    seconds = CounterMetricFamily(
        "parola_room_billed_seconds", "Seconds that are charged for.", labels=["room"]
    )
    money = CounterMetricFamily(
        "parola_room_cost_dollars", "What they cost, an estimate.", labels=["room"]
    )
    # What is recognised for one asker only belongs to no room.
    for name in (RoomName(""), *(room.name for room in running.rooms.open_rooms)):
        if bill := running.rooms.bill(name):
            seconds.add_metric([name], bill.seconds)
            money.add_metric([name], float(bill.money))
    yield seconds
    yield money


def of_outbox(running: Services) -> Iterator[Metric]:
    """Yield how far finals that are sent on are behind; nothing where none are."""
    if not (shipper := running.shipper):
        return
    for name, text, value in (
        ("lines", "Finals that wait to be sent on.", shipper.unsent.lines),
        ("oldest_seconds", "How long the oldest of them has waited.", shipper.oldest_s),
        ("refused_lines", "Finals that the queue will never take.", shipper.unsent.refused),
        ("failing", "1 while nothing can be sent on.", int(bool(shipper.failure))),
        ("late", "1 while more wait, or longer, than ever should.", int(shipper.is_late)),
    ):
        yield GaugeMetricFamily(f"parola_outbox_{name}", text, value)


def of_moods(running: Services) -> Iterator[Metric]:
    """Yield how the reading of lines goes; nothing where none are read."""
    if not (moods := running.moods):
        return
    yield CounterMetricFamily("parola_mood_lines", "Lines read for how they sound.", moods.lines)
    yield GaugeMetricFamily(
        "parola_mood_failing", "1 while no line can be read.", int(bool(moods.failure))
    )


def of_jobs(running: Services) -> Iterator[Metric]:
    """Yield how recordings in the background stand; nothing where none are taken."""
    if not (desk := running.jobs):
        return
    jobs, counts = desk.jobs, desk.jobs.counts
    standing = jobs.standing
    kept = GaugeMetricFamily(
        "parola_jobs", "Recordings that are kept, by how they stand.", labels=["status"]
    )
    for status in JOB_STATUSES:
        kept.add_metric([status], standing[status])
    yield kept
    yield GaugeMetricFamily(
        "parola_jobs_oldest_queued_seconds",
        "How long ago the oldest that waits was sent in.",
        jobs.oldest_queued_s,
    )
    ended = CounterMetricFamily(
        "parola_jobs_ended", "Recordings that were done, or failed.", labels=["status"]
    )
    ended.add_metric(["done"], counts.done)
    ended.add_metric(["failed"], counts.failed)
    yield ended
    for name, text, value in (
        ("audio_seconds", "Seconds of sound that they wrote down.", counts.audio_s),
        (
            "withheld_words",
            "Words left out of their text for want of speech under them.",
            counts.withheld_words,
        ),
        (
            "webhook_failures",
            "Tries to tell a webhook that did not work.",
            counts.webhook_failures,
        ),
        ("webhooks_given_up", "Webhooks that never heard of it.", counts.webhooks_given_up),
    ):
        yield CounterMetricFamily(f"parola_jobs_{name}", text, value)


def of_host(running: Services) -> Iterator[Metric]:
    """Yield whether the host leaves us alone; nothing where it cannot be asked."""
    if protection := running.protection:
        text = "1 while the host does not do as it is asked: it may end a task with talks."
        yield GaugeMetricFamily("parola_task_unprotected", text, int(bool(protection.failure)))


def _level(room: Room) -> float:
    return max(room.session.level_dbfs, QUIETEST_DBFS) if room.session else QUIETEST_DBFS


PARTS: tuple[Callable[[Services], Iterator[Metric]], ...] = (
    of_server,
    of_rooms,
    of_bills,
    of_outbox,
    of_moods,
    of_jobs,
    of_host,
)
"""Whatever is told."""

Read = Callable[[Room], float]

GAUGES: tuple[tuple[str, str, Read], ...] = (
    ("viewers", "Who reads it.", lambda room: room.feed.viewers),
    (
        "lag_seconds",
        "How far the text is behind the sound.",
        lambda room: lag_s(room.session) if room.session else 0.0,
    ),
    (
        "audio_level_dbfs",
        "How loud the newest sound is; -120 is silence, or nobody.",
        _level,
    ),
)

COUNTERS: tuple[tuple[str, str, Read], ...] = (
    ("words", "Words shown as final.", lambda room: room.counts.words),
    (
        "withheld_words",
        "Words not shown for want of speech under them.",
        lambda room: room.withheld_words,
    ),
    (
        "engine_breaks",
        "How often an engine broke off or was long in starting.",
        lambda room: room.counts.breaks,
    ),
)


def _states(rooms: list[Room]) -> Metric:
    states = GaugeMetricFamily(
        "parola_room_state", "1 for what the room is doing.", labels=["room", "state"]
    )
    for room in rooms:
        for state in ROOM_STATES:
            states.add_metric([room.name, state], int(room.feed.state.state == state))
    return states


def _engines(rooms: list[Room]) -> Metric:
    engines = GaugeMetricFamily(
        "parola_room_engine", "1 for the engine that hears it.", labels=["room", "engine"]
    )
    for room in rooms:
        if room.session:
            engines.add_metric([room.name, room.session.engine], 1)
    return engines
