"""Cuts a log's segments into captions for a screen, on one clock for a whole file.

Times: every session's clock starts at 0. A file of one session keeps its clock. A room's file
lays its sessions one after the other as the wall clock did: a session starts where its
`session_started` entry says, counted from the first session's; without one, where its first
segment was logged less its end. Sessions never overlap: one whose audio was longer than the
time it took (an upload) moves the next one back.

Numbers: at most 37 characters a line and 2 lines a cue; a cue stays for 0.3 s a word where the
next one leaves the time. Source: BBC Subtitle Guidelines, 1.2.3.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from unicodedata import combining

from parola.domain.audio import RATE_HZ
from parola.domain.log import Entry, StateChange
from parola.domain.transcript import Segment

LINE_CHARACTERS = 37

CUE_LINES = 2

WORD_MS = 300
"""How long a reader needs for a word, milliseconds."""

SHORTEST_MS = 1000
"""How long the shortest cue stays where nothing follows sooner, milliseconds."""

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f]")

_HALF_PAIRS = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Cue:
    """A caption on the screen: times in milliseconds on the file's clock."""

    start_ms: int
    end_ms: int
    """Always later than the start, never later than the next cue's start."""

    lines: tuple[str, ...]
    """One or two, without markup and without the label."""

    words: int
    made_by: str
    """Such as "automatic, engine sherpa"."""

    speaker: str = ""
    """Who says it, without line breaks; empty where nobody knows."""

    label: str = ""
    """The speaker's name and a colon, where another one begins; fits before the first line, which
    may be empty then."""


class Cues:
    """Turns log entries, in their order, into cues; one cue late, to know when the next starts."""

    def __init__(self, session: str | None = None) -> None:
        self._sessions = Sessions(session)
        self._keeps_clock = session is not None
        self._first_ms: int | None = None
        self._offsets_ms: dict[str, int] = {}
        self._spoken_ms = 0
        self._speakers = Speakers()
        self._waiting: Cue | None = None

    def add(self, entry: Entry) -> Iterator[Cue]:
        """Yield the cues that are now known."""
        segment = self._sessions.hear(entry)
        if segment is None:
            return
        label = self._speakers.label(segment)
        for spoken in _cues(segment, self._offset_ms(segment.session), label):
            # What was spoken before keeps its time, also where an engine's times run backwards.
            start_ms = max(spoken.start_ms, self._spoken_ms)
            self._spoken_ms = max(spoken.end_ms, start_ms + 1)
            yield from self._before(start_ms)
            self._waiting = replace(spoken, start_ms=start_ms, end_ms=self._spoken_ms)

    def end(self) -> Iterator[Cue]:
        """Yield the last cue."""
        yield from self._before(None)
        self._waiting = None

    def _before(self, next_ms: int | None) -> Iterator[Cue]:
        """Yield the cue that waits, on the screen for as long as the next one allows."""
        if cue := self._waiting:
            wanted = max(cue.end_ms, cue.start_ms + max(WORD_MS * cue.words, SHORTEST_MS))
            yield replace(cue, end_ms=wanted if next_ms is None else min(wanted, next_ms))

    def _offset_ms(self, session: str) -> int:
        """Return where the session starts in the file."""
        if self._keeps_clock:
            return 0
        if session not in self._offsets_ms:
            start_ms = self._sessions.started_ms[session]
            if self._first_ms is None:
                self._first_ms = start_ms
            self._offsets_ms[session] = max(start_ms - self._first_ms, self._spoken_ms)
        return self._offsets_ms[session]


class Sessions:
    """Knows when a log's sessions started, in which language, and which of them are asked for."""

    def __init__(self, only: str | None) -> None:
        self.started_ms: dict[str, int] = {}
        """By the wall clock, of every session that had an entry."""
        self.languages: dict[str, str] = {}
        self._only = only

    def hear(self, entry: Entry) -> Segment | None:
        """Return the entry's segment if its session is asked for and it has text."""
        body = entry.body
        if isinstance(body, StateChange):
            if body.change == "session_started":
                self.started_ms.setdefault(body.session, entry.at_ms)
                self.languages.setdefault(body.session, body.value)
            return None
        if not isinstance(body, Segment):
            return None
        if self._only not in {None, body.session} or not shown_text(body.text):
            return None
        self.started_ms.setdefault(body.session, entry.at_ms - _ms(body.end_frame))
        self.languages.setdefault(body.session, body.language)
        return body


