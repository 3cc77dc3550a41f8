"""Brings the utterances of two channels into one row, each when a session may have it. No I/O.

A session lets go of the audio before a final, so a final waits while anything unfinished on the
other channel began before its end: a new stream would begin behind that. People who keep cutting
in on each other would be waited for without end; after `WAIT_FRAMES` a final goes all the same.
"""

from collections.abc import Sequence
from dataclasses import replace

from parola.domain.audio import RATE_HZ
from parola.domain.transcript import Hypothesis

WAIT_FRAMES = 5 * RATE_HZ
"""How far the newest word may be ahead of the end of a final that waits."""


class Turns:
    """Takes the hypotheses of both channels, gives those that a session hears."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        """Take a name for each channel, or none."""
        self._names = {f"ch_{number}": name for number, name in enumerate(names)}
        self._open: dict[str, Hypothesis] = {}
        """The newest guess of each channel whose utterance has no final."""
        self._waiting: list[Hypothesis] = []
        """Finals, by where they begin."""
        self._newest = 0
        self._shown: Hypothesis | None = None

    @property
    def waiting_frame(self) -> int | None:
        """Where the first final begins that has come and was not given yet."""
        return self._waiting[0].first_frame if self._waiting else None

    def add(self, channel: str, guess: Hypothesis) -> list[Hypothesis]:
        """Take a channel's guess, and return what the session is to hear now."""
        who = self._names.get(channel, channel)
        who = f"{who} {guess.speaker}" if guess.speaker else who
        guess = replace(guess, speaker=who, channel=channel)
        self._newest = max(self._newest, guess.end_frame)
        self._open.pop(channel, None)
        if guess.text and guess.is_final:
            self._waiting.append(guess)
            self._waiting.sort(key=lambda one: one.first_frame)
        elif guess.text:
            self._open[channel] = guess
        given = []
        while count := self._ready():
            given += self._give(count)
        return given + self._partial()

    def rest(self) -> list[Hypothesis]:
        """Return the finals that still wait: nothing more comes."""
        return self._give(len(self._waiting))

    def _ready(self) -> int:
        """Return how many of the first finals may go."""
        end = 0
        for count, final in enumerate(self._waiting, 1):
            end = max(end, final.end_frame)
            unfinished = [*self._waiting[count:], *self._open.values()]
            if all(one.first_frame >= end for one in unfinished):
                return count
        too_long = self._waiting and self._newest - self._waiting[0].end_frame > WAIT_FRAMES
        return int(bool(too_long))

    def _give(self, count: int) -> list[Hypothesis]:
        given = self._waiting[:count]
        del self._waiting[:count]
        self._shown = None
        return given

    def _partial(self) -> list[Hypothesis]:
        """Return a guess of the line that will be next, where it is another than before."""
        ahead = [*self._waiting, *self._open.values()]
        first = min(ahead, key=lambda one: one.first_frame, default=None)
        shown = replace(first, is_final=False) if first else None
        if shown == self._shown:
            return []
        before, self._shown = self._shown, shown
        if shown is None and before:
            return [replace(before, text="", words=())]
        return [shown] if shown else []
