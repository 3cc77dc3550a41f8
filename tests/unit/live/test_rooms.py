"""Who speaks into a room, who reads it, and what its log says."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from parola.domain.errors import (
    NoEngine,
    Outdated,
    RoomBusy,
    ServerFull,
    Stopping,
    StoreFailed,
    TooLarge,
)
from parola.domain.log import StateChange, Withheld
from parola.domain.room_settings import WHOLE_EVENT, Replacement, RoomSettings, version_of
from parola.domain.terms import Terms
from parola.domain.transcript import Segment
from parola.domain.vocabulary import RoomName, language_tag, room_name
from parola.engines.scripted import Script, ScriptedEngine, ScriptedStream, marked_audio
from parola.live.feed import View
from parola.live.room import STALE_S
from parola.live.rooms import Limits, Rooms
from parola.live.session import SessionPlan
from parola.ports import StreamRequest
from parola.stores.memory import MemoryLog, MemoryRoomBook
from tests.houses import House, house

MAIN = room_name("main")
ENGLISH = language_tag("en-US")
ITALIAN = language_tag("it-IT")
PLAN = SessionPlan("s", ENGLISH)


async def texts(log: MemoryLog, room: str = MAIN) -> list[str]:
    return [e.body.text for e in await log.read(room) if isinstance(e.body, Segment)]


async def frames_until(rooms: Rooms, view: View, last: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a viewer's frames up to the first that has all the fields of `last`."""
    found = []
    async with aclosing(rooms.watch(MAIN, view)) as frames:
        async for frame in frames:
            found.append(json.loads(frame))
            if last.items() <= found[-1].items():
                break
    return found


async def test_a_talk_is_in_the_log_with_its_beginning_and_end() -> None:
    """The log tells the whole story, numbered from 1."""
    async with house() as h:
        async with h.rooms.speak(MAIN, PLAN) as session:
            await session.feed(marked_audio(range(12)))
        await session.finished()
        await h.rooms.drain(5.0)
        entries = await h.log.read(MAIN)
        assert [e.number for e in entries] == [1, 2, 3, 4, 5]
        assert await texts(h.log) == ["0 1 2 3 4", "5 6 7 8 9", "10 11"]
        changes = [e.body.change for e in entries if isinstance(e.body, StateChange)]
        assert changes == ["session_started", "session_ended"]


async def test_a_second_source_is_refused_and_the_first_goes_on() -> None:
    """Nobody can speak into a room over somebody else."""
    async with house() as h, h.rooms.speak(MAIN, PLAN) as session:
        with pytest.raises(RoomBusy, match="'main'"):
            async with h.rooms.speak(MAIN, SessionPlan("t", ENGLISH)):
                pass
        await session.feed(marked_audio(range(5)))
        session.end()
        await session.finished()
        assert await texts(h.log) == ["0 1 2 3 4"]


async def test_a_source_that_fell_silent_is_replaced() -> None:
    """A client whose network died does not keep the room; its last words are kept."""
    async with house() as h, h.rooms.speak(MAIN, PLAN) as dead:
        await dead.feed(marked_audio(range(3)))
        h.clock[0] += STALE_S + 0.1
        async with h.rooms.speak(MAIN, SessionPlan("t", ENGLISH)) as alive:
            await alive.feed(marked_audio(range(100, 105)))
        await dead.finished()
        await alive.finished()
        assert sorted(await texts(h.log)) == ["0 1 2", "100 101 102 103 104"]


async def test_the_next_talk_need_not_wait_for_the_last_words_of_the_one_before() -> None:
    """A source that has said it is done leaves the room to the next one at once."""
    async with house() as h:
        async with h.rooms.speak(MAIN, PLAN) as first:
            await first.feed(marked_audio(range(7)))
        async with h.rooms.speak(MAIN, SessionPlan("t", ENGLISH)) as second:
            await second.feed(marked_audio(range(50, 55)))
        await first.finished()
        await second.finished()
        assert sorted(await texts(h.log)) == ["0 1 2 3 4", "5 6", "50 51 52 53 54"]


class ItalianOnly(ScriptedEngine):
    """An engine that knows one language."""

    name = "italian"

    def knows(self, language: str) -> bool:
        return language.startswith("it")


async def test_the_first_engine_that_knows_the_language_is_taken() -> None:
    """Engines stand in order of preference; the display can tell which one serves."""
    async with house(ItalianOnly(), ScriptedEngine()) as h:
        assert h.rooms.engine_for(language_tag("it-IT")).name == "italian"
        assert h.rooms.engine_for(ENGLISH).name == "scripted"


