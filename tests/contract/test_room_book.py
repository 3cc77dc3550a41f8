"""What every room book promises, checked on each of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parola.broker import open_broker
from parola.domain.room_settings import Replacement, RoomSettings
from parola.domain.terms import Terms
from parola.domain.vocabulary import language_tag, room_name
from parola.ports import RoomBook
from parola.stores.memory import MemoryRoomBook
from parola.stores.redis_books import RedisRoomBook
from parola.stores.sqlite import open_sqlite
from tests.broker import Broker


@asynccontextmanager
async def _memory() -> AsyncIterator[RoomBook]:
    yield MemoryRoomBook()


@asynccontextmanager
async def _sqlite() -> AsyncIterator[RoomBook]:
    with TemporaryDirectory() as folder:
        async with open_sqlite(Path(folder)) as stores:
            yield stores.book


@asynccontextmanager
async def _redis(broker: Broker) -> AsyncIterator[RoomBook]:
    async with open_broker(broker.url) as client:
        await client.flushall()
        yield RedisRoomBook(client)


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def book(request: pytest.FixtureRequest) -> AsyncIterator[RoomBook]:
    """Each room book there is, empty."""
    if request.param == "redis":
        opened = _redis(request.getfixturevalue("redis_server"))
    else:
        opened = _memory() if request.param == "memory" else _sqlite()
    async with opened as book:
        yield book


TALK = RoomSettings(
    language_tag("it-IT"),
    Terms(("Grazia Deledda", "Nuoro"), "Canne al vento\n\nUn romanzo."),
    (Replacement("grazia della", "Grazia Deledda"),),
    beside=room_name("sala inglese"),
    keep_recordings=True,
)


async def test_a_room_that_was_never_set_has_the_defaults(book: RoomBook) -> None:
    """Nobody has to make a room before asking for its settings."""
    assert await book.read("sala") == RoomSettings()


async def test_what_was_written_is_read(book: RoomBook) -> None:
    """The newest settings count, as a whole: nothing of the older ones shines through."""
    await book.write("sala", TALK)
    assert await book.read("sala") == TALK
    await book.write("sala", RoomSettings(replacements=TALK.replacements))
    assert await book.read("sala") == RoomSettings(replacements=TALK.replacements)


async def test_rooms_keep_to_themselves(book: RoomBook) -> None:
    """A room's settings are that room's only, accents and all."""
    await book.write("a", TALK)
    await book.write("à", RoomSettings(language_tag("de-DE")))
    assert await book.read("a") == TALK
    assert (await book.read("à")).language == "de-DE"


async def test_of_writers_that_have_seen_the_same_one_is_first(book: RoomBook) -> None:
    """Whoever comes later, or has seen something else, changes nothing and is told so."""
    german, french = (RoomSettings(language_tag(tag)) for tag in ("de-DE", "fr-FR"))
    for seen in RoomSettings(), TALK:
        outcomes = await asyncio.gather(
            *(book.write("sala", settings, seen) for settings in (german, french))
        )
        assert sorted(outcomes) == [False, True]
        won = german if outcomes[0] else french
        assert await book.read("sala") == won
        assert await book.write("sala", TALK, won)
    assert not await book.write("sala", german, french)
    assert not await book.write("altra", german, TALK)
    assert await book.read("sala") == TALK
    assert await book.read("altra") == RoomSettings()


texts = st.text() | st.sampled_from(["\ud800", "\x00", 'a "b" \\ \n', "perché 🎤"])
any_settings = st.builds(
    RoomSettings,
    st.none() | st.just(language_tag("it-IT")),
    st.builds(Terms, st.lists(texts, max_size=3).map(tuple), texts),
    st.lists(st.builds(Replacement, texts, texts), max_size=3).map(tuple),
)


def test_the_durable_book_returns_whatever_it_was_given(tmp_path: Path) -> None:
    """Any settings come back equal, whatever is in their texts."""

    async def back(book: RoomBook, wanted: RoomSettings) -> RoomSettings:
        await book.write("sala", wanted)
        return await book.read("sala")

    with asyncio.Runner() as loop:
        opened = open_sqlite(tmp_path)
        book = loop.run(opened.__aenter__()).book
        try:
            # One file for all examples; a busy machine has no pace.
            @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
            @given(any_settings)
            def check(wanted: RoomSettings) -> None:
                assert loop.run(back(book, wanted)) == wanted

            check()
        finally:
            loop.run(opened.__aexit__(None, None, None))
