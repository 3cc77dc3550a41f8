"""Decides which words a reader sees when, from a room's frames; what is painted never changes.

The same rules run on the pages (`pages/static/painter.js`), and the same scripts test both. Time
is an argument, in seconds on any clock that only grows. docs/why/015-painted-words-stay.md.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

CALM_S = 0.3
"""Between two words while nothing waits. Source: BBC Subtitle Guidelines 1.2.3, ≥ 0.3 s a word."""

BRISK_S = 0.2
"""Between two words once some wait: five a second, the most that can be followed for long."""

BRISK_AFTER_S = 1.0
"""How late a word may be at the calm pace."""

CATCH_UP_S = 0.1
"""Between two words while catching up."""

CATCH_UP_AFTER_S = 3.0
"""How late a word may be before the painter catches up."""

LATE_S = 10.0
"""A word later than this is skipped with a mark. Source: BBC section 21, late text is skipped."""

IDLE_S = 30.0
"""How long nothing is painted before the room's state is shown."""

LOST_S = 3.0
"""How long a reader's own connection may be gone before that is shown."""

SKIPPED = "[…]"
"""Stands for words that came too late to be shown."""

CORRECTED = "--"
"""Says that what follows replaces what stands before it. Source: BBC section 21."""

NOTES = {
    "idle": "captions paused",
    "waiting": "pause",
    "listening": "pause",
    "unsaved": "pause",
    "recovering": "one moment",
    "failed": "captions unavailable",
    "paused": "captions paused",
    "off_record": "off the record",
}
"""What is shown of a room's state after `IDLE_S` without words; off the record, at once."""

RECONNECTING = "reconnecting"
"""What is shown while the reader's own connection is gone."""

OFF_RECORD = "off_record"
"""The state in which words are shown and not kept: said while they flow."""

HIDDEN = "hidden"
"""The state in which nothing may be shown at all."""

_SPACES = re.compile(r"\s+")

