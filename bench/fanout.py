"""What a delivery to a viewer costs, and what slow viewers and a returning hall do to the others.

Our server on both paths, and nginx with nchan (Debian's nginx and libnginx-mod-nchan), interleaved
in one run over loopback, one after the other so that they share nothing but the machine. CPU
seconds are the server process's, from /proc, per million deliveries; delays are from a caption's
making to the viewer's read; figures are min / median / max of the repeats. It ends with 1 when a
caption was lost or came twice. With --tls all systems speak TLS themselves, the same version and
cipher; captions are handed to nchan without it.

    python -m bench.fanout [--events] [--tls] [--repeats 3] [--seconds 6]
        [--shapes 1x1000,1x5000,10x50,10x500] [--systems "nchan,shared bytes,a task a viewer"]
    python -m bench.fanout --faults [--events] [--tls] [--viewers 1000] [--seconds 20]
    python -m bench.fanout --storm [--events] [--tls] [--viewers 5000]
"""

import argparse
import statistics
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import psutil

from bench.load.crowd import cores, raise_file_limit
from bench.load.measure import Run, Serve, measure, spread, verdict
from bench.load.nchan import MODULE, nchan
from bench.load.systems import Setting, certified, ours
from bench.load.trouble import faults, storm
from parola.live.feed import RETURNS_PER_S

SYSTEMS: Mapping[str, Serve] = {
    "nchan": nchan,
    "shared bytes": partial(ours, path="direct"),
    "a task a viewer": partial(ours, path="plain"),
}

OURS = "shared bytes"

CPU_GOAL = 0.90
"""Times nchan's."""

KB_GOAL = 40.0
"""A viewer, without TLS."""

P95_GOALS_MS = {(10, 50): 2.0}
P99_GOALS_MS = {(1, 100): 1.0, (1, 1000): 12.0, (1, 10_000): 110.0}
"""On a quiet machine, by rooms and viewers a room."""

Shape = tuple[int, int]
"""Rooms, and viewers in each."""


def compare(
    systems: list[str], base: Setting, shapes: list[Shape], seconds: float, repeats: int
) -> bool:
    """Print a table of the systems at each shape; return whether nobody lost anything."""
    print(
        "| Rooms × viewers | System | CPU s per million | × nchan | p50 ms | p95 ms | p99 ms "
        "| KB a viewer | viewers' own core | viewers' CPU s per million |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    is_whole, words = True, list[str]()
    for rooms, viewers in shapes:
        runs: dict[str, list[Run]] = {name: [] for name in systems}
        for turn in range(repeats):
            for name in systems[turn % len(systems) :] + systems[: turn % len(systems)]:
                setting = replace(base, rooms=rooms)
                runs[name].append(measure(name, SYSTEMS[name], setting, viewers, seconds))
        for name in systems:
            print(_row((rooms, viewers), runs[name], _ratios(runs, name)), flush=True)
        is_whole = is_whole and all(run.is_whole for done in runs.values() for run in done)
        words += _verdicts((rooms, viewers), runs, tls=base.certificate is not None)
    print("\n".join(words))
    print(f"everybody had every caption once: {'yes' if is_whole else 'NO'}")
    return is_whole


def _ratios(runs: Mapping[str, list[Run]], name: str) -> list[float]:
    return [
        run.cpu_s_per_million / base.cpu_s_per_million
        for run, base in zip(runs[name], runs.get("nchan", []), strict=False)
    ]


def _row(shape: Shape, done: list[Run], ratios: list[float]) -> str:
    return (
        f"| {shape[0]} × {shape[1]:,} | {done[0].name} "
        f"| {spread([run.cpu_s_per_million for run in done], '.1f')} "
        f"| {spread(ratios) if ratios else ''} "
        f"| {spread([run.heard.p50_ms for run in done])} "
        f"| {spread([run.heard.p95_ms for run in done])} "
        f"| {spread([run.heard.p99_ms for run in done])} "
        f"| {statistics.median(run.kb_per_viewer for run in done):.0f} "
        f"| {max(run.crowd_share for run in done):.2f} "
        f"| {spread([run.crowd_s_per_million for run in done], '.1f')} |"
    )


def _verdicts(shape: Shape, runs: Mapping[str, list[Run]], *, tls: bool) -> list[str]:
    """Return how our medians stand to the goals."""
    if not (done := runs.get(OURS)):
        return []
    at = f"{shape[0]} × {shape[1]:,}"
    words = []
    # What a process needs anyway is shared by a thousand.
    if shape[0] * shape[1] >= 1000 and not tls:
        kb = statistics.median(r.kb_per_viewer for r in done)
        words.append(verdict(f"{at}: KB a viewer", kb, KB_GOAL))
    if ratios := _ratios(runs, OURS):
        words.append(verdict(f"{at}: CPU × nchan", statistics.median(ratios), CPU_GOAL))
    if goal := P95_GOALS_MS.get(shape):
        words.append(
            verdict(f"{at}: p95 ms", statistics.median(r.heard.p95_ms for r in done), goal)
        )
    if goal := P99_GOALS_MS.get(shape):
        words.append(
            verdict(f"{at}: p99 ms", statistics.median(r.heard.p99_ms for r in done), goal)
        )
    return words


def _shapes(text: str) -> list[Shape]:
    shapes = [tuple(map(int, shape.split("x"))) for shape in text.split(",")]
    return [(rooms, viewers) for rooms, viewers in shapes]


def _systems(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := set(names) - set(SYSTEMS):
        raise ValueError(f"unknown: {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    return [name for name in names if name != "nchan" or MODULE.exists()]


def main() -> int:
    """Run what was asked for; return 1 when somebody lost something."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--shapes", type=_shapes, default="1x1000,1x5000,10x50,10x500")
    parser.add_argument("--systems", type=_systems, default=",".join(SYSTEMS))
    parser.add_argument("--events", action="store_true", help="server-sent events")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--storm", action="store_true")
    parser.add_argument("--viewers", type=int, help="of --faults and --storm")
    asked = parser.parse_args()
    raise_file_limit()
    print(f"{cores()} cores, Python {sys.version.split()[0]}, load {psutil.getloadavg()[0]:.1f}")
    with certified(tls=asked.tls) as certificate:
        setting = Setting(1, "events" if asked.events else "socket", certificate=certificate)
        over = "server-sent events" if asked.events else "WebSockets"
        print(over + (", TLS 1.3 with AES-128-GCM" if asked.tls else ""))
        return 0 if _run(asked, setting) else 1


def _run(asked: argparse.Namespace, setting: Setting) -> bool:
    repeats: int = asked.repeats
    if asked.faults:
        return faults(setting, asked.viewers or 1000, asked.seconds or 20.0, repeats)
    if asked.storm:
        viewers: int = asked.viewers or 5000
        return storm(setting, viewers, repeats, viewers / RETURNS_PER_S)
    return compare(asked.systems, setting, asked.shapes, asked.seconds or 6.0, repeats)


if __name__ == "__main__":
    sys.exit(main())
