"""Decides whether a session's broken engine stream gets a successor, and when.

The budget hangs on the connection, never on text: a quiet room must not die of its quiet. It is
full again as soon as a stream has settled any audio, which an engine that hears does with silence
too. The pauses hang on how long streams live: a service that lets everybody in and throws
everybody out again is not hammered, however often its streams settle something.
"""

from parola.domain.audio import RATE_HZ

WAITS_S = (0.0, 0.5, 1.0, 2.0, 4.0)
"""The pauses before new streams in a row; the last one goes on."""

FIRST_TRIES = len(WAITS_S)
"""New streams in a row while none has ever opened: told as a failure within eight seconds."""

PATIENT_TRIES = 30
"""The same once one has opened: for two minutes, as long as the backlog holds the audio."""

HEALTHY_FRAMES = 10 * RATE_HZ
"""A stream that took so much audio lived long enough for the next pause to be the first again."""


class Retries:
    """One session's budget; no clock, no waiting."""

    def __init__(self) -> None:
        self._tries = 0
        self._pauses = 0
        self._limit = FIRST_TRIES

    def opened(self) -> None:
        """Note that the engine can be had: from now on patience is long."""
        self._limit = PATIENT_TRIES

    def ended(self, taken_frames: int, settled_frames: int) -> None:
        """Note what a stream that has broken off had taken, and had settled of it."""
        if settled_frames > 0:
            self._tries = 0
            if taken_frames >= HEALTHY_FRAMES:
                self._pauses = 0

    def next_wait_s(self) -> float | None:
        """Return how long to wait before the next stream; None when there should be none."""
        if self._tries >= self._limit:
            return None
        wait_s = WAITS_S[min(self._pauses, len(WAITS_S) - 1)]
        self._tries += 1
        self._pauses += 1
        return wait_s
