"""What a room makes of an engine's words: first what may not be shown, then what is put right."""

from collections.abc import Sequence
from dataclasses import replace

from parola.domain.replacements import Replacer
from parola.domain.room_settings import Replacement
from parola.domain.transcript import Segment

MASK = "•••"
"""What is shown in a blocked word's place."""


class Wording:
    """Applies a room's blocklist and its replacements to segments, guesses too."""

    def __init__(self, replacements: Sequence[Replacement], blocked: Sequence[str] = ()) -> None:
        self._mask = Replacer([Replacement(word, MASK) for word in blocked])
        self._replacer = Replacer(replacements)

    def correct(self, segment: Segment) -> Segment:
        """Return the segment as people may read it; `heard` never holds a blocked word."""
        masked = replace(self._mask.correct(segment), heard=segment.heard)
        return self._replacer.correct(masked)
