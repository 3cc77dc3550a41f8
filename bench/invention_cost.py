"""What the guard costs, next to the engine behind it."""

import os
import time
from collections.abc import Sequence
from contextlib import closing

from bench.invention_audio import Clip
from bench.invention_runs import hear_all
from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.domain.audio import RATE_HZ, AudioChunk
from parola.engines.pocketsphinx import PocketSphinxEngine


def gate_cost(clips: Sequence[Clip]) -> list[str]:
    """Return what the gate costs, in CPU seconds per hour of audio."""
    begun, seconds = time.process_time(), 0.0
    for clip in clips[:40]:
        gate = Gate(SileroDetector())
        for at in range(0, len(clip.pcm), 3200):
            gate.add(AudioChunk(at // 2, clip.pcm[at : at + 3200]))
        seconds += clip.seconds
    cost = (time.process_time() - begun) / seconds * 3600
    return [f"The gate takes {cost:.1f} CPU seconds for an hour of audio, of any kind."]


async def engine_cost(speech: Sequence[Clip]) -> list[str]:
    """Return what PocketSphinx costs behind the gate, in CPU seconds per hour of speech."""
    before, silence = _children_cpu_s(), Clip("silence", "silence", bytes(2 * RATE_HZ))
    with closing(PocketSphinxEngine()) as engine:
        await hear_all([silence], engine, guarded=True)
    loading = _children_cpu_s() - before
    with closing(PocketSphinxEngine()) as engine:
        await hear_all(list(speech), engine, guarded=True, at_once=1)
    cost = _children_cpu_s() - before - 2 * loading
    hours = sum(clip.seconds for clip in speech) / 3600
    return [f"PocketSphinx, behind it, takes {cost / hours:.0f} for an hour of English speech.", ""]


def _children_cpu_s() -> float:
    """Return the CPU seconds of all processes that were started here and have ended."""
    used = os.times()
    return used.children_user + used.children_system