Kind = Literal["word", "mark", "end"]
Opens = Literal["", "segment", "speaker", "talk"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to put after what is painted: a word, a mark, or a segment's end."""

    kind: Kind
    text: str
    """An end's is the whole final, for who needs sentences; it is not to be painted."""

    segment: str = ""
    """Session and number, as in "7f0c/12"; empty for marks that belong to none."""

    opens: Opens = ""
    """What begins with it."""

    speaker: str = ""
    """Only where the speaker changes."""

    made_by: str = "automatic"
    language: str = ""
    doubtful: bool = False
    """It was said, but may be another word."""

    seq: int | None = None
    """The segment's number in the log, known at its end."""


class Surface(Protocol):
    """What a painter paints on."""

    def put(self, item: Item) -> None:
        """Put an item after all others."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    item: Item
    utterance: int
    since_s: float
    """When it was said, as far as that is known."""

    came_s: float
    """When it came; nothing is painted earlier."""


class Painter:
    """Takes a room's frames and paints words, one after the other, at a pace people can read.

    After each call the surface holds what was due by then, so it does not matter how often
    `tick` is called.
    """

    def __init__(self, surface: Surface, *, skips: bool = True) -> None:
        """Paint on a surface.

        Without `skips`, for readers who scroll back, late words come at once instead of never.
        """
        self._surface = surface
        self._skips = skips
        self._waiting: deque[_Waiting] = deque()
        self._next_s = float("-inf")
        self._painted_s = float("-inf")
        self._state = "idle"
        self._session = ""
        self._speaker = ""
        self._opens: Opens = ""
        self._anything = False
        self._skipped = False
        self._lost_s: float | None = None
        self._segment = self._closed = ""
        self._utterance = 0
        self._words: list[str] = []
        """The current segment's words that were painted or wait."""
        self._out = 0
        """How many of them left the queue: painted or skipped, beyond recall."""
        self._said_until_s = float("inf")
        self._unsure: list[str] = []
        """The words after them, which may still change."""

    # --- In -------------------------------------------------------------------------------------

    def take(
        self, frame: Mapping[str, Any], now_s: float, age_s: float = 0.0, *, past: bool = False
    ) -> None:
        """Take a frame of docs/reference/protocol.md.

        Args:
            frame: a segment, change or state; others change nothing.
            now_s: the time.
            age_s: how long ago it was said, as far as that is known.
            past: it was said before the reader came: painted at once, whatever its age.
        """
        self.tick(now_s)
        kind = frame.get("type")
        if kind == "state":
            self._state = frame["state"]
        elif kind == "change" and frame["change"] == "session_started":
            self._begin(frame["session"])
        elif kind == "segment":
            self._take_segment(frame, now_s - age_s, now_s)
            if past:
                self._flush(now_s)
        self.tick(now_s)

    def link(self, *, up: bool, now_s: float) -> None:
        """Say whether the reader is connected; a guess from before a break counts no more."""
        self.tick(now_s)
        if up:
            self._unsure = []
            self._lost_s = None
        elif self._lost_s is None:
            self._lost_s = now_s

    def _begin(self, session: str) -> None:
        self._closed = ""  # Segments count from one again, also after a break.
        if session == self._session:
            # The sound that was not final comes again, and with it the words painted already.
            self._segment, self._unsure = "", []
            return
        self._utter()
        self._session, self._speaker = session, ""
        self._opens = "talk" if self._anything else ""

    def _utter(self, carried: Sequence[str] = ()) -> None:
        """Begin an utterance, perhaps with words that were painted and are not final yet."""
        self._segment = ""
        self._utterance += 1
        self._words, self._out, self._unsure = list(carried), len(carried), []
        if not carried:
            self._said_until_s = float("inf")

    def _take_segment(self, frame: Mapping[str, Any], since_s: float, now_s: float) -> None:
        segment = f"{frame['session']}/{frame['segment']}"
        final = not frame["is_partial"]
        if segment == self._closed and not final:
            return  # An echo of what is final already.
        # An utterance that was withdrawn leaves its number to the next one, which starts later.
        goes_on = self._segment in {"", segment}
        if not goes_on or frame.get("start_s", 0.0) >= self._said_until_s:
            self._utter()
        self._segment = segment
        tokens = words_of(frame["text"])
        sure = tokens if final else tokens[: stable_count(tokens, frame.get("words") or ())]
        fresh = self._promise(sure, since_s, now_s, final=final)
        doubts = doubts_of(tokens, frame.get("words") or ())[len(sure) - len(fresh) : len(sure)]
        for text, doubtful in zip(fresh, doubts, strict=True):
            self._queue(self._word(text, frame, doubtful=doubtful), since_s, now_s)
        if final:
            self._queue(_end(frame, segment), since_s, now_s)
            self._closed = segment
            # What was painted beyond this final may be in the next one.
            self._utter(self._words[len(tokens) :] if not fresh else ())
            return
        self._unsure = tokens[len(self._words) :]
        if self._words:
            self._said_until_s = min(self._said_until_s, frame.get("end_s", float("inf")))

    def _promise(self, sure: list[str], since_s: float, now_s: float, *, final: bool) -> list[str]:
        """Return the words to queue now, out of those that will not change any more.

        What nobody has seen yet is mended; where a final contradicts what was seen, a mark comes
        before its version, from the first difference on.
        """
        same = common_start(self._words, sure)
        if same == len(self._words) or (final and same == len(sure) <= self._out):
            self._unqueue(max(same, self._out))
            return sure[same:]
        if not final and (same == len(sure) or same < self._out):
            return []  # Fewer promises, or a broken one: the final decides.
        self._unqueue(max(same, self._out))
        if same < len(self._words) and same < len(sure):
            self._queue(Item("mark", CORRECTED, self._segment), since_s, now_s)
        return sure[same:]

    def _unqueue(self, keep: int) -> None:
        """Take back the utterance's waiting words, all but its first `keep`."""
        for _ in range(len(self._words) - keep):
            item = self._waiting.pop().item
            self._opens = "talk" if item.opens == "talk" else self._opens
            self._speaker = "" if item.speaker else self._speaker
        del self._words[keep:]

    def _word(self, text: str, frame: Mapping[str, Any], *, doubtful: bool) -> Item:
        speaker = frame.get("speaker") or ""
        opens: Opens = "" if self._words else "segment"
        if speaker and speaker != self._speaker:
            opens = "speaker"
        item = Item(
            "word",
            text,
            self._segment,
            self._opens or opens,
            speaker if opens == "speaker" else "",
            frame.get("made_by") or "automatic",
            frame.get("language") or "",
            doubtful,
        )
        self._speaker = speaker or self._speaker
        self._opens = ""
        self._anything = True
        self._words.append(text)
        return item

    def _queue(self, item: Item, since_s: float, now_s: float) -> None:
        self._waiting.append(_Waiting(item, self._utterance, since_s, now_s))

    # --- Out ------------------------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Paint what is due."""
        while self._waiting:
            first = self._waiting[0]
            at_s = self._time_of(first)
            if at_s > now_s:
                return
            late_s = at_s - first.since_s
            if late_s > LATE_S and self._skips and first.item.kind != "end":
                self._skip(at_s)
                continue
            self._paint(self._waiting.popleft(), at_s)
            if first.item.kind == "word":
                self._next_s = at_s + pace_s(late_s)

    def _time_of(self, first: _Waiting) -> float:
        at_s = max(self._next_s, first.came_s)
        too_late = at_s - first.since_s > LATE_S and not self._skips
        return first.came_s if first.item.kind == "end" or too_late else at_s

    def _skip(self, now_s: float) -> None:
        """Drop every waiting word older than `CATCH_UP_AFTER_S`; their segments still end."""
        kept = deque[_Waiting]()
        for waiting in self._waiting:
            if waiting.item.kind == "end" or now_s - waiting.since_s <= CATCH_UP_AFTER_S:
                kept.append(waiting)
            else:
                self._left(waiting)
        self._waiting = kept
        if not self._skipped:
            self._surface.put(Item("mark", SKIPPED))
            self._skipped = True

    def _flush(self, now_s: float) -> None:
        while self._waiting:
            self._paint(self._waiting.popleft(), now_s)

    def _paint(self, waiting: _Waiting, at_s: float) -> None:
        self._left(waiting)
        self._surface.put(waiting.item)
        if waiting.item.kind == "word":
            self._skipped = False
            self._painted_s = max(self._painted_s, at_s)

    def _left(self, waiting: _Waiting) -> None:
        if waiting.item.kind == "word" and waiting.utterance == self._utterance:
            self._out += 1

    @property
    def due_s(self) -> float | None:
        """When `tick` will next paint something; None when nothing waits."""
        return self._time_of(self._waiting[0]) if self._waiting else None

    @property
    def guess(self) -> str:
        """What follows the painted words, and may still change: for readers who ask for it."""
        waiting = [each.item.text for each in self._waiting if each.item.kind != "end"]
        return " ".join([*waiting, *self._unsure])

    @property
    def is_hidden(self) -> bool:
        """Whether nothing may be shown at all."""
        return self._state == HIDDEN

    def note(self, now_s: float) -> str:
        """Return what to show of the room's state, such as "pause"; "" while words flow."""
        if self._lost_s is not None:
            return RECONNECTING if now_s - self._lost_s >= LOST_S else ""
        if self._state == OFF_RECORD:
            return NOTES[OFF_RECORD]
        if self._waiting or now_s - self._painted_s < IDLE_S:
            return ""
        return NOTES.get(self._state, "")


def _end(frame: Mapping[str, Any], segment: str) -> Item:
    return Item(
        "end",
        frame["text"],
        segment,
        made_by=frame.get("made_by") or "automatic",
        language=frame.get("language") or "",
        seq=frame.get("seq"),
    )


def noted(texts: list[str], note: str) -> list[str]:
    """Return the lines with the room's state after them, where there are any."""
    return [*texts, f"[{note}]"] if texts and note else texts


def pace_s(late_s: float) -> float:
    """Return how long after a word that was painted so late the next one may come."""
    if late_s > CATCH_UP_AFTER_S:
        return CATCH_UP_S
    return BRISK_S if late_s > BRISK_AFTER_S else CALM_S


def words_of(text: str) -> list[str]:
    """Return the words of a text, with their punctuation."""
    return [word for word in _SPACES.split(text) if word]


def stable_count(tokens: list[str], words: Iterable[Mapping[str, Any]]) -> int:
    """Return how many of the tokens an engine promises to keep.

    Its words and the text's tokens may be cut differently, so their letters are counted.
    """
    letters = 0
    for word in words:
        if not word.get("stable"):
            break
        letters += len(_SPACES.sub("", word["text"]))
    for count, token in enumerate(tokens):
        letters -= len(token)
        if letters < 0:
            return count
    return len(tokens)


def doubts_of(tokens: list[str], words: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Return for each token whether it may be another word; no, where words are cut otherwise."""
    if len(words) != len(tokens):
        return [False] * len(tokens)
    return [bool(word.get("doubtful")) for word in words]


def common_start(painted: list[str], fresh: list[str]) -> int:
    """Return how many words both begin with; case and punctuation make no other word."""
    for count, (old, new) in enumerate(zip(painted, fresh, strict=False)):
        if _bare(old) != _bare(new):
            return count
    return min(len(painted), len(fresh))


def _bare(word: str) -> str:
    letters = [c for c in word.lower() if unicodedata.category(c)[0] in "LNM"]
    return "".join(letters) or word
