"""Old talks go, also from rooms that are open, and nobody who speaks is held up or cut."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from parola.beside import beside
from parola.domain.errors import StoreFailed
from parola.domain.transcript import Segment
from parola.domain.vocabulary import language_tag, room_name
from parola.engines.scripted import marked_audio
from parola.live import retention as module
from parola.live.retention import Retention
from parola.live.session import SessionPlan
from parola.ports import Forgotten
from parola.stores.recordings import RecordingFolder, recording_path
from tests.houses import House, house, texts

MAIN = room_name("main")
ENGLISH = language_tag("en-US")
DAY_S = 86_400.0


async def over(h: House) -> None:
    """Wait until every talk's last line is in the log."""
    while talks := tuple(h.rooms._talks):
        await asyncio.wait(talks)
    await h.rooms.plugs.recorder.settled()


async def talk(h: House, session: str, first: int, count: int) -> None:
    async with h.rooms.speak(MAIN, SessionPlan(session, ENGLISH)) as speaking:
        await speaking.feed(marked_audio(range(first, first + count)))
    await over(h)


async def test_a_room_that_is_open_lets_go_of_old_talks() -> None:
    """Whoever reads the room anew gets nothing of them; numbers and a talk that runs go on."""
    async with house() as h, h.rooms.enter(MAIN) as room:
        await talk(h, "old", 0, 10)
        h.clock[0] += 2 * DAY_S
        async with h.rooms.speak(MAIN, SessionPlan("new", ENGLISH)) as speaking:
            await speaking.feed(marked_audio(range(50, 55)))
            assert await texts(h, MAIN, 0, 3) == ["0 1 2 3 4", "5 6 7 8 9", "50 51 52 53 54"]
            gone = await Retention(h.rooms, h.log).prune(1.0)
            assert gone == Forgotten(frozenset({("main", "old")}), 4)
            assert await texts(h, MAIN, 0, 1) == ["50 51 52 53 54"]
            await speaking.feed(marked_audio(range(55, 60)))
            assert await texts(h, MAIN, 0, 2) == ["50 51 52 53 54", "55 56 57 58 59"]
        await over(h)
        assert room.feed.last_number == await h.log.last_number(MAIN)
        assert [entry.number for entry in await h.log.read(MAIN)] == [5, 6, 7, 8]


async def test_a_talk_that_runs_is_never_cut() -> None:
    """However long its source has been silent: its beginning stays in the log with its end."""
    async with house() as h, h.rooms.speak(MAIN, SessionPlan("long", ENGLISH)) as speaking:
        await speaking.feed(marked_audio(range(5)))
        assert await texts(h, MAIN, 0, 1) == ["0 1 2 3 4"]
        h.clock[0] += 40 * DAY_S
        assert await Retention(h.rooms, h.log).prune(30.0) == Forgotten()
        await speaking.feed(marked_audio(range(5, 10)))
        assert await texts(h, MAIN, 0, 2) == ["0 1 2 3 4", "5 6 7 8 9"]


async def test_a_room_that_was_emptied_counts_on_for_its_viewers() -> None:
    """A viewer with a number, of a room whose whole log is gone, gets the next line, once."""
    async with house() as h:
        await talk(h, "old", 0, 600)
        h.clock[0] += 2 * DAY_S
        await Retention(h.rooms, h.log).prune(1.0)
        last = await h.log.last_number(MAIN)
        assert last > 100
        async with h.rooms.enter(MAIN) as room:
            await talk(h, "new", 0, 5)
            assert await texts(h, MAIN, last, 1) == ["0 1 2 3 4"]
            assert await texts(h, MAIN, 3, 1) == ["0 1 2 3 4"]
            assert room.feed.last_number == last + 3
        await over(h)
        numbers = [e.number for e in await h.log.read(MAIN) if isinstance(e.body, Segment)]
        assert numbers == [last + 2]


async def test_what_another_node_has_deleted_goes_here_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From rooms that are open, with its sound; where that fails it is told, and all goes on."""
    recordings = RecordingFolder(tmp_path)
    async with house() as h, h.rooms.enter(MAIN) as room:
        h.rooms.plugs = replace(h.rooms.plugs, recordings=recordings)
        await talk(h, "old", 0, 10)
        sound = recording_path(tmp_path, MAIN, "old")
        sound.parent.mkdir(exist_ok=True)
        sound.write_bytes(b"words")
        gone = await h.log.forget(2_000_000_000)
        await Retention(h.rooms, h.log).let_go(gone)
        assert not sound.exists()
        await talk(h, "new", 50, 5)
        assert await texts(h, MAIN, 0, 1) == ["50 51 52 53 54"]
        assert room.feed.last_number == await h.log.last_number(MAIN)
        sound.mkdir()
        await Retention(h.rooms, h.log).let_go(gone)
    assert "delete it by hand" in caplog.text


async def test_it_is_done_once_a_day_and_rather_while_nobody_speaks() -> None:
    """It waits for a talk to end, though not for ever, and tries again after a failure."""
    pauses: list[float] = []
    step, stepped = asyncio.Event(), asyncio.Event()
    noted: list[Forgotten] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        stepped.set()
        await step.wait()
        step.clear()

    async def next_pause() -> float:
        await stepped.wait()
        stepped.clear()
        pause = pauses[-1]
        step.set()
        return pause

    async def note(gone: Forgotten) -> None:
        noted.append(gone)

    async with house() as h, h.rooms.speak(MAIN, SessionPlan("now", ENGLISH)) as speaking:
        await talk_elsewhere(h)
        retention = Retention(h.rooms, h.log)
        async with beside(retention.run(1.0, note, sleep)):
            for _ in range(int(module.TALKING_DAY_S / module.AGAIN_S)):
                assert await next_pause() == module.AGAIN_S
            assert await next_pause() == module.EVERY_S
            assert [gone.talks for gone in noted] == [{("elsewhere", "old")}]
            speaking.end()
            await over(h)
            h.log.fail_with = "The disk is gone; plug it in."
            assert await next_pause() == module.AGAIN_S
            h.log.fail_with = None
            assert await next_pause() == module.EVERY_S
            assert len(noted) == 1, "nothing was old: nothing to note"


async def talk_elsewhere(h: House) -> None:
    """Leave an old talk in another room."""
    async with h.rooms.speak(room_name("elsewhere"), SessionPlan("old", ENGLISH)) as speaking:
        await speaking.feed(marked_audio(range(5)))
    await asyncio.wait(h.rooms._talks, return_when="FIRST_COMPLETED")
    h.clock[0] += 2 * DAY_S


async def test_what_belongs_to_a_talk_goes_although_traces_of_it_stay(tmp_path: Path) -> None:
    """The log names it no more, so that nobody would come back for its sound; all is told."""
    gone = Forgotten(frozenset({("main", "a"), ("main", "b")}), 4, left="Traces stay.")

    class Held:
        """A log of which somebody holds the bytes."""

        async def forget(self, before_ms: int, spare: Collection[str] = ()) -> Forgotten:
            return gone

    folder = RecordingFolder(tmp_path)
    recording_path(tmp_path, "main", "a").mkdir()  # no file, so that it cannot be deleted
    recording_path(tmp_path, "main", "b").write_bytes(b"sound")
    async with house() as h:
        h.rooms.plugs = replace(h.rooms.plugs, recordings=folder)
        with pytest.raises(StoreFailed, match=r"^Traces stay\. The sound of a talk, .*by hand\.$"):
            await Retention(h.rooms, Held()).prune(1.0)
    assert [path.name for path in tmp_path.iterdir()] == [
        recording_path(tmp_path, "main", "a").name
    ]
