"""Nothing invented: no word where nobody speaks, on any engine, over every recording there is."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.invention import first_words, hits, hostile_amazon
from bench.invention_audio import VOICES, Clip, generated, recordings
from bench.invention_runs import hear, hear_all
from parola.engines.pocketsphinx import PocketSphinxEngine
from tests.hostile_engine import HostileEngine

AUDIO = Path(os.environ.get("PAROLA_TEST_AUDIO") or Path(__file__).parents[3] / "shared" / "audio")

pytestmark = pytest.mark.audio

VOICE_LIKE = ("sneezing", "cough", "laugh", "crying", "Vibe_Ace", "jazz_guitar", "snoring")
"""The recordings without words that are most like a voice."""

SPOKEN = ("libri-1089", "harvard", "today", "book_a_room", "half_an_hour", "lj-001-0001")


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return recordings(AUDIO)


@pytest.fixture(scope="module")
def pocketsphinx() -> Iterator[PocketSphinxEngine]:
    engine = PocketSphinxEngine()
    yield engine
    engine.close()


def wordless(clips: list[Clip]) -> list[Clip]:
    return [clip for clip in clips if clip.group != "speech" and clip.group not in VOICES]


async def test_an_engine_that_always_speaks_is_never_believed(clips: list[Clip]) -> None:
    """Over every real recording without speech: no word, not even as a guess."""
    runs = await hear_all(wordless(clips), HostileEngine(), guarded=True)
    assert [
        (run.clip.name, run.shown, run.guesses) for run in runs if run.shown or run.guesses
    ] == []
    assert sum(run.kept_back for run in runs) > 1000, "it did speak"


async def test_generated_sounds_bring_no_word() -> None:
    """Silence, hums, noises of every colour, clicks, chords and echoes, of another seed."""
    for clip in generated(seed=77):
        run = await hear(clip, HostileEngine(), guarded=True)
        assert (run.clip.name, run.shown, run.guesses) == (clip.name, 0, 0)


async def test_amazons_results_are_weighed_as_our_own(clips: list[Clip]) -> None:
    """The same engine behind the Transcribe-compatible endpoint is not believed either."""
    some = [clip for clip in wordless(clips) if any(name in clip.name for name in VOICE_LIKE)]
    async with asyncio.timeout(60), hostile_amazon() as engine:
        runs = await hear_all(some, engine, guarded=True, at_once=4)
    assert sum(run.shown + run.guesses for run in runs) == 0
    assert sum(run.kept_back for run in runs) > 50, "it did speak"


async def test_pocketsphinx_writes_nothing_where_nobody_speaks(
    clips: list[Clip], pocketsphinx: PocketSphinxEngine
) -> None:
    """What is most like a voice: coughs, sneezes, laughter, babies, and a piece of music."""
    some = [clip for clip in wordless(clips) if any(name in clip.name for name in VOICE_LIKE)]
    runs = await hear_all(some, pocketsphinx, guarded=True)
    assert [(run.clip.name, run.shown) for run in runs if run.shown] == []


async def test_what_is_said_is_shown(clips: list[Clip], pocketsphinx: PocketSphinxEngine) -> None:
    """Of the words that the engine gets right, single ones too, the evidence takes none."""
    spoken = [clip for clip in clips if any(name in clip.name for name in SPOKEN)]
    runs = await hear_all(spoken, pocketsphinx, guarded=True)
    right = hits(runs, with_withheld=True)
    assert right > 40
    assert hits(runs, with_withheld=False) == right


async def test_the_first_word_after_a_pause_is_whole(
    clips: list[Clip], pocketsphinx: PocketSphinxEngine
) -> None:
    """After any pause from 0.2 s to a minute, it is let through and has evidence."""
    spoken = [clip for clip in clips if any(name in clip.name for name in SPOKEN)]
    bare = await hear_all(spoken, pocketsphinx, guarded=False)
    rows = [line.split("|")[1:-1] for line in first_words(bare) if " s |" in line]
    assert len(rows) == 7
    for pause, found, kept in rows:
        assert int(found) > 2
        assert (pause, kept) == (pause, found)
