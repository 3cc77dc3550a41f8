"""Pause, off the record, blank screens: what is shown and what is kept."""

import asyncio
import json
from dataclasses import replace

from parola.domain.log import StateChange
from parola.domain.room_settings import Replacement
from parola.domain.transcript import Segment, Word
from parola.domain.vocabulary import room_name
from parola.domain.wording import Wording
from parola.live.curtain import Curtain
from parola.live.feed import View
from parola.live.rooms import Rooms
from tests.houses import house

ROOM = room_name("main")


def final(number: int, text: str) -> Segment:
    return Segment("talk", number, text, number * 100, number * 100 + 90, True, "en-US")


async def frames(rooms: Rooms, count: int, *, extras: bool = True) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    async for frame in rooms.watch(ROOM, View(0, partials=True, extras=extras)):
        found.append(json.loads(frame))
        if len(found) == count:
            break
    return found


async def test_nothing_off_the_record_is_written_anywhere() -> None:
    """The words are sent without a number; the log has only that it was so."""
    async with house() as home, home.rooms.enter(ROOM) as room:
        await room.show(final(1, "said aloud"))
        await home.rooms.turn(ROOM, "off_record")
        assert await room.show(replace(final(2, "between us"), off_record=True)) is None
        await home.rooms.turn(ROOM, "live")
        await room.show(final(3, "aloud again"))
        log = [entry.body for entry in await home.log.read("main")]
        assert "between us" not in repr(log)
        changes = [body for body in log if isinstance(body, StateChange)]
        assert [c.value for c in changes if c.change == "mode"] == ["off_record", "live"]


def test_a_final_that_comes_late_is_what_its_sound_was() -> None:
    """What was said while the room was paused is not shown afterwards; what was said before is."""
    curtain, said = Curtain(), final(1, "aloud")
    aside = replace(said, off_record=True)
    curtain.turn("off_record")
    assert curtain.shows(aside)
    curtain.turn("live")
    assert curtain.shows(aside)
    curtain.turn("paused")
    assert not curtain.shows(aside)
    assert curtain.shows(said)
    curtain.turn("live")
    assert not curtain.shows(aside)
    assert curtain.shows(said)


async def test_what_is_hidden_outlives_a_restart_and_reaches_no_older_display() -> None:
    """Viewers that cannot blank themselves are sent nothing of what is said meanwhile."""
    async with house() as home:
        await home.rooms.turn(ROOM, "hidden")
        async with home.rooms.enter(ROOM) as room:
            assert room.curtain.mode == "hidden"
            await room.show(final(1, "a slip of the tongue"))
            reading = asyncio.ensure_future(frames(home.rooms, 1, extras=False))
            await asyncio.wait({reading}, timeout=0.05)
            assert not reading.done()
            assert (await frames(home.rooms, 1))[0]["state"] == "hidden"
            await home.rooms.turn(ROOM, "live")
            await room.show(final(2, "words for all"))
            assert (await reading)[0]["text"] == "words for all"


def test_blocked_words_are_masked_in_guesses_and_in_what_was_heard() -> None:
    """Whole words only, in any case; a replacement still works beside them."""
    wording = Wording([Replacement("good mourning", "good morning")], ["damn"])
    said = Segment("s", 1, "Damn, good mourning damnation", 0, 400, False, "en-US")
    said = wording.correct(said)
    assert said.text == "•••, good morning damnation"
    assert "amn," not in said.heard
    words = (Word("damn", 0, 100, stable=True), Word("it", 100, 200))
    masked = wording.correct(Segment("s", 1, "damn it", 0, 200, False, "en-US", words))
    assert [word.text for word in masked.words] == ["•••", "it"]