class Speakers:
    """Knows who spoke last, to say who speaks now only where that is somebody else."""

    def __init__(self) -> None:
        self._session = self._speaker = ""

    def label(self, segment: Segment) -> str:
        """Return the speaker and a colon in one line; empty where the same one goes on."""
        speaker = shown_text(segment.speaker or "")
        before = self._speaker if segment.session == self._session else ""
        self._session, self._speaker = segment.session, speaker or before
        if not speaker or speaker == before:
            return ""
        fits = LINE_CHARACTERS - 1
        return f"{speaker if len(speaker) <= fits else speaker[: fits - 1] + '…'}:"


def _cues(segment: Segment, offset_ms: int, label: str) -> Iterator[Cue]:
    """Yield the segment's cues; their ends are where their speech ends."""
    pieces = [piece for word in shown_text(segment.text).split() for piece in _broken(word)]
    lines = _balanced([label, *pieces] if label else pieces)
    if label:
        lines[0].remove(label)
    sound = _Sound(segment)
    letter = 0
    for first in range(0, len(lines), CUE_LINES):
        part = lines[first : first + CUE_LINES]
        begin, letter = letter, letter + sum(len(piece) for line in part for piece in line)
        yield Cue(
            start_ms=offset_ms + _ms(sound.start_frame(begin)),
            end_ms=offset_ms + _ms(sound.end_frame(letter)),
            lines=tuple(" ".join(line) for line in part),
            words=sum(map(len, part)) + len(label.split()),
            made_by=maker(segment),
            speaker=shown_text(segment.speaker or ""),
            label=label,
        )
        label = ""


class _Sound:
    """Says under which frames of a segment a letter of its text is; blanks are not counted.

    By its words' times where the words are those of the text, else evenly by letters.
    """

    def __init__(self, segment: Segment) -> None:
        texts = shown_text(segment.text).split()
        words = [shown_text(word.text).replace(" ", "") for word in segment.words]
        spans = [(word.start_frame, word.end_frame) for word in segment.words]
        if "".join(words) == "".join(texts):
            lengths = [len(word) for word in words]
        elif len(words) == len(texts):
            # The same words but for their case or their commas.
            lengths = [len(text) for text in texts]
        else:
            lengths, spans = [len("".join(texts))], [(segment.first_frame, segment.end_frame)]
        self._segment = segment
        self._spans = spans
        self._ends = list(accumulate(lengths))
        self._lengths = lengths

    def start_frame(self, letter: int) -> int:
        """Return where the letter's sound starts; letters count from 0."""
        return self._frame(bisect_right(self._ends, letter), letter)

    def end_frame(self, letter: int) -> int:
        """Return where the sound of the letters before this one ends."""
        return self._frame(bisect_left(self._ends, letter), letter)

    def _frame(self, word: int, letter: int) -> int:
        start, end = self._spans[word]
        into = letter - (self._ends[word] - self._lengths[word])
        frame = start + (end - start) * into // self._lengths[word]
        return min(max(frame, self._segment.first_frame), self._segment.end_frame)


def _balanced(pieces: list[str]) -> list[list[str]]:
    """Return as few lines as can be, filled evenly: no last line of one word."""
    if not pieces:
        return []
    fewest = len(_filled(pieces, LINE_CHARACTERS))
    widths = range(max(map(len, pieces)), LINE_CHARACTERS + 1)
    narrowest = bisect_left(widths, -fewest, key=lambda width: -len(_filled(pieces, width)))
    return _filled(pieces, widths[narrowest])


def _filled(pieces: list[str], width: int) -> list[list[str]]:
    """Return lines of at most `width` characters, each as full as it gets."""
    lines: list[list[str]] = [[]]
    free = width
    for piece in pieces:
        if lines[-1] and len(piece) > free:
            lines.append([])
            free = width
        lines[-1].append(piece)
        free -= len(piece) + 1
    return lines


def _broken(word: str) -> Iterator[str]:
    """Yield a word in pieces that fit on a line: addresses, and scripts without blanks."""
    while len(word) > LINE_CHARACTERS:
        at = LINE_CHARACTERS
        while at > 1 and combining(word[at]):
            at -= 1  # an accent stays with its letter
        yield word[:at]
        word = word[at:]
    yield word


def shown_text(text: str) -> str:
    """Return a text as one line without characters that no file can hold."""
    return " ".join(_HALF_PAIRS.sub("\N{REPLACEMENT CHARACTER}", _UNSEEN.sub(" ", text)).split())


def maker(segment: Segment) -> str:
    """Return who made the words: viewers are told when a machine did."""
    engine = f", engine {segment.engine}" if segment.engine else ""
    return shown_text(segment.made_by + engine)


def _ms(frame: int) -> int:
    return frame * 1000 // RATE_HZ
