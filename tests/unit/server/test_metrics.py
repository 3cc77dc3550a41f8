"""What Prometheus reads is what the rooms do, and nothing of what is said there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from parola.beside import beside, tasks_beside
from parola.buses.local import LocalBus
from parola.domain.errors import BadAudio
from parola.domain.jobs import Notice
from parola.domain.vocabulary import language_tag, room_name
from parola.engines.scripted import BLOCK_FRAMES, Script, ScriptedEngine, marked_audio
from parola.live.leaving import Leaving
from parola.live.playback import Playbacks, Recording
from parola.live.recorder import Recorder
from parola.live.retention import Retention
from parola.live.room import Plugs
from parola.live.rooms import Limits, Rooms
from parola.live.session import SessionPlan
from parola.ports import Answer, Bill
from parola.server.access import Access
from parola.server.deps import Services
from parola.server.job_desk import JobDesk
from parola.server.metrics import State, registry
from parola.server.uploads import Uploads
from parola.stores.memory import MemoryAccessBook, MemoryLog, MemoryRoomBook
from tests.unit.docs.reference import page, rows
from tests.unit.live.test_jobs import TEXT, Listener, SlowTranscriber, shop, told

ENGLISH = language_tag("en-US")
HALL = room_name('Sala "Blu" 1')


class Dear(ScriptedEngine):
    """A scripted engine that costs a cent a second."""

    def bill(self, room: str) -> Bill:
        return Bill(1, 30, Decimal("0.30")) if room == HALL else Bill()


@asynccontextmanager
async def services(engine: ScriptedEngine, folder: Path) -> AsyncIterator[Services]:
    log = MemoryLog()
    recorder = Recorder(log)
    plugs = Plugs(
        engines=(engine,),
        make_gate=lambda: None,
        log=log,
        book=MemoryRoomBook(),
        recorder=recorder,
        bus=LocalBus(),
        now_ms=lambda: 0,
        monotonic=lambda: 0.0,
    )
    async with asyncio.timeout(20), beside(recorder.run()), tasks_beside() as tasks:
        rooms = Rooms(plugs, Limits(), tasks)
        yield Services(
            rooms=rooms,
            playbacks=Playbacks(rooms, tasks),
            uploads=Uploads(folder, 1, 1.0),
            version="1.2.3",
            engines=(),
            default_language=ENGLISH,
            sample=Recording(folder, "", None),
            max_upload_bytes=1,
            text_screens=None,  # type: ignore[arg-type]
            windows=None,  # type: ignore[arg-type]
            stream_in_real_time=False,
            access=Access("this computer", MemoryAccessBook(), lambda: 0.0),
            retention=Retention(rooms, log),
            leaving=Leaving(),
        )
        await rooms.drain(5.0)


def read(running: Services) -> dict[tuple[str, ...], float]:
    """Return every number by its name and its labels' values."""
    text = generate_latest(registry(running)).decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items(), key=_room_first))): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _room_first(label: tuple[str, str]) -> bool:
    return label[0] != "room"


async def test_a_room_in_use_is_told_in_numbers(tmp_path: Path) -> None:
    """Level, lag, viewers, words, state, engine, breaks and money, by the room's name."""
    engine = Dear(Script(5, breaks_at=(7 * BLOCK_FRAMES,)))
    async with services(engine, tmp_path) as running:
        rooms = running.rooms
        async with rooms.enter(HALL) as room:
            async with rooms.speak(HALL, SessionPlan("s", ENGLISH)) as session:
                await session.feed(marked_audio(range(20)))
                while room.counts.words < 20:  # noqa: ASYNC110 - nobody tells when
                    await asyncio.sleep(0)
                said = read(running)
            while room.session:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0)
            after = read(running)
    assert said["parola_room_words_total", HALL] == 20
    assert said["parola_room_engine_breaks_total", HALL] == 1
    assert said["parola_room_state", HALL, "listening"] == 1
    assert said["parola_room_state", HALL, "failed"] == 0
    assert said["parola_room_engine", HALL, "scripted"] == 1
    assert 0 <= said["parola_room_lag_seconds", HALL] < 2
    assert -60 < said["parola_room_audio_level_dbfs", HALL] < 0
    assert said["parola_room_billed_seconds_total", HALL] == 30
    assert said["parola_room_cost_dollars_total", HALL] == 0.3
    assert said["parola_room_cost_dollars_total", ""] == 0
    assert (said["parola_sessions",], said["parola_rooms",]) == (1, 1)
    assert said["parola_info", "1.2.3"] == 1
    assert said["process_resident_memory_bytes",] > 0
    assert after["parola_room_audio_level_dbfs", HALL] == -120
    assert ("parola_room_engine", HALL, "scripted") not in after


async def test_rooms_that_nobody_uses_have_no_numbers(tmp_path: Path) -> None:
    """Labels are bounded by the rooms in use; engines that cost nothing have no bill."""
    async with services(ScriptedEngine(), tmp_path) as running:
        async with running.rooms.enter(HALL):
            assert ("parola_room_viewers", HALL) in read(running)
        numbers = read(running)
    assert not any(HALL in labels for _, *labels in numbers)
    assert not any("cost" in name for name, *_ in numbers)


async def test_recordings_are_told_in_numbers(tmp_path: Path) -> None:
    """How they stand, how long the oldest has waited, what was done, and deaf webhooks."""
    transcriber = SlowTranscriber(BadAudio("The file is empty."))
    deaf = Listener(Answer(False, "It answered 500."), Answer(False, "No.", is_hopeless=True))
    async with (
        services(ScriptedEngine(), tmp_path) as bare,
        shop(tmp_path, transcriber) as there,
    ):
        running = replace(bare, jobs=JobDesk(there.jobs, bare.uploads, deaf, 1.0))
        for name in "abc":
            await there.add(name, notice=Notice("https://example.com/") if name == "b" else None)
        await there.until("a", "running")
        early = read(running)
        transcriber.may_end.set()
        for name, status in (("a", "failed"), ("b", "done"), ("c", "done")):
            await there.until(name, status)
        await told(there, deaf, "b")
        late = read(running)
    assert (early["parola_jobs", "queued"], early["parola_jobs", "running"]) == (2, 1)
    assert early["parola_jobs_oldest_queued_seconds",] == 9.0
    assert (late["parola_jobs", "done"], late["parola_jobs", "failed"]) == (2, 1)
    assert late["parola_jobs", "queued"] == late["parola_jobs_oldest_queued_seconds",] == 0
    assert late["parola_jobs_ended_total", "done"] == 2
    assert late["parola_jobs_ended_total", "failed"] == 1
    assert late["parola_jobs_audio_seconds_total",] == pytest.approx(2 * TEXT.seconds)
    assert late["parola_jobs_withheld_words_total",] == 4
    assert late["parola_jobs_webhook_failures_total",] == 2
    assert late["parola_jobs_webhooks_given_up_total",] == 1


async def test_every_metric_is_described(tmp_path: Path) -> None:
    """The page lists each with its type and meaning, and none that is not there."""
    described = {row[0]: row[1:] for row in rows(page("http.md"), "Metric")}
    async with (
        services(Dear(), tmp_path) as bare,
        shop(tmp_path, SlowTranscriber()) as there,
        bare.rooms.enter(HALL),
    ):
        desk = JobDesk(there.jobs, bare.uploads, Listener(), 1.0)
        families = list(State(replace(bare, jobs=desk)).collect())
    assert described == {
        family.name + ("_total" if family.type == "counter" else ""): [
            family.type,
            family.documentation,
        ]
        for family in families
    }
