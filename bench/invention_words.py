"""Whether real words get through the guard: first ones after a pause, single short ones."""

import re
from collections.abc import Sequence
from functools import lru_cache

import jiwer
import numpy as np

from bench.invention_audio import Clip, in_noise, softer
from bench.invention_runs import Heard
from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk, to_frames
from parola.domain.transcript import Hypothesis, Word
from parola.live.calibration import ANY_ENGINE, threshold_for
from parola.live.evidence import MARGIN, Evidence

PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 20.0, 60.0)

SHORT_S = 1.2
"""Longest recording that counts as a single word or a short command."""


def right_words(run: Heard) -> list[Word]:
    """Return the words of a run that stand in the reference, in its order, with their spans."""
    said = _spelt(run.clip.reference)
    heard = [(spelt, word) for word in run.words for spelt in _spelt(word.text)]
    if not said or not heard:
        return []
    aligned = jiwer.process_words(" ".join(said), " ".join(spelt for spelt, _ in heard))
    return [
        heard[at][1]
        for chunk in aligned.alignments[0]
        if chunk.type == "equal"
        for at in range(chunk.hyp_start_idx, chunk.hyp_end_idx)
    ]


def _spelt(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def first_words(bare: Sequence[Heard]) -> list[str]:
    """Return whether the first words that an unguarded engine finds reach it after any pause.

    The engine heard each recording alone and unguarded; its first right word has a span. Then the
    gate hears the end of that recording, a pause with a faint room in it, and the recording: it
    must let the whole span through, and the record must hold speech under it.
    """
    firsts = [
        (run.clip, run.words[0])
        for run in bare
        if run.words and _spelt(run.words[0].text) == _spelt(run.clip.reference)[:1]
    ]
    lines = [
        "### The first word after a pause",
        "",
        "| pause | first words found unguarded | let through whole, with speech under them |",
        "|---|---|---|",
    ]
    for pause_s in PAUSES_S:
        kept = sum(is_kept(*first, pause_s) for first in firsts)
        lines.append(f"| {pause_s:g} s | {len(firsts)} | {kept} |")
    return [*lines, ""]


def is_kept(clip: Clip, word: Word, pause_s: float) -> bool:
    """Return whether a word is let through whole and has evidence, with a pause before the clip."""
    out, gate = _gated(clip, pause_s)
    offset = out[-1].end_frame - len(clip.pcm) // FRAME_BYTES
    start, end = word.start_frame + offset, word.end_frame + offset
    silenced = any(not c.voiced and c.first_frame < end and start < c.end_frame for c in out)
    return not silenced and gate.speech.has_speech(start - MARGIN, end + MARGIN)


@lru_cache(maxsize=8)
def _gated(clip: Clip, pause_s: float) -> tuple[list[AudioChunk], Gate]:
    """Return what a gate makes of a clip, after its own end and a pause (none at all at 0)."""
    chance = np.random.default_rng(1)
    pause = np.rint(chance.normal(0, 20, to_frames(pause_s))).astype("<i2").tobytes()
    before = clip.pcm[-4 * RATE_HZ * FRAME_BYTES :] if pause_s else b""
    gate = Gate(SileroDetector())
    return [*gate.add(AudioChunk(0, before + pause + clip.pcm)), *gate.flush()], gate


def short_words(speech: Sequence[Clip], noises: Sequence[Clip]) -> list[str]:
    """Return whether what is said in the shortest recordings is shown of a final that says it.

    By the row for engines whose confidence says nothing, the strictest there is.
    """
    lines = [
        f"### Single words and short commands, of {SHORT_S:g} s at most",
        "",
        "| said | as recorded | 20 dB softer | 10 dB above noise |",
        "|---|---|---|---|",
    ]
    for number, clip in enumerate(one for one in speech if one.seconds <= SHORT_S):
        noisy = in_noise(clip, noises[number % len(noises)], 10.0)
        cells = [_survives(one) for one in (clip, softer(clip, 20.0), noisy)]
        lines.append(f"| {clip.reference} | {' | '.join(cells)} |")
    return [*lines, ""]


def _survives(clip: Clip) -> str:
    """Return whether the clip's words are shown, and the nats under them."""
    chunks, gate = _gated(clip, 0.0)
    voiced = [chunk for chunk in chunks if chunk.voiced]
    if not voiced:
        return "no (0)"
    said = Hypothesis(clip.reference, voiced[0].first_frame, voiced[-1].end_frame, is_final=True)
    weighed = Evidence(gate.speech, threshold_for(ANY_ENGINE)).weigh(said)
    return f"{'yes' if weighed.shown.text else 'no'} ({weighed.strength:.0f})"
