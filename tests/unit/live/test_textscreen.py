"""Plain text for mixers: what may be read now, and nothing that was off the record before."""

import asyncio

from parola.beside import tasks_beside
from parola.domain.vocabulary import RoomMode, language_tag, room_name
from parola.engines.scripted import marked_audio
from parola.live.session import SessionPlan
from parola.live.textscreen import LINES, TextScreens
from tests.houses import House, house

MAIN = room_name("main")
PLAN = SessionPlan("s", language_tag("en-US"))


async def reads(h: House, screens: TextScreens, word: str) -> list[str]:
    """Ask again and again until a word is there, as mixers do."""
    while True:
        h.clock[0] += 1.0
        lines = await screens.lines(MAIN, LINES)
        if word in " ".join(lines).split():
            return lines
        await asyncio.sleep(0)


async def turned(h: House, screens: TextScreens, mode: RoomMode, *, hidden: bool) -> list[str]:
    """Change the room's mode, and ask once the screen has heard of it."""
    await h.rooms.turn(MAIN, mode)
    while True:
        await asyncio.sleep(0)
        lines = await screens.lines(MAIN, LINES)
        if bool(lines) != hidden:
            return lines


async def test_what_was_off_the_record_is_wiped() -> None:
    """It is shown as it is said; from the moment the room is back on, nobody can ask for it."""
    async with house() as h, tasks_beside() as tasks:
        screens = TextScreens(h.rooms, tasks)
        async with h.rooms.speak(MAIN, PLAN) as session:
            await session.feed(marked_audio(range(5)))
            await reads(h, screens, "4")
            await h.rooms.turn(MAIN, "off_record")
            await session.feed(marked_audio(range(70, 75)))
            lines = await reads(h, screens, "74")
            assert lines[-1] == "[off the record]"
            assert await turned(h, screens, "live", hidden=True) == []


async def test_a_hidden_room_gives_no_line() -> None:
    """The screens are switched off for mixers too, and back on."""
    async with house() as h, tasks_beside() as tasks:
        screens = TextScreens(h.rooms, tasks)
        async with h.rooms.speak(MAIN, PLAN) as session:
            await session.feed(marked_audio(range(5)))
            lines = await reads(h, screens, "4")
            assert await turned(h, screens, "hidden", hidden=True) == []
            assert await turned(h, screens, "live", hidden=False) == lines