async def test_a_language_nobody_knows_is_told_to_source_and_screen() -> None:
    """The room says why nothing comes, and what to do."""
    async with house(ItalianOnly()) as h:
        watching = asyncio.create_task(
            frames_until(h.rooms, View(extras=True), {"type": "state", "state": "failed"})
        )
        await asyncio.sleep(0)
        with pytest.raises(NoEngine, match="en-US"):
            async with h.rooms.speak(MAIN, PLAN):
                pass
        assert "italian" in (await watching)[-1]["detail"]


async def test_a_log_that_cannot_be_written_stops_no_captions() -> None:
    """Captions flow, the room says so, and what was shown is saved when the log is back."""
    async with house() as h, h.rooms.speak(MAIN, PLAN) as session:
        unsaved = asyncio.create_task(
            frames_until(h.rooms, View(extras=True), {"type": "state", "state": "unsaved"})
        )
        shown = asyncio.create_task(frames_until(h.rooms, View(), {"text": "10 11 12 13 14"}))
        await session.feed(marked_audio(range(5)))
        h.log.fail_with = "The disk is full; free some space."
        await session.feed(marked_audio(range(5, 15)))
        assert "The disk is full" in (await unsaved)[-1]["detail"]
        assert [frame["text"] for frame in await shown][-1] == "10 11 12 13 14"
        assert "10 11 12 13 14" not in await stored(h)
        h.log.fail_with = None
        session.end()
        await session.finished()
        await h.rooms.plugs.recorder.settled()
        assert await texts(h.log) == ["0 1 2 3 4", "5 6 7 8 9", "10 11 12 13 14"]


async def stored(h: House) -> list[str]:
    failure, h.log.fail_with = h.log.fail_with, None
    found = await texts(h.log)
    h.log.fail_with = failure
    return found


async def test_a_room_that_nobody_uses_is_forgotten() -> None:
    """Room names cost nothing: the log keeps the past, memory only the present."""
    async with house() as h:
        async with h.rooms.speak(MAIN, PLAN) as session:
            await session.feed(marked_audio(range(5)))
            assert [room.name for room in h.rooms.open_rooms] == [MAIN]
        await session.finished()
        while h.rooms.open_rooms:  # noqa: ASYNC110 - nothing announces that a room is forgotten
            await asyncio.sleep(0)
        frames = await frames_until(h.rooms, View(), {"text": "0 1 2 3 4"})
        assert len(frames) == 1


async def test_limits_are_told_and_hurt_nobody_inside() -> None:
    """The one too many hears which limit it met."""
    limits = Limits(sessions=1, rooms=2, viewers_per_room=1)
    async with house(limits=limits) as h, h.rooms.speak(MAIN, PLAN):
        with pytest.raises(ServerFull, match="1 sessions"):
            async with h.rooms.speak(room_name("b"), PLAN):
                pass
        async with h.rooms.enter(room_name("b")):
            with pytest.raises(ServerFull, match="2 rooms"):
                async with h.rooms.enter(room_name("c")):
                    pass
        async with aclosing(h.rooms.watch(MAIN, View(extras=True))) as one:
            await anext(one)
            with pytest.raises(ServerFull, match="1 viewers"):
                await anext(h.rooms.watch(MAIN, View()))


async def test_stopping_takes_nothing_new_and_finishes_the_sentence() -> None:
    """The last words are made final and saved; newcomers are told to come back."""
    async with house() as h, h.rooms.speak(MAIN, PLAN) as session:
        await session.feed(marked_audio(range(7)))
        await h.rooms.drain(5.0)
        assert await texts(h.log) == ["0 1 2 3 4", "5 6"]
        with pytest.raises(Stopping):
            async with h.rooms.speak(RoomName("other"), PLAN):
                pass


class Buggy(ScriptedEngine):
    """An engine with a bug in it."""

    def open(self, request: object) -> NoReturn:
        raise ZeroDivisionError("a bug")


async def test_a_bug_in_one_session_ends_no_other() -> None:
    """The source and the room are told; the neighbours hear nothing of it."""
    async with house(ItalianOnly(), Buggy()) as h:
        async with h.rooms.speak(room_name("sala"), SessionPlan("i", language_tag("it"))) as well:
            async with h.rooms.speak(MAIN, PLAN) as broken:
                await broken.stopped()
                assert broken.failure is not None
            await well.feed(marked_audio(range(10)))
        await well.finished()
        assert await texts(h.log, "sala") == ["0 1 2 3 4 5 6 7 8 9"]


