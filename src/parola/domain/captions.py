"""A room's log as files people use: SubRip, WebVTT, plain text and JSON.

Each format is a writer: `begin` returns the head, `add` takes the log's entries in order and
returns the text that is ready, `end` returns the rest. So a day's log streams through and is
never in memory as a whole. `to_srt`, `to_vtt`, `to_txt` and `to_json` do the same for entries
that can simply be iterated.

Times: every session's clock starts at 0. A file of one session keeps its clock. A room's file
lays its sessions one after the other as the wall clock did: a session starts where its
`session_started` entry says, counted from the first session's; without one, where its first
segment was logged less its end. Sessions never overlap: one whose audio was longer than the
time it took (an upload) moves the next one back.

Numbers: at most 37 characters a line and 2 lines a cue; a cue stays for 0.3 s a word where the
next one leaves the time. Source: BBC Subtitle Guidelines, 1.2.3.
"""

import json
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, ClassVar, Protocol
from unicodedata import combining

from parola.domain.audio import RATE_HZ, to_seconds
from parola.domain.log import Entry, StateChange
from parola.domain.transcript import Segment

LINE_CHARACTERS = 37
CUE_LINES = 2

WORD_MS = 300
"""How long a reader needs for a word, milliseconds."""

SHORTEST_MS = 1000
"""How long the shortest cue stays where nothing follows sooner, milliseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f]")
_HALF_PAIRS = re.compile("[\ud800-\udfff]")


def utc_iso(at_ms: int) -> str:
    """Return a wall-clock time in milliseconds since 1970 as "2026-05-28T09:30:00.000Z"."""
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def segment_fields(segment: Segment, number: int | None, at: str | None) -> dict[str, Any]:
    """Return a segment as our sockets and our JSON files write it.

    Args:
        segment: final or partial.
        number: its number in the room's log, None for a partial.
        at: when it was logged, as `utc_iso` writes it, None for a partial.
    """
    return {
        "text": segment.text,
        "session": segment.session,
        "segment": segment.number,
        "seq": number,
        "at": at,
        "start_s": segment.start_s,
        "end_s": segment.end_s,
        "words": [
            {
                "text": word.text,
                "start_s": to_seconds(word.start_frame),
                "end_s": to_seconds(word.end_frame),
                "confidence": _finite(word.confidence),
                "stable": word.stable,
            }
            for word in segment.words
        ],
        "speaker": segment.speaker,
        "language": segment.language,
        "made_by": segment.made_by,
        "engine": segment.engine,
    }


@dataclass(frozen=True, slots=True)
class Cue:
    """A caption on the screen: times in milliseconds on the file's clock."""

    start_ms: int
    end_ms: int
    """Always later than the start, never later than the next cue's start."""

    lines: tuple[str, ...]
    """One or two, without markup."""

    words: int
    made_by: str
    """Such as "automatic, engine sherpa"."""


class Cues:
    """Turns log entries, in their order, into cues; one cue late, to know when the next starts."""

    def __init__(self, session: str | None = None) -> None:
        self._sessions = _Sessions(session)
        self._keeps_clock = session is not None
        self._first_ms: int | None = None
        self._offsets_ms: dict[str, int] = {}
        self._spoken_ms = 0
        self._waiting: Cue | None = None

    def add(self, entry: Entry) -> Iterator[Cue]:
        """Yield the cues that are now known."""
        segment = self._sessions.hear(entry)
        if segment is None:
            return
        for spoken in _cues(segment, self._offset_ms(segment.session)):
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


class _Sessions:
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
        if self._only not in {None, body.session} or not _shown(body.text):
            return None
        self.started_ms.setdefault(body.session, entry.at_ms - _ms(body.end_frame))
        self.languages.setdefault(body.session, body.language)
        return body


