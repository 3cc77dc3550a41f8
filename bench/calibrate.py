"""Chooses the thresholds of the evidence from recordings, and writes the table that ships.

    python -m bench.calibrate [--audio DIR] [--every 2] [--write]

From the gate alone, for every engine: how strong the evidence of speech gets where nobody speaks,
for how long, and how strong it is under single words cut out of speech. From the embedded engine,
on one English recording in so many: how many letters it writes into a second of speech. Chosen and
not measured are the margins and the confidences below: the recordings at hand are too few to fit
them.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from bench.invention import RECORDINGS
from bench.invention_audio import VOICES, Clip, generated, recordings
from bench.invention_runs import Heard, hear_all
from parola.audio.gate import Gate
from parola.audio.silero import WINDOW_FRAMES, SileroDetector
from parola.audio.speech_record import Speech, SpeechRecord
from parola.domain.audio import RATE_HZ, AudioChunk
from parola.engines.pocketsphinx import PocketSphinxEngine
from parola.live.calibration import ANY_ENGINE, FILE, Threshold
from parola.live.evidence import MARGIN, SPARE_S

LOST = 0.25
"""Of 0.3 s cut out of speech, the share that may fall below the first threshold. Cut at any place,
most of these are halves of words. What it costs of whole ones:
docs/reference/invention.md."""

HEADROOM = 1.8
"""How far above the strongest evidence met where nobody speaks evidence is no longer slight: the
recordings at hand are a few, halls are many."""

LONGER = 3.0
"""How many times the longest run under such evidence a run is no longer short."""

MUSIC = 1.05
"""How far above the strongest evidence in music without voices a burst has to be for an engine
whose confidence says nothing."""

FASTEST = 25.0
"""Letters a second that are always allowed: some 250 words a minute, without the pauses."""

FASTEST_BURST = 20.0
"""The same in a burst of speech: a word or two. In bursts, the embedded engine wrote 15 at most
where it was right, in noise 17."""

SLIGHT_CONFIDENCE = 0.6
"""What the mean confidence has to be where evidence is slight; only for PocketSphinx, the one
engine whose confidence is calibrated (engines/pocketsphinx_recogniser.py)."""

DOUBTFUL_BELOW = 0.5
"""Less likely right than wrong, where a confidence is calibrated."""

EXCERPTS = 200
EXCERPT_S = 0.3


def record_of(pcm: bytes) -> SpeechRecord:
    """Return what a gate remembers of some sound."""
    gate = Gate(SileroDetector())
    gate.add(AudioChunk(0, pcm))
    return gate.speech


def strongest(pcms: Iterable[bytes]) -> list[Speech]:
    """Return the strongest evidence in each sound."""
    return [record_of(pcm).under(0, 1 << 40) for pcm in pcms]


def excerpts(speech: Sequence[Clip], seed: int = 1) -> Iterator[bytes]:
    """Yield 0.3 s of the louder speech, faded, with half a second of faint noise around it."""
    chance = np.random.default_rng(seed)
    length = round(EXCERPT_S * RATE_HZ)
    fade = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / 160)
    for _ in range(EXCERPTS):
        clip = speech[int(chance.integers(len(speech)))]
        x = np.frombuffer(clip.pcm, "<i2").astype(np.float64)
        energy = np.convolve(x**2, np.ones(length) / length, "valid")
        louder = np.flatnonzero(energy > 0.8 * float(np.mean(x**2)))
        first = louder[chance.integers(len(louder))]
        word = x[first : first + length] * fade
        sound = np.pad(word, RATE_HZ // 2)
        sound += chance.normal(0, float(np.std(word)) / 30, len(sound))
        yield np.clip(sound, -32768, 32767).astype("<i2").tobytes()


def letter_rates(runs: Sequence[Heard], long_run: int) -> tuple[list[float], list[float]]:
    """Return the letters per second of speech of every segment shown, those of bursts apart."""
    rates: tuple[list[float], list[float]] = [], []
    for run in runs:
        record = record_of(run.clip.pcm)
        for final in run.finals:
            speech = record.under(final.first_frame - MARGIN, final.end_frame + MARGIN)
            seconds = speech.windows * WINDOW_FRAMES / RATE_HZ + SPARE_S
            is_short = speech.best.windows < long_run
            rates[is_short].append(sum(map(str.isalnum, final.text)) / seconds)
    return rates


async def calibrated(clips: Sequence[Clip], every: int, at_once: int) -> Threshold:
    """Return the row for any engine."""
    speech = [c for c in clips if c.group == "speech" and c.language == "en"]
    wordless = [c for c in clips if c.group != "speech" and c.group not in VOICES]
    music = strongest(clip.pcm for clip in wordless if clip.group == "music")
    noise = strongest(clip.pcm for clip in (*wordless, *generated()))
    words = [word.best.strength for word in strongest(excerpts(speech))]
    heard = [strength for strength in words if strength > 0]
    strength = float(np.floor(np.quantile(heard, LOST)))
    weak = [one.best.windows for one in noise if one.best.strength >= strength]
    long_run = int(LONGER * max(weak))
    print("strongest where nobody speaks:", sorted(one.best.strength for one in noise)[-5:])
    print(f"cut-out words: {np.quantile(heard, [0.05, 0.1, 0.25, 0.5]).round(1)}", flush=True)
    with closing(PocketSphinxEngine()) as engine:
        runs = await hear_all(speech[::every], engine, guarded=True, at_once=at_once)
    going_on, bursts = letter_rates(runs, long_run)
    for name, rates in (("speech", going_on), ("bursts", bursts)):
        print(f"letters per second of {name}: {np.quantile(rates, [0.5, 0.9, 0.99, 1]).round(1)}")
    return Threshold(
        strength=strength,
        short_strength=float(np.ceil(MUSIC * max(one.best.strength for one in music))),
        sure_strength=float(np.ceil(HEADROOM * max(one.best.strength for one in noise))),
        long_run_windows=long_run,
        letters_per_s=max(FASTEST, float(np.ceil(1.1 * np.quantile(going_on, 0.99)))),
        short_letters_per_s=FASTEST_BURST,
        slight_confidence=0.0,
        doubtful_below=DOUBTFUL_BELOW,
    )


def main() -> None:
    """Measure, print, and write if told to."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    default = Path(os.environ.get("PAROLA_TEST_AUDIO") or RECORDINGS)
    options.add_argument("--audio", type=Path, default=default, help="folder with a manifest.tsv")
    options.add_argument("--every", type=int, default=2, help="hear one recording in so many")
    options.add_argument("--jobs", type=int, default=2, help="recordings heard at the same time")
    options.add_argument("--write", action="store_true", help="write the table that ships")
    told = options.parse_args()
    clips = recordings(told.audio)
    any_engine = asyncio.run(calibrated(clips, told.every, told.jobs))
    minutes = sum(clip.seconds for clip in clips) / 60
    trusted = replace(
        any_engine, short_strength=any_engine.strength, slight_confidence=SLIGHT_CONFIDENCE
    )
    rows = {ANY_ENGINE: any_engine, "pocketsphinx": trusted}
    table = {
        "data": f"{len(clips)} recordings, {minutes:.0f} minutes, and generated sounds",
        "chosen": "short_letters_per_s, slight_confidence, doubtful_below, and the margins "
        "(bench/calibrate.py)",
        "engines": {name: asdict(row) for name, row in rows.items()},
    }
    text = json.dumps(table, indent=2) + "\n"
    print(text)
    if told.write:
        FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
