"""Shows text as it comes: finals as lines that stay, the newest guess in grey below them."""

import sys
from types import TracebackType
from typing import Self

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress import Progress
from rich.text import Text


class Screen:
    """The terminal, or plain lines on stdout where there is none.

    On a terminal the newest guess and the progress stay at the bottom. On a pipe only finals are
    written, one a line, as soon as they come.
    """

    def __init__(self, progress: Progress | None = None, *, plain_finals: bool = True) -> None:
        """Show `progress` too; without `plain_finals` a pipe gets nothing."""
        self._plain_finals = plain_finals
        self._on_terminal = sys.stdout.isatty()
        self._progress = progress
        console = Console(stderr=not self._on_terminal, highlight=False)
        shown = self._on_terminal or (progress is not None and console.is_terminal)
        self._live = Live(console=console, transient=True, auto_refresh=True) if shown else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        self.guess("")
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def final(self, text: str) -> None:
        """Add a line that stays, in the place of the newest guess."""
        self.guess("")
        if self._live and self._on_terminal:
            self._live.console.print(Text(text))
        elif self._plain_finals:
            typer.echo(text)

    def guess(self, text: str) -> None:
        """Replace the newest guess; an empty one takes it away."""
        if self._live:
            guess = Text(text if self._on_terminal else "", style="bright_black")
            parts = [guess, self._progress] if self._progress else [guess]
            self._live.update(Group(*parts))
