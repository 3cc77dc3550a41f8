"""Draws where a server's time goes: a flame graph of a py-spy profile, as one SVG without scripts.

    py-spy record --native --format raw --output profile.raw --pid PID
    python -m bench.flame profile.raw "10 rooms × 50 viewers" docs/images/fanout-profile.svg

Of native frames only `write(2)` is kept; threads that wait, and waiting itself, are left out.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

WIDTH, ROW, HEAD = 1200, 17, 40
"""Pixels."""

LETTER = 6.2
"""How wide a letter is, about."""

THINNEST = 0.6
"""Narrower bars are not drawn."""

PYTHON_FRAME = re.compile(r"(?P<name>.+) \((?P<file>.+\.py)(:\d+)?\)")
STARTING = ("<frozen runpy>", "asyncio/runners.py")
WAITING = ("Thread._bootstrap", "thread_run", "epoll")


@dataclass(slots=True)
class Bar:
    """A frame, with all that it called."""

    samples: int = 0
    calls: dict[str, "Bar"] = field(default_factory=dict)


def frames(stack: str) -> Iterator[str]:
    """Yield a stack's frames that are drawn, the outermost first."""
    last = ""
    for frame in stack.split(";"):
        found = PYTHON_FRAME.fullmatch(frame)
        if frame.startswith("write (libc"):
            yield "write(2)"
        elif found and found["file"] not in STARTING:
            name = f"{found['name']} ({found['file']})"
            if name != last:
                yield name
            last = name


def read(raw: str) -> Bar:
    """Return the profile as a tree."""
    root = Bar()
    for line in raw.splitlines():
        stack, _, samples = line.rpartition(" ")
        if any(word in stack for word in WAITING):
            continue
        bar = root
        bar.samples += int(samples)
        for name in frames(stack):
            bar = bar.calls.setdefault(name, Bar())
            bar.samples += int(samples)
    return root


def colour(name: str) -> str:
    """Return red for the system call, yellow for our own code, grey for what we use."""
    shade = sum(map(ord, name)) % 30
    if name == "write(2)":
        return "#d9603b"
    return f"hsl({30 + shade},85%,63%)" if "parola/" in name else f"hsl(150,8%,{80 + shade // 4}%)"


def drawn(bar: Bar, total: int, left: float, level: int) -> Iterator[tuple[int, str]]:
    """Yield what a bar has called, as levels and SVG."""
    for name, called in sorted(bar.calls.items()):
        width = called.samples / total * WIDTH
        if width >= THINNEST:
            room = int(width / LETTER)
            label = name if len(name) < room else f"{name[: room - 1]}…" if room > 4 else ""
            title = f"{name}: {100 * called.samples / total:.1f} %"
            drawing = (
                f'<g transform="translate({left:.1f} {{y}})"><title>{escape(title)}</title>'
                f'<rect width="{max(width - 0.4, 0.3):.1f}" height="{ROW - 1}"'
                f' fill="{colour(name)}"/><text x="3" y="12">{escape(label)}</text></g>'
            )
            yield level, drawing
            yield from drawn(called, total, left, level + 1)
        left += width


def svg(root: Bar, what: str) -> str:
    """Return the picture."""
    bars = list(drawn(root, root.samples, 0.0, 0))
    height = HEAD + ROW * (1 + max(level for level, _ in bars))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="6" y="16" font-size="13">'
        f"{escape(what)}: share of the time at work, callers below</text>"
    )
    rows = [bar.replace("{y}", str(height - 10 - (level + 1) * ROW)) for level, bar in bars]
    return "\n".join([head, *rows, "</svg>\n"])


def main() -> None:
    """Read a profile, write a picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", type=Path)
    parser.add_argument("what")
    parser.add_argument("picture", type=Path)
    asked = parser.parse_args()
    asked.picture.write_text(svg(read(asked.profile.read_text()), asked.what))


if __name__ == "__main__":
    main()