class Attentive(ScriptedEngine):
    """An engine that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(Script(5))
        self.requests: list[StreamRequest] = []

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator[ScriptedStream]:
        self.requests.append(request)
        async with super().open(request) as stream:
            yield stream


async def test_a_rooms_language_holds_whatever_a_source_says() -> None:
    """What is set for a room goes to the engine; the source's language counts where none is set."""
    async with house(keen := Attentive()) as h:
        await h.rooms.set_up(MAIN, RoomSettings(ITALIAN, Terms(("Nuoro",))))
        async with h.rooms.speak(MAIN, PLAN) as session:
            await session.feed(marked_audio(range(5)))
        await session.finished()
        async with h.rooms.speak(room_name("other"), PLAN) as session:
            await session.feed(marked_audio(range(5)))
        await session.finished()
    heard = [(r.room, r.language, r.terms.phrases) for r in keen.requests]
    assert heard == [("main", "it-IT", ("Nuoro",)), ("other", "en-US", ())]


async def test_a_talks_own_words_come_before_its_rooms() -> None:
    """Both go to the engine, and the talk keeps its own when the room's are set anew."""
    own = replace(PLAN, own_terms=Terms(("COBOL",), "A compiler by Grace Hopper."))
    async with house(keen := Attentive()) as h:
        await h.rooms.set_up(MAIN, RoomSettings(terms=Terms(("Nuoro", "COBOL"))))
        async with h.rooms.speak(MAIN, own) as session:
            await session.feed(marked_audio(range(3)))
            await frames_until(h.rooms, View(partials=True), {"text": "0 1 2"})
            await h.rooms.set_up(MAIN, RoomSettings(terms=Terms(("Sassari",))))
            await session.feed(marked_audio(range(3, 9)))
        await session.finished()
    heard = [request.terms.phrases for request in keen.requests]
    assert heard[0] == ("COBOL", "Nuoro", "Grace Hopper")
    assert heard[-1] == ("COBOL", "Sassari", "Grace Hopper")


async def test_the_language_is_switched_while_somebody_speaks() -> None:
    """A switch loses no audio and repeats none: the words before it are final in the old one."""
    async with house() as h, h.rooms.speak(MAIN, PLAN) as session:
        await session.feed(marked_audio(range(3)))
        await frames_until(h.rooms, View(partials=True), {"text": "0 1 2"})
        await h.rooms.set_up(MAIN, RoomSettings(ITALIAN))
        await session.feed(marked_audio(range(3, 8)))
        session.end()
        await session.finished()
        segments = [e.body for e in await h.log.read(MAIN) if isinstance(e.body, Segment)]
        assert [(s.text, s.language) for s in segments] == [
            ("0 1 2", "en-US"),
            ("3 4 5 6 7", "it-IT"),
        ]
        changes = [e.body for e in await h.log.read(MAIN) if isinstance(e.body, StateChange)]
        assert StateChange("language", "s", "it-IT") in changes
        assert h.rooms.open_rooms[0].feed.language == "it-IT"


async def test_settings_that_cannot_hold_change_nothing() -> None:
    """A language without an engine, or a store that is down: the room stays as it was."""
    async with house() as h:
        await h.rooms.set_up(MAIN, RoomSettings(ITALIAN))
        h.book.fail_with = "The disk is full; free some space."
        with pytest.raises(StoreFailed, match="disk is full"):
            await h.rooms.set_up(MAIN, RoomSettings())
        h.book.fail_with = None
        assert await h.book.read(MAIN) == RoomSettings(ITALIAN)
        with pytest.raises(TooLarge, match="501 phrases"):
            await h.rooms.set_up(MAIN, RoomSettings(terms=Terms(tuple(map(str, range(501))))))
    async with house(ItalianOnly()) as h:
        with pytest.raises(NoEngine, match="en-US"):
            await h.rooms.set_up(MAIN, RoomSettings(ENGLISH))
        assert await h.book.read(MAIN) == RoomSettings()


class SharedBook(MemoryRoomBook):
    """A book in which another node writes just after this one has looked."""

    def __init__(self, theirs: RoomSettings) -> None:
        super().__init__()
        self.theirs: RoomSettings | None = theirs

    async def read(self, room: str) -> RoomSettings:
        """Return what was there before the other one wrote."""
        there = await super().read(room)
        if self.theirs:
            theirs, self.theirs = self.theirs, None
            await self.write(room, theirs)
        return there


async def test_what_another_node_sets_at_the_same_time_is_not_lost() -> None:
    """Who has not seen it is refused, who does not care loses no mode, and a mode no words."""
    words = RoomSettings(blocked=("accidenti",))
    async with house(book=SharedBook(words)) as h:
        with pytest.raises(Outdated):
            await h.rooms.set_up(MAIN, RoomSettings(ITALIAN), version_of(RoomSettings()))
        assert await h.book.read(MAIN) == words
    async with house(book=SharedBook(words)) as h:
        with pytest.raises(Outdated):
            await h.rooms.set_up_event(RoomSettings(), version_of(RoomSettings()))
        assert await h.book.read(WHOLE_EVENT) == words
    async with house(book=SharedBook(RoomSettings(mode="hidden"))) as h:
        await h.rooms.set_up(MAIN, words, version_of(RoomSettings()))
        assert await h.book.read(MAIN) == replace(words, mode="hidden")
    async with house(book=(book := SharedBook(RoomSettings()))) as h, h.rooms.enter(MAIN):
        book.theirs = words
        await h.rooms.turn(MAIN, "paused")
        assert await h.book.read(MAIN) == replace(words, mode="paused")


