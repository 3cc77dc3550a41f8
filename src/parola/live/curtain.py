"""Says what of a room's words is shown and what is kept, by the operator's word."""

from collections.abc import Mapping
from dataclasses import replace

from parola.domain.transcript import Segment, Word
from parola.domain.vocabulary import RoomMode
from parola.ports import RoomState

STATES: dict[RoomMode, RoomState] = {
    "paused": RoomState("paused", "The operator has paused the captions."),
    "off_record": RoomState("off_record", "What is said now is shown and not written down."),
    "hidden": RoomState("hidden", "The operator has switched the screens off."),
}
"""What viewers are told in each mode but "live"."""

UNKEPT: frozenset[RoomMode] = frozenset({"paused", "off_record"})
"""The modes in which nothing is written anywhere."""


class Curtain:
    """A room's mode, and which sound was heard while nothing was to be kept.

    A final comes seconds after its sound. One with any sound from before the room came back on the
    record is treated as that time was: nothing that was said off the record is kept.
    """

    def __init__(self) -> None:
        self.mode: RoomMode = "live"
        self._before: RoomMode = "live"
        self._until: dict[str, int] = {}

    def turn(self, mode: RoomMode, fed: Mapping[str, int]) -> None:
        """Change the mode; `fed` says how far each session's sound has come, in frames."""
        if self.mode in UNKEPT:
            self._before, self._until = self.mode, dict(fed)
        self.mode = mode

    def keeps(self, segment: Segment) -> bool:
        """Return whether it may be written down."""
        return self.mode not in UNKEPT and not self._is_from_before(segment)

    def shows(self, segment: Segment) -> bool:
        """Return whether it may be sent to viewers."""
        was = self._before if self._is_from_before(segment) else self.mode
        return "paused" not in {was, self.mode}

    def _is_from_before(self, segment: Segment) -> bool:
        return segment.first_frame < self._until.get(segment.session, 0)


def unwritten(segment: Segment) -> Segment:
    """Return a final as a guess whose words are all certain: it is painted, and has no number.

    Without a number no log, no outbox and no file can hold it.
    """
    words = segment.words or tuple(
        Word(text, segment.first_frame, segment.end_frame) for text in segment.text.split()
    )
    certain = tuple(replace(word, stable=True) for word in words)
    return replace(segment, is_final=False, words=certain)
