"""How often the alarms are right: faults put into a talk, and an hour of ordinary sound.

    python -m bench.alarms [--audio DIR]

Audio is heard at the pace of its own clock by the real gate and alarms. In place of a recogniser,
words come half a second after speech that the gate has strong evidence of, so that the table is
about the alarms and not about an engine.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.invention import RECORDINGS
from bench.invention_audio import Clip, recordings
from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.domain.audio import RATE_HZ, AudioChunk
from parola.live.alarms import Alarms
from parola.live.calibration import threshold_for
from parola.ports import AlarmKind

Samples = npt.NDArray[np.float64]

HOUR_S = 3600
STRONG = threshold_for("*").sure_strength


def watch(pcm: bytes, *, words: bool = True, cut_off_after_s: float | None = None) -> Counter[str]:
    """Return how often each alarm was raised: counted when it comes, not while it stays."""
    gate, alarms = Gate(SileroDetector()), Alarms("en-US", "bench")
    raised: Counter[str] = Counter()
    before: set[AlarmKind] = set()
    seconds = len(pcm) // (2 * RATE_HZ)
    for second in range(seconds):
        gone_s = max(second - cut_off_after_s, 0.0) if cut_off_after_s is not None else 0.0
        if not gone_s:
            chunk = AudioChunk(
                second * RATE_HZ, pcm[2 * second * RATE_HZ : 2 * (second + 1) * RATE_HZ]
            )
            alarms.hear(chunk)
            for decided in gate.add(chunk):
                alarms.voice(decided)
            speech = gate.speech.under((second - 2) * RATE_HZ, (second + 1) * RATE_HZ)
            if words and speech.best.strength >= STRONG:
                alarms.words()
        now = {alarm.kind for alarm in alarms.now(float(second), gone_s)}
        raised.update(now - before)
        before = now
    return raised


def ordinary(clips: Sequence[Clip], seed: int = 1) -> bytes:
    """Return an hour of talk, questions with pauses, applause and music, from the recordings."""
    chance = np.random.default_rng(seed)
    speech = [clip for clip in clips if clip.group == "speech"]
    breaks = [c for c in clips if c.group == "music" or "applause" in c.name or "cheer" in c.name]
    parts: list[bytes] = []
    length = 0
    while length < HOUR_S * RATE_HZ * 2:
        some = breaks if chance.random() < 0.06 else speech
        pause = chance.normal(0, 15, round(chance.uniform(0.3, 4) * RATE_HZ))
        parts += [some[int(chance.integers(len(some)))].pcm, pause.astype("<i2").tobytes()]
        length += len(parts[-1]) + len(parts[-2])
    return b"".join(parts)[: HOUR_S * RATE_HZ * 2]


def faults(talk: bytes) -> dict[str, tuple[str, Callable[[], Counter[str]]]]:
    """Return, by what is done to three minutes of talk, the alarm that has to come."""
    x = np.frombuffer(talk, "<i2").astype(np.float64)
    at = np.arange(len(x)) / RATE_HZ
    hum = np.sum([np.sin(2 * np.pi * 50 * n * at) / n for n in (1, 2, 3, 5)], axis=0)
    between = np.where(at % 60 < 30, x, 0)

    def pcm(samples: Samples) -> bytes:
        return bytes(np.clip(samples, -32768, 32767).astype("<i2").tobytes())

    return {
        "the engine says nothing": ("no words", lambda: watch(talk, words=False)),
        "a faint microphone, no words": ("no words", lambda: watch(pcm(x / 30), words=False)),
        "a muted microphone": ("silence", lambda: watch(bytes(len(talk)))),
        "nobody in the room": (
            "silence",
            lambda: watch(pcm(np.random.default_rng(1).normal(0, 30, len(x)))),
        ),
        "20 dB too loud": ("clipping", lambda: watch(pcm(x * 10))),
        "a ground loop in the pauses": ("hum", lambda: watch(pcm(between + 600 * hum))),
        "the source stops sending": ("source quiet", lambda: watch(talk, cut_off_after_s=60)),
    }


def main() -> None:
    """Measure and print both tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    default = Path(os.environ.get("PAROLA_TEST_AUDIO") or RECORDINGS)
    options.add_argument("--audio", type=Path, default=default, help="folder with a manifest.tsv")
    hour = ordinary(recordings(options.parse_args().audio))
    print("| fault, in three minutes of talk | alarm that has to come | came | others |")
    print("|---|---|---|---|")
    for name, (kind, run) in faults(hour[: 180 * RATE_HZ * 2]).items():
        found = run()
        others = ", ".join(sorted(set(found) - {kind})) or "–"
        print(f"| {name} | {kind} | {'yes' if found[kind] else 'no'} | {others} |")
    wrong = watch(hour)
    print("\n| alarm | raised in an hour of talk, questions, applause and music |")
    print("|---|---|")
    for kind in ("no words", "silence", "clipping", "hum", "source quiet"):
        print(f"| {kind} | {wrong[kind]} |")


if __name__ == "__main__":
    main()
