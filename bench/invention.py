"""How many words are written into audio without speech, and what the guard costs: one command.

    python -m bench.invention [--audio DIR] [--engines hostile pocketsphinx] [--write]

Words shown per minute and the share of clips with a word, by group of sounds: unguarded, behind
the gate alone, behind gate and evidence. Then the recall of the same guard on speech, of the first
word after a pause, and what the gate costs. `--write` puts the tables into
docs/reference/invention.md and the plot beside it.
"""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    closing,
    contextmanager,
    nullcontext,
)
from pathlib import Path

import jiwer
from matplotlib.figure import Figure
from whisper_normalizer.english import EnglishTextNormalizer

from bench.invention_audio import VOICES, Clip, generated, in_noise, mixed, recordings
from bench.invention_cost import engine_cost, gate_cost
from bench.invention_runs import Heard, hear_all
from bench.invention_words import first_words, is_kept, right_words, short_words
from parola.engines.amazon import AmazonEngine
from parola.engines.amazon_settings import AmazonSettings
from parola.engines.pocketsphinx import PocketSphinxEngine
from parola.ports import Engine
from parola.transcribe_api.door import Setup
from parola.transcribe_api.serving import open_transcribe_api
from parola.wire.sigv4 import Credentials
from tests.hostile_engine import HostileEngine

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT.parent / "shared" / "audio"
PAGE = ROOT / "docs" / "reference" / "invention.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def engine_named(name: str) -> AbstractContextManager[Engine]:
    """Return an engine, to be entered."""
    return closing_engine() if name == "pocketsphinx" else nullcontext(HostileEngine())


@contextmanager
def closing_engine() -> Iterator[Engine]:
    """Give the embedded engine, and end its processes."""
    with closing(PocketSphinxEngine()) as engine:
        yield engine


def rate(words: int, minutes: float) -> str:
    """Return words per minute; for none, the upper bound of a 95 % interval (3/T)."""
    return f"{words / minutes:.2f}" if words else f"0 (< {3 / minutes:.2f})"


def table(title: str, guarded: Sequence[Heard], unguarded: Sequence[Heard]) -> list[str]:
    """Return the lines of one engine's table over some clips."""
    lines = [
        f"### {title}",
        "",
        "| group | clips | minutes | unguarded: words/min, clips | gate | + evidence | clips |",
        "|---|---|---|---|---|---|---|",
    ]
    groups = sorted({one.clip.group for one in guarded}, key=lambda g: (g in VOICES, g))
    lines += [_row(g, [h for h in guarded if h.clip.group == g], unguarded) for g in groups]
    total = [h for h in guarded if h.clip.group not in VOICES]
    lines.append(_row("**all but voices**", total, unguarded))
    return [*lines, ""]


def _row(name: str, guarded: Sequence[Heard], unguarded: Sequence[Heard]) -> str:
    minutes = sum(one.clip.seconds for one in guarded) / 60
    clips = {one.clip.name for one in guarded}
    bare = [one for one in unguarded if one.clip.name in clips]
    open_rate = "–"
    if bare:
        bare_minutes = sum(one.clip.seconds for one in bare) / 60
        share = sum(one.shown > 0 for one in bare) / len(bare)
        open_rate = f"{rate(sum(one.shown for one in bare), bare_minutes)}, {share:.0%}"
    shown = sum(one.shown for one in guarded)
    gate = rate(shown + sum(one.kept_back for one in guarded), minutes)
    with_words = sum(one.shown > 0 or one.guesses > 0 for one in guarded)
    return (
        f"| {name} | {len(guarded)} | {minutes:.1f} | {open_rate} | {gate} "
        f"| {rate(shown, minutes)} | {with_words} of {len(guarded)} |"
    )


def hits(runs: Sequence[Heard], *, with_withheld: bool) -> int:
    """Return how many words are right, with or without those that were withheld."""
    normal = EnglishTextNormalizer()
    right = 0
    for run in runs:
        parts = [(final.first_frame, final.text) for final in run.finals]
        if with_withheld:
            parts += [(one.first_frame, one.text) for one in run.withheld]
        text = " ".join(text for _, text in sorted(parts))
        right += jiwer.process_words(normal(run.clip.reference), normal(text)).hits
    return right


async def recall(
    speech: list[Clip], noises: list[Clip], engine: Engine, every: int, at_once: int
) -> list[str]:
    """Return the tables of what the guard takes from real speech, as recorded and in noise."""
    noisy = [in_noise(clip, noises[n % len(noises)], 10) for n, clip in enumerate(speech)]
    lines = [
        f"### Recall, {engine.name}",
        "",
        "| speech | right, unguarded | of these let through | right behind the gate | shown |",
        "|---|---|---|---|---|",
    ]
    bare: list[Heard] = []
    for name, clips in (("as recorded", speech), ("10 dB above noise", noisy)):
        # Unguarded, noise takes this engine minutes: only the clean recordings are run so.
        some = clips[::every] if clips is speech else []
        own = await hear_all(some, engine, guarded=False, at_once=at_once)
        bare += own
        runs = await hear_all(clips, engine, guarded=True, at_once=at_once)
        whole, shown = hits(runs, with_withheld=True), hits(runs, with_withheld=False)
        lines.append(f"| {name} | {_through(own)} | {whole} | {_share(shown, whole)} |")
    return [*lines, "", *first_words(bare)]


def _through(runs: list[Heard]) -> str:
    """Return two cells: unguarded right words, and how many of them the guard would let through."""
    if not runs:
        return "– | –"
    right = [(run.clip, word) for run in runs for word in right_words(run)]
    kept = sum(is_kept(clip, word, 0.0) for clip, word in right)
    return f"{len(right)} | {_share(kept, len(right))}"


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / max(whole, 1):.2%})"