class Writer(Protocol):
    """Writes one file, piece by piece; any piece may be empty."""

    media_type: ClassVar[str]

    def __init__(self, room: str, session: str | None = None) -> None:
        """Write a room's file, or that of one session in it."""

    def begin(self) -> str:
        """Return the file's head."""

    def add(self, entry: Entry) -> str:
        """Return the text that the next entry of the log makes ready."""

    def end(self) -> str:
        """Return the rest of the file."""


class _CueWriter:
    """What the two formats made of cues have in common."""

    def __init__(self, room: str, session: str | None = None) -> None:
        self._room = _shown(room)
        self._cues = Cues(session)

    def add(self, entry: Entry) -> str:
        """Return the cues that are now known."""
        return "".join(map(self._block, self._cues.add(entry)))

    def end(self) -> str:
        """Return the last cue."""
        return "".join(map(self._block, self._cues.end()))

    def _block(self, cue: Cue) -> str:
        raise NotImplementedError


class SrtWriter(_CueWriter):
    """SubRip. It has no escapes: "-->" in a text is written as "→"."""

    media_type: ClassVar[str] = "application/x-subrip"
    _count = 0

    def begin(self) -> str:
        """Return nothing: the format has no head."""
        return ""

    def _block(self, cue: Cue) -> str:
        self._count += 1
        text = "\n".join(cue.lines).replace("-->", "→")
        return f"{self._count}\n{_times(cue, ',')}\n{text}\n\n"


class VttWriter(_CueWriter):
    """WebVTT. Source: W3C WebVTT, section 4.1 (blocks and comments) and 4.2.2 (escapes).

    A comment says who made the words, before the first cue and wherever it changes.
    """

    media_type: ClassVar[str] = "text/vtt"
    _made_by = ""

    def begin(self) -> str:
        """Return the signature, and the room in a comment."""
        return f"WEBVTT\n\nNOTE Room {_escaped(self._room)}\n\n"

    def _block(self, cue: Cue) -> str:
        note = ""
        if cue.made_by != self._made_by:
            self._made_by = cue.made_by
            note = f"NOTE {_escaped(cue.made_by)}\n\n"
        return f"{note}{_times(cue, '.')}\n" + "\n".join(map(_escaped, cue.lines)) + "\n\n"


class TxtWriter:
    """Plain text: a line of heading for each session, a paragraph for each segment."""

    media_type: ClassVar[str] = "text/plain"

    def __init__(self, room: str, session: str | None = None) -> None:
        self._room = _shown(room)
        self._sessions = _Sessions(session)
        self._session: str | None = None

    def begin(self) -> str:
        """Return nothing: the sessions have the headings."""
        return ""

    def add(self, entry: Entry) -> str:
        """Return the segment's paragraph, under its session's heading."""
        segment = self._sessions.hear(entry)
        if segment is None:
            return ""
        head = "" if segment.session == self._session else self._heading(segment)
        self._session = segment.session
        return f"{head}{_shown(segment.text)}\n\n"

    def end(self) -> str:
        """Return nothing: every paragraph is complete."""
        return ""

    def _heading(self, segment: Segment) -> str:
        started = utc_iso(self._sessions.started_ms[segment.session])
        when = f"{started[:10]} {started[11:16]} UTC"
        return f"{self._room} – {when} – {_shown(segment.language)}, {_maker(segment)}\n\n"


class JsonWriter:
    """JSON: the room, its sessions, their segments with the keys of our sockets.

    A session whose last segments come after the next one's first is listed twice.
    """

    media_type: ClassVar[str] = "application/json"

    def __init__(self, room: str, session: str | None = None) -> None:
        self._room = room
        self._sessions = _Sessions(session)
        self._session: str | None = None

    def begin(self) -> str:
        """Return the object's opening, with the room."""
        return f'{{"room":{_json(self._room)},"sessions":['

    def add(self, entry: Entry) -> str:
        """Return the segment, in its session."""
        segment = self._sessions.hear(entry)
        if segment is None:
            return ""
        before = "," if segment.session == self._session else self._opening(segment)
        self._session = segment.session
        return f"{before}\n{_json(segment_fields(segment, entry.number, utc_iso(entry.at_ms)))}"

    def end(self) -> str:
        """Return what closes the last session and the file."""
        return "]}\n" if self._session is None else "]}]}\n"

    def _opening(self, segment: Segment) -> str:
        """Return what closes the session before and opens the segment's."""
        close = "" if self._session is None else "]},"
        fields = {
            "session": segment.session,
            "language": self._sessions.languages[segment.session],
            "started_at": utc_iso(self._sessions.started_ms[segment.session]),
        }
        return f'{close}\n{_json(fields)[:-1]},"segments":['


