"""A log that takes nothing for long: nobody waits, and nothing is lost or comes twice."""

import asyncio

from parola.domain.transcript import Segment
from parola.domain.vocabulary import language_tag, room_name
from parola.engines.scripted import marked_audio
from parola.live.session import SessionPlan
from tests.houses import house, texts

MAIN = room_name("main")


async def test_more_finals_than_a_window_wait_for_a_broken_log() -> None:
    """Over 500 in one room: each viewer gets each once, and all are saved when the log is back."""
    count = 700 * 5
    async with house(limit_s=60.0) as h:
        async with h.rooms.speak(MAIN, SessionPlan("s", language_tag("en-US"))) as speaking:
            await speaking.feed(marked_audio(range(5)))
            first = await texts(h, MAIN, 0, 1)
            h.log.gate = asyncio.Event()
            for start in range(5, count, 500):
                await speaking.feed(marked_audio(range(start, min(start + 500, count))))
            everything = await texts(h, MAIN, 0, 700)
            assert everything[:1] == first
            assert " ".join(everything).split() == [str(number) for number in range(count)]
            assert await texts(h, MAIN, 101, 600) == everything[100:]
            assert h.rooms.plugs.recorder.pending > 500
            assert len(await h.log.read(MAIN)) == 2
            h.log.gate.set()
            await h.rooms.plugs.recorder.settled()
        await speaking.finished()
        kept = await h.log.read(MAIN, limit=5000)
        assert [e.body.text for e in kept if isinstance(e.body, Segment)] == everything
        numbers = [entry.number for entry in kept]
        assert numbers == list(range(1, len(numbers) + 1))