class Report(list[str]):
    """The lines so far; each part is printed as it comes: the whole takes half an hour."""

    def add(self, lines: Iterable[str]) -> None:
        """Add a part."""
        part = list(lines)
        print("\n".join(part), flush=True)
        self.extend(part)


async def run(options: argparse.Namespace, report: Report) -> dict[str, list[Heard]]:
    """Fill the report; return the runs by engine for the plot."""
    clips = recordings(options.audio)
    sounds = [clip for clip in clips if clip.group != "speech"]
    speech = [clip for clip in clips if clip.group == "speech" and clip.language == "en"]
    noises = [clip for clip in sounds if clip.group == "ambient"][:6] or sounds[:1]
    made = [clip for seed in range(1, options.seeds + 1) for clip in generated(seed)]
    every, jobs = options.unguarded_every, options.jobs
    heading = (
        f"{len(sounds)} recordings without speech, {len(speech)} of English speech. Unguarded, "
        f"PocketSphinx heard one in {every} of the former, one in {options.speech_every} of the "
        "latter."
    )
    report.add([heading, ""])
    plotted: dict[str, list[Heard]] = {}
    for name in options.engines:
        with engine_named(name) as engine:
            some = sounds if name == "hostile" else sounds[::every]
            bare = await hear_all(some, engine, guarded=False, at_once=jobs)
            plotted[name] = await hear_all(sounds, engine, guarded=True, at_once=jobs)
            report.add(table(f"{name}, real recordings", plotted[name], bare))
            heard = await hear_all(made, engine, guarded=True, at_once=jobs)
            report.add(table(f"{name}, generated sounds", heard, []))
            if name != "hostile":
                report.add(await recall(speech, noises, engine, options.speech_every, jobs))
    if "hostile" in options.engines:
        await more_hostile(sounds, jobs, report)
    report.add(short_words(speech, noises))
    report.add(gate_cost(sounds))
    report.add(await engine_cost(speech[::5]))
    return plotted


async def more_hostile(sounds: list[Clip], jobs: int, report: Report) -> None:
    """Add what else the hostile engine is tried on, and another one that says short words only."""
    heard = await hear_all(list(mixed(sounds)), HostileEngine(), guarded=True, at_once=jobs)
    report.add(table("hostile, recordings changed and mixed", heard, []))
    brief = HostileEngine(every_s=0.5, sentence="no")
    heard = await hear_all(sounds, brief, guarded=True, at_once=jobs)
    report.add(table("hostile, “no” twice a second, real recordings", heard, []))
    async with hostile_amazon() as engine:
        heard = await hear_all(sounds, engine, guarded=True, at_once=4)
    report.add(table("the Transcribe-compatible endpoint, hostile behind it", heard, []))


@asynccontextmanager
async def hostile_amazon() -> AsyncIterator[Engine]:
    """Give engine amazon against our own endpoint, behind which the hostile engine answers."""
    keys = Credentials("AKIDBENCH", "not a secret")
    setup = Setup([HostileEngine()], lambda: None, time.monotonic, keys={keys.access_key: keys})
    os.environ |= {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    async with open_transcribe_api(setup) as url:
        yield AmazonEngine(
            AmazonSettings(
                region="eu-central-1", endpoint_url=url, catch_up_speed=10_000, starts_per_s=10_000
            )
        )


def rates(heard: Sequence[Heard]) -> dict[str, tuple[float, float]]:
    """Return words a minute by group: behind the gate alone, behind gate and evidence."""
    found = {}
    for group in sorted({one.clip.group for one in heard}):
        own = [one for one in heard if one.clip.group == group]
        minutes = sum(one.clip.seconds for one in own) / 60
        shown = sum(one.shown for one in own)
        found[group] = (shown + sum(o.kept_back for o in own)) / minutes, shown / minutes
    return found


def plot(by_engine: dict[str, dict[str, tuple[float, float]]], file: Path) -> None:
    """Draw words per minute by group, with and without the evidence."""
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    axes = figure.subplots(1, len(by_engine), squeeze=False)[0]
    for axis, (name, found) in zip(axes, by_engine.items(), strict=True):
        for at, (offset, label) in enumerate(((0.2, "gate"), (-0.2, "gate + evidence"))):
            places = [n + offset for n in range(len(found))]
            axis.barh(places, [pair[at] for pair in found.values()], 0.4, label=label)
        axis.set_yticks(range(len(found)), list(found))
        axis.set_title(name)
        axis.set_xlabel("words a minute")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(file, dpi=110)


def write(measured: str, page: Path) -> None:
    """Put the measured part into the page."""
    text = page.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{measured}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> None:
    """Run, print, and write if told to."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    default = Path(os.environ.get("PAROLA_TEST_AUDIO") or RECORDINGS)
    options.add_argument("--audio", type=Path, default=default, help="folder with a manifest.tsv")
    options.add_argument("--engines", nargs="+", default=["hostile", "pocketsphinx"])
    options.add_argument("--seeds", type=int, default=3, help="generated sounds, so many times")
    options.add_argument(
        "--unguarded-every",
        type=int,
        default=6,
        help="run every n-th recording unguarded with PocketSphinx: in noise it is slow",
    )
    options.add_argument(
        "--speech-every", type=int, default=1, help="the same for the recordings of speech"
    )
    options.add_argument("--jobs", type=int, default=2, help="sounds heard at the same time")
    options.add_argument("--write", action="store_true", help="write the page and the plot")
    told = options.parse_args()
    report = Report()
    plotted = asyncio.run(run(told, report))
    measured = "\n".join(report).rstrip()
    if told.write:
        write(measured, PAGE)
        plot({name: rates(heard) for name, heard in plotted.items()}, PAGE.with_suffix(".png"))


if __name__ == "__main__":
    main()
