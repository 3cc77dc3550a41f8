"""The line of a terminal on which a source can be watched: level, clipping, what is saved."""

import sys
import time
from collections.abc import Callable
from typing import Self

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from parola.client.uplink import Sent
from parola.domain.audio import to_seconds

PAINT_EVERY_S = 0.2
"""How often the line is painted."""

CLIPPING_SHOWN_S = 2.0
"""How long a clipping stays on the line: it lasts a few milliseconds."""


class Meter:
    """One line at the bottom of a terminal, sentences above it; on a pipe sentences only."""

    def __init__(
        self, length_s: float | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = Console(stderr=True, highlight=False)
        on_terminal = sys.stderr.isatty()
        self._live = Live(console=self._console, transient=True) if on_terminal else None
        self._of = f" of {_clock(length_s)}" if length_s else ""
        self._monotonic = monotonic
        self._painted_at = float("-inf")
        self._clipped_at = float("-inf")

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, sentence: str) -> None:
        """Write a sentence that stays."""
        if self._live:
            self._live.console.print(Text(sentence))
        else:
            typer.echo(sentence, err=True)

    def show(self, sent: Sent) -> None:
        """Paint how far it is."""
        now = self._monotonic()
        if sent.is_clipping:
            self._clipped_at = now
        if self._live is None or now - self._painted_at < PAINT_EVERY_S:
            return
        self._painted_at = now
        self._live.update(self._line(sent, clipping=now - self._clipped_at < CLIPPING_SHOWN_S))

    def _line(self, sent: Sent, *, clipping: bool) -> Text:
        line = Text(f"{_clock(to_seconds(sent.end_frame))}{self._of}  {bar(sent.level_dbfs)}")
        if clipping:
            line.append("  TOO LOUD, turn it down", style="bold red")
        saved = f"saved to {_clock(to_seconds(sent.safe_frame))}"
        line.append(f"  {saved if sent.is_connected else 'not connected, ' + saved}")
        return line


def bar(level_dbfs: float) -> str:
    """Return a bar of 12 signs from -60 to 0 dBFS, and the number."""
    filled = round(min(max(level_dbfs + 60, 0), 60) / 5)
    number = f"{level_dbfs:4.0f} dBFS" if level_dbfs > float("-inf") else "  silence"
    return f"{'█' * filled}{'·' * (12 - filled)} {number}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
