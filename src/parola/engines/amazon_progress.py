"""What of a stream's audio the service is done with, and whether it still listens; no I/O.

The service says nothing about silence, so being done has to be inferred. Audio may be forgotten
when all of this holds:

- it was sent `settle_s` before the last sign of life: an answer would have come by then;
- it is not part of an utterance that has no final yet;
- it does not belong to much speech that no result has reached.

The last two could hold for ever when the service lost track. Then the stream is *stuck*, and its
owner opens another from where the forgetting stopped, or, when that one is stuck too, believes
that there are no words.
"""

from collections import deque

from parola.domain.audio import RATE_HZ
from parola.domain.transcript import Hypothesis

MUCH_VOICE_FRAMES = 2 * RATE_HZ
"""So much voice without a result is suspicious; less is a cough."""

_MARK_S = 0.25
"""How finely sending is remembered."""


class Progress:
    """One stream's account of audio sent and answers heard.

    Frames are the session's; times are seconds on any clock that does not go back.
    """

    def __init__(self, first_frame: int, settle_s: float, patience_s: float, now: float) -> None:
        self._settle_s = settle_s
        self._patience_s = patience_s
        self._sent = self._settled = self._ripe = first_frame
        self._covered = first_frame
        self._marks: deque[tuple[float, int]] = deque()
        self._voiced: deque[tuple[float, int, int]] = deque()
        """Voice that no result has reached: when it was sent, its first frame, its end."""
        self._open: dict[tuple[str, str], int] = {}
        """Utterances without a final, by channel and id: their first frames."""
        self._alive_at = self._sent_at = self._open_news_at = now

    @property
    def sent_frame(self) -> int:
        """The first frame that was not sent yet."""
        return self._sent

    @property
    def is_open(self) -> bool:
        """Whether an utterance has no final yet."""
        return bool(self._open)

    @property
    def open_utterances(self) -> int:
        """How many have begun and not ended."""
        return len(self._open)

    @property
    def owes(self) -> bool:
        """Whether an answer about speech has to come."""
        return self.is_open or self._unanswered_frames() >= MUCH_VOICE_FRAMES

    @property
    def doubtful_frame(self) -> int:
        """Where the speech begins that has no answer; the frame after all that was sent if none."""
        starts = [*self._open.values(), *(first for _, first, _ in self._voiced)]
        return min(starts, default=self._sent)

    def sent(self, end_frame: int, now: float, *, voiced: bool) -> None:
        """Note that the audio up to a frame was sent."""
        if not self._marks or now - self._marks[-1][0] >= _MARK_S:
            self._marks.append((now, self._sent))
        if voiced and end_frame > self._covered:
            self._voiced.append((now, max(self._sent, self._covered), end_frame))
        self._sent, self._sent_at = end_frame, now

    def alive(self, at: float) -> None:
        """Note a sign of life: whatever the service said before that time has arrived."""
        self._alive_at = max(self._alive_at, at)

    def heard(self, utterance: str, guess: Hypothesis, now: float, channel: str = "") -> None:
        """Note a result; the service answers in the order of each channel's audio."""
        key = channel, utterance
        self._covered = max(self._covered, guess.end_frame)
        while self._voiced and self._voiced[0][2] <= self._covered:
            self._voiced.popleft()
        if self._voiced and self._voiced[0][1] < self._covered:
            at, _, end = self._voiced[0]
            self._voiced[0] = (at, self._covered, end)
        if guess.is_final:
            # A final may carry another id than its partials: its time tells which it ends.
            self._open.pop(key, None)
            self._open = {
                other: first
                for other, first in self._open.items()
                if first >= guess.end_frame or other[0] != channel
            }
        elif guess.text:
            self._open.setdefault(key, guess.first_frame)
            self._open_news_at = now
        else:
            self._open.pop(key, None)

    def settled(self) -> int:
        """Return the frame before which all audio may be forgotten; it never goes back."""
        while self._marks and self._marks[0][0] <= self._alive_at - self._settle_s:
            self._ripe = self._marks.popleft()[1]
        if self._sent_at <= self._alive_at - self._settle_s:
            self._ripe = self._sent
        limit = min([self._ripe, *self._open.values()])
        if self._unanswered_frames() >= MUCH_VOICE_FRAMES:
            limit = min(limit, self._voiced[0][1])
        self._settled = max(self._settled, limit)
        # What is settled is a cough: it must not add up with the next one.
        while self._voiced and self._voiced[0][2] <= self._settled:
            self._voiced.popleft()
        return self._settled

    def is_stuck(self, now: float) -> bool:
        """Return whether speech has had no answer for longer than the patience."""
        if self._open and now - self._open_news_at >= self._patience_s:
            return True
        waits = self._unanswered_frames() >= MUCH_VOICE_FRAMES
        return waits and now - self._voiced[0][0] >= self._patience_s

    def believe(self) -> None:
        """Accept that what has no answer holds no words."""
        self._open.clear()
        self._voiced.clear()

    def _unanswered_frames(self) -> int:
        return sum(end - first for _, first, end in self._voiced)
