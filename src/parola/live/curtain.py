"""Says what of a room's words is shown, by the operator's word; what is kept: docs/why/012."""

from parola.domain.transcript import Segment
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
    """A room's mode, and the one before it: a final comes seconds after its sound."""

    def __init__(self) -> None:
        self.mode: RoomMode = "live"
        self._before: RoomMode = "live"

    def turn(self, mode: RoomMode) -> None:
        """Change the mode."""
        if self.mode in UNKEPT:
            self._before = self.mode
        self.mode = mode

    def shows(self, segment: Segment) -> bool:
        """Return whether it may be sent to viewers; what is on the record always may."""
        was = self.mode if self.mode in UNKEPT else self._before
        return not segment.off_record or was != "paused"
