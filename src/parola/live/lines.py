"""Lays painted words into lines that roll up: a line that has words only ever gets more of them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from parola.live.painter import Item

BIG_SCREEN_LINES = 4
"""Source: CNCF Deaf and Hard of Hearing group, more than two in halls."""

OVERLAY_LINES = 2
"""Source: BBC Subtitle Guidelines."""

COLUMNS = 37
"""Letters a line. Source: BBC Subtitle Guidelines."""


@dataclass(slots=True)
class Line:
    """Words side by side."""

    number: int
    """Counts all lines ever begun, from 1."""

    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the words as they are read."""
        return " ".join(self.parts)


class Lines:
    """The last few lines of what was painted.

    Args:
        most: how many lines are kept; the oldest leave at the top.
        fits: whether a text is short enough for a line; by default it has at most 37 letters.
    """

    def __init__(
        self,
        most: int = BIG_SCREEN_LINES,
        fits: Callable[[str], bool] = lambda text: len(text) <= COLUMNS,
    ) -> None:
        self._fits = fits
        self._lines: deque[Line] = deque(maxlen=most)
        self._count = 0

    def put(self, item: Item) -> None:
        """Put a word after the others; a segment's end changes nothing."""
        if item.kind == "end":
            return
        text = f"{item.speaker}: {item.text}" if item.speaker else item.text
        fresh = not self._lines or item.opens in {"speaker", "talk"}
        if not fresh and self._fits(f"{self._lines[-1].text} {text}"):
            self._lines[-1].parts.append(text)
            return
        # A word wider than a line is cut where the line ends, wherever that is.
        while text:
            size = len(text)
            while size > 1 and not self._fits(text[:size]):
                size -= 1
            self._count += 1
            self._lines.append(Line(self._count, [text[:size]]))
            text = text[size:]

    @property
    def texts(self) -> list[str]:
        """The lines from top to bottom."""
        return [line.text for line in self._lines]
