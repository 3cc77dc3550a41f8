"""A room's log as files people use: SubRip, WebVTT, plain text and JSON.

Each format is a writer: `begin` returns the head, `add` takes the log's entries in order and
returns the text that is ready, `end` returns the rest. So a day's log streams through and is
never in memory as a whole. A writer knows nothing of edits: it is given the log as it reads now
(`parola.domain.corrections.Edits.read_all`). `to_srt`, `to_vtt`, `to_txt` and `to_json` do all of
that for entries that are at hand.

How segments become cues, and on which clock: `parola.domain.cues`.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Protocol

from parola.domain.audio import to_seconds
from parola.domain.corrections import Edits
from parola.domain.cues import Cue, Cues, Sessions, Speakers, maker, shown_text
from parola.domain.log import Entry
from parola.domain.transcript import Segment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    heard = {"heard": segment.heard} if segment.heard else {}
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
                **({"doubtful": True} if word.doubtful else {}),
            }
            for word in segment.words
        ],
        "speaker": segment.speaker,
        "language": segment.language,
        "made_by": segment.made_by,
        "engine": segment.engine,
        **heard,
    }


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
        self._room = shown_text(room)
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
    """SubRip. It has no escapes: "-->" in a text is written as "→".

    Nor has it speakers: a name and a colon stand before the first words of each.
    """

    media_type: ClassVar[str] = "application/x-subrip"
    _count = 0

    def begin(self) -> str:
        """Return nothing: the format has no head."""
        return ""

    def _block(self, cue: Cue) -> str:
        self._count += 1
        first, *rest = cue.lines
        lines = [f"{cue.label} {first}".strip(), *rest]
        text = "\n".join(lines).replace("-->", "→")
        return f"{self._count}\n{_times(cue, ',')}\n{text}\n\n"


class VttWriter(_CueWriter):
    """WebVTT. Source: W3C WebVTT, section 4.1 (blocks and comments) and 4.2.2 (escapes, voices).

    A comment says who made the words, before the first cue and wherever it changes. A cue whose
    speaker is known is a voice span, which ends with the cue.
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
        voice = f"<v {_escaped(cue.speaker)}>" if cue.speaker else ""
        text = voice + "\n".join(_escaped(line) for line in cue.lines if line)
        return f"{note}{_times(cue, '.')}\n{text}\n\n"


class TxtWriter:
    """Plain text: a line of heading for each session, a paragraph for each segment.

    Where another speaker begins, the paragraph begins with the name and a colon.
    """

    media_type: ClassVar[str] = "text/plain"

    def __init__(self, room: str, session: str | None = None) -> None:
        self._room = shown_text(room)
        self._sessions = Sessions(session)
        self._session: str | None = None
        self._speakers = Speakers()

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
        paragraph = f"{self._speakers.label(segment)} {shown_text(segment.text)}".strip()
        return f"{head}{paragraph}\n\n"

    def end(self) -> str:
        """Return nothing: every paragraph is complete."""
        return ""

    def _heading(self, segment: Segment) -> str:
        started = utc_iso(self._sessions.started_ms[segment.session])
        when = f"{started[:10]} {started[11:16]} UTC"
        return f"{self._room} – {when} – {shown_text(segment.language)}, {maker(segment)}\n\n"


class JsonWriter:
    """JSON: the room, its sessions, their segments with the keys of our sockets.

    A session whose last segments come after the next one's first is listed twice.
    """

    media_type: ClassVar[str] = "application/json"

    def __init__(self, room: str, session: str | None = None) -> None:
        self._room = room
        self._sessions = Sessions(session)
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
    log = list(entries)
    yield writer.begin()
    yield from map(writer.add, Edits(log).read_all(log))
    yield writer.end()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _times(cue: Cue, point: str) -> str:
    return f"{_clock(cue.start_ms, point)} --> {_clock(cue.end_ms, point)}"


def _clock(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _HALF_PAIRS.sub("\N{REPLACEMENT CHARACTER}", text)
