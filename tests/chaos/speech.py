"""The embedded engine on real speech, while it, the client, the network and the server die."""

import random
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import httpx

from parola.audio.decode import decode
from tests.audio_files import wav
from tests.chaos.disk import LimitedDisk
from tests.chaos.faults import Fault
from tests.chaos.parts import Parts
from tests.chaos.readers import Reader
from tests.chaos.storm import Storm, until

SPEECH = (
    "vctk-p287-005.wav",
    "librivox-0890.wav",
    "cv-platforms.wav",
    "harvard-spk1_snt5.wav",
    "librivox-0930.wav",
)
SHORT = SPEECH[-3:]
PAUSE_S = 1

KINDS = ("server killed", "client killed", "recogniser killed", "late")
TALK_S = 6.0
"""About how long the talk takes as fast as the server takes it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One segment of the transcript."""

    text: str
    start_s: float
    end_s: float


def schedule(seed: int) -> list[Fault]:
    """Return the faults of a seed, in order: one to three."""
    draw = random.Random(seed)  # noqa: S311 - to be drawn again
    faults = [
        Fault(draw.uniform(0, TALK_S), draw.choice(KINDS), draw.choice([0.05, 0.5, 1.0]))
        for _ in range(draw.randint(1, 3))
    ]
    return sorted(faults, key=lambda fault: fault.at_s)


def verdicts(
    recordings: Path, seeds: Sequence[int], names: Sequence[str] = SPEECH
) -> dict[int, str]:
    """Return what is wrong after the schedules of which seeds, two at a time.

    Raises:
        AssertionError: most of what is said does not come home even without a fault, so that
            nothing could be missed.
    """
    plans = [[], *map(schedule, seeds)]
    with ThreadPoolExecutor(2) as pool:
        whole, *found = pool.map(lambda faults: _lived(recordings, names, faults), plans)
    assert not isinstance(whole, str), whole
    assert len(whole) >= len(names), whole
    judged = zip(seeds, plans[1:], found, strict=True)
    wrongs = {
        seed: was if isinstance(was, str) else wrong(whole, was, len(faults))
        for seed, faults, was in judged
    }
    return {seed: reason for seed, reason in wrongs.items() if reason}


def _lived(
    recordings: Path, names: Sequence[str], faults: list[Fault]
) -> tuple[Sentence, ...] | str:
    try:
        return live_through(recordings, names, faults)
    except (AssertionError, OSError) as error:
        return repr(error)


def wrong(whole: tuple[Sentence, ...], found: tuple[Sentence, ...], most_cut: int) -> str | None:
    """Return what is missing or twice, or None.

    A fault may cut one sentence, which may read differently; but what stands in its place has
    to lie between its neighbours, so that it cannot be a sentence said before.
    """
    texts = [sentence.text for sentence in whole], [sentence.text for sentence in found]
    cut = 0
    for kind, i, j, k, m in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        before_s = whole[i - 1].end_s if i else 0.0
        after_s = whole[j].start_s if j < len(whole) else whole[-1].end_s + PAUSE_S
        for sentence in found[k:m]:
            if sentence.start_s < before_s or sentence.end_s > after_s:
                return f"{sentence} is not between {before_s} and {after_s} s"
        cut += 0 if kind == "equal" else j - i
        if kind != "equal" and (j == i or m == k):
            return f"missing: {whole[i:j]}, too many: {found[k:m]}"
    return None if cut <= most_cut else f"{cut} sentences differ after {most_cut} faults: {found}"


def live_through(
    recordings: Path, names: Sequence[str], faults: list[Fault]
) -> tuple[Sentence, ...]:
    """Play the recordings under these faults, and bring everything home."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "talk.wav").write_bytes(wav(_talk(recordings, names)))
        (folder / "disk").mkdir()
        source = ["--fast", "--room", "main", "--file", str(folder / "talk.wav")]
        parts = Parts(stack, folder, LimitedDisk(folder / "disk"), source, "pocketsphinx")
        viewer = stack.enter_context(Reader(parts.url))
        Storm(parts).live_through(faults)
        assert parts.server
        found = _sentences(f"{parts.server.url}/api/rooms/main/transcript.json")
        texts = [sentence.text for sentence in found]
        until(lambda: len(viewer.seen) >= len(texts), "the viewer waits")
        assert viewer.texts == texts, f"the viewer saw {viewer.texts}"
        return found


def _talk(recordings: Path, names: Sequence[str]) -> bytes:
    pause = bytes(PAUSE_S * 32_000)
    spoken = [
        b"".join(chunk.pcm for chunk in decode(recordings / "speech" / name)) for name in names
    ]
    return pause + b"".join(pcm + pause for pcm in spoken)


def _sentences(url: str) -> tuple[Sentence, ...]:
    talks = httpx.get(url).json()["sessions"]
    return tuple(
        Sentence(segment["text"], segment["start_s"], segment["end_s"])
        for talk in talks
        for segment in talk["segments"]
    )