async def test_what_was_misheard_is_put_right_in_partials_and_finals() -> None:
    """Viewers never see the wrong word; the log keeps what was heard."""
    async with house() as h:
        await h.rooms.set_up(MAIN, RoomSettings(replacements=(Replacement("1 2", "one to"),)))
        async with h.rooms.speak(MAIN, PLAN) as session:
            await session.feed(marked_audio(range(4)))
            shown = await frames_until(h.rooms, View(partials=True), {"text": "0 one to 3"})
            assert shown[-1]["heard"] == "0 1 2 3"
        await session.finished()
        (final,) = [e.body for e in await h.log.read(MAIN) if isinstance(e.body, Segment)]
        assert (final.text, final.heard) == ("0 one to 3", "0 1 2 3")
        assert [word.text for word in final.words] == ["0", "one", "to", "3"]


async def test_what_is_withheld_is_kept_and_not_shown() -> None:
    """It has a number in the log, and nobody's screen has it."""
    withheld = Withheld("s", "thank you", 0, 8000, "no speech", 3.0, "hostile")
    async with house() as h, h.rooms.enter(MAIN) as room:
        await room.withhold(withheld)
        await h.rooms.plugs.recorder.settled()
        assert [entry.body for entry in await h.log.read(MAIN)] == [withheld]
        assert room.feed.last_number == 0


async def test_alarms_are_published_with_the_state_once_they_change() -> None:
    """Who watches a room hears what is wrong with its sound, and when that is over."""
    async with house() as h, h.rooms.speak(MAIN, PLAN) as session:
        (room,) = h.rooms.open_rooms
        await room.watch_over()
        assert not room.alarms
        h.clock[0] += 6
        await room.watch_over()
        assert [alarm.kind for alarm in room.alarms] == ["source quiet"]
        async with aclosing(h.rooms.watch(MAIN, View(extras=True))) as frames:
            async with asyncio.timeout(5):
                async for frame in frames:
                    if any(
                        a["kind"] == "source quiet" for a in json.loads(frame).get("alarms", [])
                    ):
                        break
        room.note_audio()
        await session.feed(marked_audio([1]))
        await room.watch_over()
        assert not room.alarms


async def test_several_speak_in_one_conversation() -> None:
    """Each has a talk of its own under its name; the room is idle when the last one has left."""
    async with house() as h:
        ada, bob = (SessionPlan(name, ENGLISH, speaker=name) for name in ("ada", "bob"))
        async with h.rooms.enter(MAIN) as room, h.rooms.speak(MAIN, ada, joins=True) as first:
            async with h.rooms.speak(MAIN, bob, joins=True) as second:
                await first.feed(marked_audio(range(5)))
                await second.feed(marked_audio(range(50, 55)))
                assert room.speaking == (first, second)
            await second.finished()
            await first.feed(marked_audio(range(5, 10)))
        await first.finished()
        idle = {"type": "state", "state": "idle"}
        await frames_until(h.rooms, View(extras=True), idle)
        said = [e.body for e in await h.log.read(MAIN) if isinstance(e.body, Segment)]
        assert [s.text for s in said if s.speaker == "ada"] == ["0 1 2 3 4", "5 6 7 8 9"]
        assert [s.text for s in said if s.speaker == "bob"] == ["50 51 52 53 54"]


async def test_nobody_joins_a_talk_and_no_talk_breaks_into_a_conversation() -> None:
    """A talk has one source; a conversation has those who joined it."""
    async with house() as h, h.rooms.speak(MAIN, PLAN):
        with pytest.raises(RoomBusy):
            async with h.rooms.speak(MAIN, SessionPlan("t", ENGLISH), joins=True):
                pass
    async with house() as h, h.rooms.speak(MAIN, PLAN, joins=True) as voice:
        with pytest.raises(RoomBusy):
            async with h.rooms.speak(MAIN, SessionPlan("t", ENGLISH)):
                pass
        h.clock[0] += STALE_S + 0.1
        async with h.rooms.speak(MAIN, SessionPlan("t", ENGLISH)):
            assert voice.is_ending
            with pytest.raises(RoomBusy):
                async with h.rooms.speak(MAIN, SessionPlan("u", ENGLISH), joins=True):
                    pass