WRITERS: dict[str, type[Writer]] = {
    "srt": SrtWriter,
    "vtt": VttWriter,
    "txt": TxtWriter,
    "json": JsonWriter,
}
"""The formats by the ending of their files' names."""


def to_srt(room: str, entries: Iterable[Entry], session: str | None = None) -> Iterator[str]:
    """Yield the SubRip file of a room's log, or of one session in it, piece by piece."""
    return _written(SrtWriter(room, session), entries)


def to_vtt(room: str, entries: Iterable[Entry], session: str | None = None) -> Iterator[str]:
    """Yield the WebVTT file of a room's log, or of one session in it, piece by piece."""
    return _written(VttWriter(room, session), entries)


def to_txt(room: str, entries: Iterable[Entry], session: str | None = None) -> Iterator[str]:
    """Yield the plain text of a room's log, or of one session in it, piece by piece."""
    return _written(TxtWriter(room, session), entries)


def to_json(room: str, entries: Iterable[Entry], session: str | None = None) -> Iterator[str]:
    """Yield the JSON file of a room's log, or of one session in it, piece by piece."""
    return _written(JsonWriter(room, session), entries)


def _written(writer: Writer, entries: Iterable[Entry]) -> Iterator[str]:
    yield writer.begin()
    yield from map(writer.add, entries)
    yield writer.end()


def _cues(segment: Segment, offset_ms: int) -> Iterator[Cue]:
    """Yield the segment's cues; their ends are where their speech ends."""
    pieces = [piece for word in _shown(segment.text).split() for piece in _broken(word)]
    lines = _balanced(pieces)
    sound = _Sound(segment)
    letter = 0
    for first in range(0, len(lines), CUE_LINES):
        part = lines[first : first + CUE_LINES]
        begin, letter = letter, letter + sum(len(piece) for line in part for piece in line)
        yield Cue(
            start_ms=offset_ms + _ms(sound.start_frame(begin)),
            end_ms=offset_ms + _ms(sound.end_frame(letter)),
            lines=tuple(" ".join(line) for line in part),
            words=sum(map(len, part)),
            made_by=_maker(segment),
        )


class _Sound:
    """Says under which frames of a segment a letter of its text is; blanks are not counted.

    By its words' times where the words are those of the text, else evenly by letters.
    """

    def __init__(self, segment: Segment) -> None:
        texts = _shown(segment.text).split()
        words = [_shown(word.text).replace(" ", "") for word in segment.words]
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


def _shown(text: str) -> str:
    """Return a text as one line without characters that no file can hold."""
    return " ".join(_HALF_PAIRS.sub("\N{REPLACEMENT CHARACTER}", _UNSEEN.sub(" ", text)).split())


def _maker(segment: Segment) -> str:
    """Return who made the words: viewers are told when a machine did."""
    engine = f", engine {segment.engine}" if segment.engine else ""
    return _shown(segment.made_by + engine)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _times(cue: Cue, point: str) -> str:
    return f"{_clock(cue.start_ms, point)} --> {_clock(cue.end_ms, point)}"


def _clock(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"


def _ms(frame: int) -> int:
    return frame * 1000 // RATE_HZ


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _HALF_PAIRS.sub("\N{REPLACEMENT CHARACTER}", text)
