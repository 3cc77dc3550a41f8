"""Nothing invented: no word where nobody speaks, on any engine, over every recording there is."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.invention import hits, hostile_amazon
from bench.invention_audio import VOICES, Clip, generated, recordings
from bench.invention_runs import hear, hear_all
from bench.invention_words import first_words, short_words
from parola.domain.audio import FRAME_BYTES, RATE_HZ
from parola.engines.pocketsphinx import PocketSphinxEngine
from tests.hostile_engine import HostileEngine

AUDIO = Path(os.environ.get("PAROLA_TEST_AUDIO") or Path(__file__).parents[3] / "shared" / "audio")

pytestmark = pytest.mark.audio

VOICE_LIKE = ("sneezing", "cough", "laugh", "crying", "Vibe_Ace", "jazz_guitar", "snoring")
"""The recordings without words that are most like a voice."""

SPOKEN = ("libri-1089", "harvard-spk", "google-today", "book_a_room", "half_an_hour", "cards-")
"""Short recordings that the embedded engine mostly gets right."""

QUIET = ("dither", "50 Hz hum", "pink -20 dBFS", "noise in speech's rhythm", "8 clicks", "chords 1")
"""Generated sounds, one of each kind; the bench hears all of them, three times."""


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


def begun(clip: Clip) -> Clip:
    """Return its beginning, where the strongest evidence of these is: music takes long to hear."""
    return replace(clip, pcm=clip.pcm[: 12 * RATE_HZ * FRAME_BYTES])


async def test_an_engine_that_always_speaks_is_never_believed(clips: list[Clip]) -> None:
    """Over every real recording without speech: no word, not even as a guess."""
    runs = await hear_all(wordless(clips), HostileEngine(), guarded=True)
    assert [
        (run.clip.name, run.shown, run.guesses) for run in runs if run.shown or run.guesses
    ] == []
    assert sum(run.kept_back for run in runs) > 1000, "it did speak"


async def test_generated_sounds_bring_no_word() -> None:
    """Silence, hum, noise, clicks and chords, of another seed than the bench's."""
    some = [one for one in generated(seed=77) if one.name.startswith(QUIET)]
    assert len(some) >= len(QUIET)
    for clip in some:
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
    runs = await hear_all([begun(clip) for clip in some], pocketsphinx, guarded=True)
    assert [(run.clip.name, run.shown) for run in runs if run.shown] == []


async def test_what_is_said_is_shown(clips: list[Clip], pocketsphinx: PocketSphinxEngine) -> None:
    """Of the words that the engine gets right, single ones too, the evidence takes none."""
    spoken = [clip for clip in clips if any(name in clip.name for name in SPOKEN)]
    runs = await hear_all(spoken, pocketsphinx, guarded=True)
    right = hits(runs, with_withheld=True)
    assert right > 25
    assert hits(runs, with_withheld=False) == right


async def test_the_first_word_after_a_pause_is_whole(
    clips: list[Clip], pocketsphinx: PocketSphinxEngine
) -> None:
    """After any pause from 0.2 s to a minute, it is let through and has evidence."""
    spoken = [clip for clip in clips if any(name in clip.name for name in SPOKEN)]
    bare = await hear_all(spoken, pocketsphinx, guarded=False)
    rows = cells(first_words(bare))
    assert [row[0] for row in rows] == ["0.2 s", "0.5 s", "1 s", "2 s", "5 s", "20 s", "60 s"]
    for pause, found, kept in rows:
        assert int(found) > 2
        assert (pause, kept) == (pause, found)


def test_single_short_words_survive(clips: list[Clip]) -> None:
    """As recorded, 20 dB softer and 10 dB above noise, by the strictest row of the table."""
    speech = [clip for clip in clips if clip.group == "speech" and clip.language == "en"]
    noises = [clip for clip in clips if clip.group == "ambient"][:6]
    rows = cells(short_words(speech, noises))
    assert "today" in {row[0] for row in rows}
    assert [row for row in rows if not all(cell.startswith("yes") for cell in row[1:])] == []


def cells(lines: list[str]) -> list[list[str]]:
    """Return the cells of a table's rows, without its head."""
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows[1:]]
