"""A planned change of engine: the next stream is open before the present one is ended."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from parola.beside import beside
from parola.domain.audio import AudioChunk
from parola.domain.errors import EngineFailed
from parola.domain.vocabulary import Language, language_tag
from parola.engines.scripted import Script, ScriptedEngine, ScriptedStream, marked_audio
from parola.live.session import Session, SessionPlan
from parola.ports import EngineEvent, EngineStream, StreamRequest
from tests.unit.live.test_session import Screen, no_sleep

ENGLISH = SessionPlan("s", language_tag("en-US"))
ITALIAN = SessionPlan("s", language_tag("it-IT"))
FRENCH = SessionPlan("s", language_tag("fr-FR"))


class Diarist:
    """An engine that notes what its streams go through, and fails where it is told to."""

    gated = False

    def __init__(
        self, name: str, diary: list[str], *, opens: bool = True, bad_ends: int = 0
    ) -> None:
        self.name = name
        self.diary = diary
        self.bad_ends = bad_ends
        self.on_end: Callable[[], None] = lambda: None
        self._opens = opens

    def knows(self, language: Language) -> bool:
        return True

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator[EngineStream]:
        if not self._opens:
            raise EngineFailed(f"{self.name} has no worker.")
        self.diary.append(f"{self.name} open")
        try:
            async with ScriptedEngine(Script(5)).open(request) as stream:
                yield _Noted(self, stream)
        finally:
            self.diary.append(f"{self.name} left")


class _Noted:
    def __init__(self, engine: Diarist, stream: ScriptedStream) -> None:
        self._engine = engine
        self._stream = stream

    async def send(self, chunk: AudioChunk) -> None:
        await self._stream.send(chunk)

    async def end(self) -> None:
        self._engine.diary.append(f"{self._engine.name} told to end")
        self._engine.on_end()
        if self._engine.bad_ends:
            self._engine.bad_ends -= 1
            raise EngineFailed("It broke with its last words.")
        await self._stream.end()

    def __aiter__(self) -> AsyncIterator[EngineEvent]:
        return self._stream.__aiter__()


async def changed(first: Diarist, *others: Diarist, instead: Diarist | None = None) -> Screen:
    """Speak 8 numbers to the first engine, and 8 more after each change to another one.

    With `instead` the change is changed while the first engine says its last words.
    """
    screen = Screen()
    session = Session(ENGLISH, first, None, screen, no_sleep)
    if instead:
        first.on_end = lambda: session.renew(FRENCH, instead)
    async with asyncio.timeout(20), beside(session.run()):
        for part, engine in enumerate((first, *others)):
            if part:
                session.renew(ITALIAN, engine)
            pcm = marked_audio(range(8 * part, 8 * part + 8))
            for start in range(0, len(pcm), 3200):
                await session.feed(pcm[start : start + 3200])
                await asyncio.sleep(0.002)
        session.end()
        await session.finished()
    return screen


def said(screen: Screen) -> list[tuple[str, str]]:
    return [(segment.text, segment.engine) for segment in screen.shown if segment.is_final]


async def test_the_next_stream_is_open_before_the_present_one_is_ended() -> None:
    """And takes over at a frame: no word is lost, none comes twice."""
    diary: list[str] = []
    screen = await changed(Diarist("old", diary), Diarist("new", diary))
    assert diary[:4] == ["old open", "new open", "old told to end", "old left"]
    assert diary[4:] == ["new told to end", "new left"]
    assert screen.words == [str(number) for number in range(16)]
    assert said(screen)[-1] == ("13 14 15", "new")


async def test_a_change_that_cannot_be_had_leaves_the_captions_flowing() -> None:
    """The present stream goes on and everybody hears why; a later change is made."""
    diary: list[str] = []
    others = Diarist("gone", diary, opens=False), Diarist("new", diary)
    screen = await changed(Diarist("old", diary), *others)
    assert diary[:3] == ["old open", "new open", "old told to end"]
    assert screen.words == [str(number) for number in range(24)]
    assert ("10 11 12 13 14", "old") in said(screen)
    details = [state.detail for state in screen.told]
    assert "Goes on as before, a change has to wait: gone has no worker." in details
    assert details[-1] == ""
    assert "recovering" not in screen.states


async def test_a_stream_that_breaks_while_it_hands_over_costs_no_word() -> None:
    """What it owed is heard by another one, not skipped by the one that was ready."""
    diary: list[str] = []
    screen = await changed(Diarist("old", diary, bad_ends=1), Diarist("new", diary))
    assert screen.words == [str(number) for number in range(16)]
    assert diary.count("new open") == diary.count("new left") == 2


async def test_a_change_that_is_changed_meanwhile_leaves_no_stream_behind() -> None:
    """The newest wish counts; the stream that was ready for the other one is left."""
    diary: list[str] = []
    newest = Diarist("newest", diary)
    screen = await changed(Diarist("old", diary), Diarist("new", diary), instead=newest)
    assert diary[:5] == ["old open", "new open", "old told to end", "old left", "new left"]
    assert screen.words == [str(number) for number in range(16)]
    assert said(screen)[-1] == ("13 14 15", "newest")
