"""What engines guess and what viewers read: words, hypotheses and numbered segments."""

from dataclasses import dataclass, replace
from typing import Literal

from parola.domain.audio import to_seconds

MadeBy = Literal["automatic", "human", "corrected"]


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word and the sound under it."""

    text: str
    start_frame: int
    """On the session's clock."""

    end_frame: int
    """The first frame after the word."""

    confidence: float | None = None
    """The engine's own, 0 to 1; None where it has none (partials, mostly)."""

    stable: bool = False
    """The engine promises not to change it any more."""

    doubtful: bool = False
    """In a final: there is speech under it, but it may be another word."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """An engine's current guess of one utterance; the last one of an utterance is final.

    Engines say nothing of utterances without words: an empty final only withdraws a partial.
    """

    text: str
    first_frame: int
    """Where the utterance starts on the session's clock; the same in all its hypotheses."""

    end_frame: int
    """How far the guess reaches."""

    is_final: bool = False
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    language: str | None = None
    """Only where the engine identified it; None means the language that was asked for."""

    channel: str = ""
    """Which of the source's channels, where the engine tells them apart. Utterances of one channel
    never overlap; those of two may."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An engine's word that it is done with all audio before a frame: final, or no speech."""

    end_frame: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One numbered piece of a session's transcript, partial until final."""

    session: str
    number: int
    """Counts a session's segments from 1, without a gap among its finals."""

    text: str
    first_frame: int
    end_frame: int
    is_final: bool
    language: str
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    made_by: MadeBy = "automatic"
    engine: str = ""
    """Which recogniser heard it."""

    heard: str = ""
    """What the recogniser heard, where a replacement shows something else."""

    off_record: bool = False
    """It is shown to who reads now, and kept nowhere."""

    @property
    def start_s(self) -> float:
        """Seconds on the session's clock."""
        return to_seconds(self.first_frame)

    @property
    def end_s(self) -> float:
        """Seconds on the session's clock."""
        return to_seconds(self.end_frame)


class SegmentAssembler:
    """Turns one session's hypotheses, from however many engine streams, into numbered segments.

    What it promises, whatever the hypotheses are:

    - finals are numbered 1, 2, 3 … in the order they come, and never overlap in time;
    - a partial carries the number that the next final will have;
    - what a new stream repeats of audio already final is cut away, so nothing comes twice;
    - where two channels speak at once, the later line is placed behind the earlier one, whole.
    """

    def __init__(
        self,
        session: str,
        language: str,
        engine: str = "",
        *,
        segments: int = 0,
        final_until: int = 0,
    ) -> None:
        """Begin, or go on after `segments` finals that reach to frame `final_until`."""
        self._session = session
        self.language = language
        self.engine = engine
        self._next = segments + 1
        self._shown = ""
        self._final_until = self._heard_until = final_until
        self._channels: dict[str, int] = {}
        """How far each channel's finals reach in its own time, beyond `_heard_until`."""

    @property
    def final_until(self) -> int:
        """The first frame that no final covers yet."""
        return self._final_until

    def add(self, hypothesis: Hypothesis) -> Segment | None:
        """Return the segment a viewer should now see, or None when nothing changes for viewers.

        A returned partial with empty text withdraws the partial shown before.
        """
        fresh = _with_sound(self._without_the_past(hypothesis))
        text = fresh.text.strip()
        if fresh.is_final and text:
            segment = self._segment(fresh, text)
            self._next += 1
            self._shown = ""
            self._final_until = max(self._final_until, segment.end_frame)
            if fresh.channel:
                self._channels[fresh.channel] = fresh.end_frame
            else:
                self._heard_until = self._final_until
            return segment
        if text == self._shown or (not text and not self._shown):
            return None
        self._shown = text
        return self._segment(replace(fresh, is_final=False), text)

    def _without_the_past(self, hypothesis: Hypothesis) -> Hypothesis:
        """Return the hypothesis without words whose sound is mostly under an earlier final."""
        done = self._final_until
        if hypothesis.channel:
            done = max(self._channels.get(hypothesis.channel, 0), self._heard_until)
        if hypothesis.first_frame >= done:
            return hypothesis
        if not hypothesis.words:
            # Without word times the guess cannot be cut: old as a whole, or new as a whole.
            middle = (hypothesis.first_frame + hypothesis.end_frame) // 2
            text = hypothesis.text if middle >= done else ""
            return _from(hypothesis, text, (), done)
        kept = tuple(w for w in hypothesis.words if (w.start_frame + w.end_frame) // 2 >= done)
        if len(kept) == len(hypothesis.words):
            return _from(hypothesis, hypothesis.text, kept, done)
        return _from(hypothesis, " ".join(w.text for w in kept), kept, done)

    def _segment(self, hypothesis: Hypothesis, text: str) -> Segment:
        if hypothesis.channel:
            hypothesis = _with_sound(_moved_behind(hypothesis, self._final_until))
        return Segment(
            session=self._session,
            number=self._next,
            text=text,
            first_frame=hypothesis.first_frame,
            end_frame=hypothesis.end_frame,
            is_final=hypothesis.is_final,
            language=hypothesis.language or self.language,
            words=hypothesis.words,
            speaker=hypothesis.speaker,
            engine=self.engine,
        )


def _with_sound(hypothesis: Hypothesis) -> Hypothesis:
    """Return the hypothesis reaching to the end of its last word, and over a frame at least.

    Finals are told apart by their first frames, so no two may start at the same one.
    """
    last = max((word.end_frame for word in hypothesis.words), default=0)
    end = max(hypothesis.end_frame, last, hypothesis.first_frame + 1)
    return hypothesis if end == hypothesis.end_frame else replace(hypothesis, end_frame=end)


def _moved_behind(hypothesis: Hypothesis, frame: int) -> Hypothesis:
    """Return the hypothesis with all its words, none of them before a frame."""
    words = tuple(
        replace(
            word, start_frame=max(word.start_frame, frame), end_frame=max(word.end_frame, frame)
        )
        for word in hypothesis.words
    )
    return _from(hypothesis, hypothesis.text, words, frame)


def _from(hypothesis: Hypothesis, text: str, words: tuple[Word, ...], frame: int) -> Hypothesis:
    """Return the hypothesis with other words, starting at `frame` at the earliest."""
    first = max(hypothesis.first_frame, frame)
    return replace(
        hypothesis,
        text=text,
        words=words,
        first_frame=first,
        end_frame=max(hypothesis.end_frame, first),
    )
