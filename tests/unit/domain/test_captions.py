"""Caption files, checked with small parsers of their own."""

import json
import math
import re
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parola.domain import captions
from parola.domain.audio import RATE_HZ
from parola.domain.captions import (
    to_json,
    to_srt,
    to_txt,
    to_vtt,
    utc_iso,
)
from parola.domain.cues import CUE_LINES, LINE_CHARACTERS
from parola.domain.log import Entry, StateChange
from parola.domain.transcript import Segment, Word

# A first run builds Hypothesis's table of characters, and a busy machine has no pace.
patiently = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOON_MS = 1_780_000_000_000

Parsed = tuple[int, int, list[str]]
"""A cue's start and end in milliseconds, and its lines."""


def _segment(
    text: str,
    start_s: float,
    end_s: float,
    *,
    session: str = "talk",
    words: tuple[Word, ...] = (),
    speaker: str | None = None,
) -> Segment:
    return Segment(
        speaker=speaker,
        session=session,
        number=1,
        text=text,
        first_frame=round(start_s * RATE_HZ),
        end_frame=round(end_s * RATE_HZ),
        is_final=True,
        language="it-IT",
        words=words,
        engine="scripted",
    )


def _word(text: str, start_s: float, end_s: float) -> Word:
    return Word(text, round(start_s * RATE_HZ), round(end_s * RATE_HZ))


def _log(*bodies: tuple[float, Segment | StateChange]) -> list[Entry]:
    """Return entries logged so many seconds after noon."""
    return [
        Entry("Sala Grande", number, NOON_MS + round(at_s * 1000), body)
        for number, (at_s, body) in enumerate(bodies, start=1)
    ]


def _started(session: str) -> StateChange:
    return StateChange("session_started", session, "it-IT")


def _milliseconds(time: str, point: str) -> int:
    match = re.fullmatch(rf"(\d\d+):([0-5]\d):([0-5]\d)\{point}(\d\d\d)", time)
    assert match, time
    hours, minutes, seconds, ms = map(int, match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def _parse_times(line: str, point: str) -> tuple[int, int]:
    start, arrow, end = line.split(" ")
    assert arrow == "-->"
    return _milliseconds(start, point), _milliseconds(end, point)


def _checked(pieces: Iterable[str]) -> str:
    """Return the file, which is UTF-8 and has no control characters but line feeds."""
    file = "".join(pieces)
    file.encode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", file)
    return file


def _parse_srt(pieces: Iterable[str]) -> list[Parsed]:
    file = _checked(pieces)
    assert file == "" or file.endswith("\n\n")
    cues = []
    for count, block in enumerate(file.split("\n\n")[:-1], start=1):
        number, times, *lines = block.split("\n")
        assert number == str(count)
        assert lines
        assert not any("-->" in line for line in lines)
        cues.append((*_parse_times(times, ","), lines))
    return cues


def _parse_vtt(pieces: Iterable[str]) -> list[Parsed]:
    file = _checked(pieces)
    head, *blocks, rest = file.split("\n\n")
    assert head == "WEBVTT"
    assert rest == ""
    cues = []
    for block in blocks:
        times, *lines = block.split("\n")
        if times.startswith("NOTE "):
            assert not lines
            assert "-->" not in times
            continue
        assert lines
        lines[0] = re.sub("^<v [^<>]+>", "", lines[0])
        assert all(lines)
        assert not re.search(r"[<>]|-->|&(?!amp;|lt;|gt;)", "".join(lines))
        cues.append((*_parse_times(times, "."), [_unescaped(line) for line in lines]))
    return cues


def _voices(pieces: Iterable[str]) -> list[str]:
    """Return who says each cue of a WebVTT file; "" where it does not say."""
    texts = re.findall(r"(?m)^[\d:.]+ --> [\d:.]+\n(.*)$", "".join(pieces))
    found = [re.match("<v ([^>]+)>", text) for text in texts]
    return [_unescaped(match[1]) if match else "" for match in found]


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _letters(text: str) -> str:
    """Return what a reader sees of a text, without blanks and what no file can hold."""
    seen = re.sub(
        "[\x00-\x1f\x7f-\x9f]", "", re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)
    )
    return "".join(seen.split())


texts = st.text(max_size=200) | st.lists(
    st.sampled_from(["ciao", "-->", "<b>", "a&b", "perché", "1", "\ud800", "WEBVTT", "x" * 90]),
    max_size=40,
).map(" ".join)
frames = st.integers(0, 200 * 3600 * RATE_HZ)
words = st.builds(
    Word, st.text(max_size=12), frames, frames, st.sampled_from([None, 0.9, math.nan, math.inf])
)


speakers = [None, "", "Ada", "spk_1", "<b>A</b> & --> \n\nB", "Johann " * 8]


@st.composite
def _segments(draw: st.DrawFn) -> Segment:
    """Segments an engine might come up with, and worse: times run backwards and past the end."""
    first, length = draw(frames), draw(st.integers(0, 60 * RATE_HZ))
    text = draw(texts)
    near = st.integers(-RATE_HZ, length + RATE_HZ).map(lambda frame: max(first + frame, 0))
    said = tuple(Word(part, draw(near), draw(near)) for part in text.split())
    return Segment(
        session=draw(st.sampled_from(["one", "two", "three"])),
        number=draw(st.integers(1, 99)),
        text=text,
        first_frame=first,
        end_frame=first + length,
        is_final=True,
        language="it-IT",
        words=draw(st.just(said) | st.just(()) | st.lists(words, max_size=5).map(tuple)),
        engine=draw(st.sampled_from(["", "sherpa", "a-->b\n\n<i>"])),
        speaker=draw(st.sampled_from(speakers)),
    )


changes = st.builds(
    StateChange,
    st.sampled_from(["session_started", "session_ended", "language"]),
    st.sampled_from(["one", "two", "three"]),
    st.just("it-IT"),
)


@st.composite
def _logs(draw: st.DrawFn) -> list[Entry]:
    bodies = draw(st.lists(_segments() | changes, max_size=12))
    at_ms = draw(st.integers(0, 2 * NOON_MS))
    entries = []
    for number, body in enumerate(bodies, start=1):
        at_ms += draw(st.integers(1, 5_000_000))
        entries.append(Entry("Sala <1> --> 2", number, at_ms, body))
    return entries


sessions = st.sampled_from([None, "one", "nobody"])


def _spoken(entries: list[Entry], session: str | None) -> list[Segment]:
    return [
        entry.body
        for entry in entries
        if isinstance(entry.body, Segment)
        and _letters(entry.body.text)
        and session in {None, entry.body.session}
    ]


@patiently
@given(_logs(), sessions)
def test_any_log_gives_cues_a_player_can_show(entries: list[Entry], session: str | None) -> None:
    """Cues are in order, never overlap, never end before they start, and fit on two lines."""
    room = "Sala <1> --> 2"
    cues = _parse_srt(to_srt(room, entries, session))
    for start_ms, end_ms, lines in cues:
        assert start_ms < end_ms
        assert 1 <= len(lines) <= CUE_LINES
        assert all(0 < len(line) <= LINE_CHARACTERS for line in lines)
    for (_, end_ms, _), (next_ms, _, _) in pairwise(cues):
        assert end_ms <= next_ms


@patiently
@given(_logs(), sessions)
def test_no_letter_is_lost_or_added(entries: list[Entry], session: str | None) -> None:
    """The text of a file's cues is the text of the log, whatever is in it."""
    said = "".join(_letters(segment.text) for segment in _spoken(entries, session))
    vtt = _parse_vtt(to_vtt("Sala <1> --> 2", entries, session))
    assert _letters("".join(line for *_, lines in vtt for line in lines)) == said
    srt = _parse_srt(to_srt("Sala <1> --> 2", entries, session))
    assert [cue[:2] for cue in srt] == [cue[:2] for cue in vtt]
    voices = _voices(to_vtt("Sala <1> --> 2", entries, session))
    for (*_, in_srt), (*_, in_vtt), voice in zip(srt, vtt, voices, strict=True):
        text = " ".join(in_vtt).replace("-->", "→")
        name = voice if len(voice) < LINE_CHARACTERS else f"{voice[: LINE_CHARACTERS - 2]}…"
        assert " ".join(in_srt) in {text, f"{name}: {text}".replace("-->", "→")}


@patiently
@given(_logs(), sessions)
def test_any_log_gives_json_and_text(entries: list[Entry], session: str | None) -> None:
    """The JSON file parses and holds every segment; the text file has a paragraph for each."""
    wanted = _spoken(entries, session)
    file = json.loads("".join(to_json("r", entries, session)), parse_constant=pytest.fail)
    listed = [found for one in file["sessions"] for found in one["segments"]]
    assert [_letters(one["text"]) for one in listed] == [_letters(one.text) for one in wanted]
    text = _checked(to_txt("r", entries, session))
    paragraphs = [part for part in text.split("\n\n") if part and not part.startswith("r – ")]
    for part, one in zip(paragraphs, wanted, strict=True):
        said, name = _letters(one.text), _letters(one.speaker or "")
        assert _letters(part).endswith(said)
        label = _letters(part).removesuffix(said)
        assert not label or name.startswith(label.rstrip("…:"))


@patiently
@given(st.lists(st.text("abcdefg,.", min_size=1, max_size=12), min_size=1, max_size=60))
def test_words_are_whole_and_lines_few(said: list[str]) -> None:
    """A text is never broken inside a word that fits, and needs no more lines than it must."""
    cues = _parse_srt(to_srt("r", _log((9, _segment(" ".join(said), 0, 9)))))
    lines = [line for *_, part in cues for line in part]
    assert " ".join(lines) == " ".join(said)
    full = [""]
    for one in said:
        if full[-1] and len(full[-1]) + 1 + len(one) > LINE_CHARACTERS:
            full.append("")
        full[-1] = f"{full[-1]} {one}".strip()
    assert len(lines) == len(full)


def test_a_long_segment_is_cut_where_its_words_are() -> None:
    """Each cue of a long segment starts with the sound of its own first word."""
    said = tuple(_word(f"parola{n:02}", n * 2, n * 2 + 1) for n in range(12))
    body = _segment(" ".join(one.text for one in said), 0, 24, words=said)
    cues = _parse_srt(to_srt("r", _log((24, body))))
    assert [lines for *_, lines in cues] == [
        ["parola00 parola01 parola02 parola03", "parola04 parola05 parola06 parola07"],
        ["parola08 parola09 parola10 parola11"],
    ]
    assert [cue[:2] for cue in cues] == [(0, 15_000), (16_000, 23_000)]


def test_lines_are_filled_evenly() -> None:
    """No line is left with one word while the line before it is full."""
    text = "una riga piena di parole fino al bordo ultima"
    [(*_, lines)] = _parse_srt(to_srt("r", _log((5, _segment(text, 0, 5)))))
    assert lines == ["una riga piena di parole", "fino al bordo ultima"]


def test_what_cannot_fit_is_broken_but_never_before_an_accent() -> None:
    """A word longer than a line goes on in the next, each accent with its letter."""
    text = "x" * 36 + "e\N{COMBINING GRAVE ACCENT}" + "y" * 5
    [(*_, lines)] = _parse_srt(to_srt("r", _log((5, _segment(text, 0, 5)))))
    assert lines == ["x" * 36, "e\N{COMBINING GRAVE ACCENT}yyyyy"]


def test_words_that_differ_in_commas_still_time_the_cues() -> None:
    """An engine may write "Ciao," in the text and "ciao" in the words."""
    said = tuple(_word(f"parola{n:02}", n * 2, n * 2 + 1) for n in range(12))
    body = _segment(" ".join(f"{one.text.upper()}," for one in said), 0, 24, words=said)
    assert [cue[0] for cue in _parse_srt(to_srt("r", _log((24, body))))] == [0, 12_000]


def test_without_words_time_is_shared_by_letters() -> None:
    """A segment without words is cut in proportion to its letters."""
    body = _segment(" ".join(["abcdefghi"] * 12), 10, 22)
    assert [cue[:2] for cue in _parse_srt(to_srt("r", _log((22, body))))] == [
        (10_000, 16_000),
        (16_000, 22_000),
    ]


def test_a_short_cue_stays_long_enough_to_be_read() -> None:
    """A cue stays for 0.3 s a word and a second at least, unless the next one needs the place."""
    entries = _log(
        (1, _segment("uno due tre quattro cinque", 0, 0.5)),
        (4, _segment("sì", 4, 4.2)),
        (5, _segment("no", 4.5, 4.6)),
        (9, _segment("fine", 9, 9.1)),
    )
    assert [cue[:2] for cue in _parse_srt(to_srt("r", entries))] == [
        (0, 1500),
        (4000, 4500),
        (4500, 5500),
        (9000, 10_000),
    ]


def test_sessions_follow_each_other_by_the_wall_clock() -> None:
    """In a room's file a session starts where it did that day; alone it starts at 0."""
    entries = _log(
        (0, _started("one")),
        (3, _segment("buongiorno", 1, 2, session="one")),
        (60, _started("two")),
        (63, _segment("benvenuti", 1, 2, session="two")),
    )
    assert [cue[0] for cue in _parse_srt(to_srt("r", entries))] == [1000, 61_000]
    assert [cue[0] for cue in _parse_srt(to_srt("r", entries, "two"))] == [1000]


def test_a_session_without_a_start_is_placed_by_its_first_segment() -> None:
    """Where the log does not say when a session began, its first segment does."""
    entries = _log(
        (2, _segment("buongiorno", 1, 2, session="one")),
        (62, _segment("benvenuti", 1, 2, session="two")),
    )
    assert [cue[0] for cue in _parse_srt(to_srt("r", entries))] == [1000, 61_000]


def test_an_upload_longer_than_it_took_is_not_run_over() -> None:
    """A session whose audio is longer than the time it took moves the next one back."""
    entries = _log(
        (0, _started("upload")),
        (5, _segment("tutto il discorso", 3590, 3600, session="upload")),
        (60, _started("talk")),
        (63, _segment("dal vivo", 1, 2)),
    )
    assert [cue[0] for cue in _parse_srt(to_srt("r", entries))] == [3_590_000, 3_601_000]


def test_hours_may_pass_ninety_nine() -> None:
    """A cue on the fifth day has a time that players read."""
    entries = _log((1, _segment("ancora qui", 400_000, 400_002)))
    assert "111:06:40,000 --> 111:06:42,000" in "".join(to_srt("r", entries, "talk"))


def test_a_vtt_file_says_who_made_the_words() -> None:
    """The file says in comments which room it is of and that a machine wrote it."""
    file = "".join(to_vtt("Sala -->", _log((2, _segment("a < b --> c & d", 0, 2)))))
    assert file == (
        "WEBVTT\n\n"
        "NOTE Room Sala --&gt;\n\n"
        "NOTE automatic, engine scripted\n\n"
        "00:00:00.000 --> 00:00:02.100\n"
        "a &lt; b --&gt; c &amp; d\n\n"
    )


def test_files_say_who_speaks() -> None:
    """Every WebVTT cue has its voice; SubRip and plain text name each speaker who begins."""
    said = [("Ada", "Hello."), ("Ada", "Is it on?"), ("R&D <2>", "It is."), (None, "[laughter]")]
    said += [("R&D <2>", "Thanks."), ("Ada", "So.")]
    entries = _log(
        *((2 * n + 2, _segment(text, 2 * n, 2 * n + 1.9, speaker=name))
          for n, (name, text) in enumerate(said)),
        (30, _segment("Next talk.", 0, 2, session="next", speaker="Ada")),
    )  # fmt: skip
    voices = _voices(to_vtt("main", entries))
    assert voices == ["Ada", "Ada", "R&D <2>", "", "R&D <2>", "Ada", "Ada"]
    spoken = ["Ada: Hello.", "Is it on?", "R&D <2>: It is.", "[laughter]", "Thanks.", "Ada: So."]
    spoken += ["Ada: Next talk."]
    assert [" ".join(lines) for *_, lines in _parse_srt(to_srt("main", entries))] == spoken
    text = "".join(to_txt("main", entries)).split("\n\n")
    assert [part for part in text if part and "UTC" not in part] == spoken


def test_a_text_file_has_a_heading_for_each_session() -> None:
    """Plain text is a heading with room and date for each session, then a paragraph a segment."""
    entries = _log((0, _started("one")), (3, _segment("Buongiorno.", 1, 2, session="one")))
    assert "".join(to_txt("Sala Grande", entries)) == (
        "Sala Grande – 2026-05-28 20:26 UTC – it-IT, automatic, engine scripted\n\nBuongiorno.\n\n"
    )


def test_a_json_file_has_the_keys_of_the_sockets() -> None:
    """A program reads the same keys from a file as from a socket."""
    body = _segment("Sì.", 1, 2, session="one", words=(_word("Sì.", 1, 2),))
    file = json.loads("".join(to_json("Sala", _log((0, _started("one")), (3, body)))))
    assert file == {
        "room": "Sala",
        "sessions": [
            {
                "session": "one",
                "language": "it-IT",
                "started_at": utc_iso(NOON_MS),
                "segments": [
                    {
                        "text": "Sì.",
                        "session": "one",
                        "segment": 1,
                        "seq": 2,
                        "at": utc_iso(NOON_MS + 3000),
                        "start_s": 1.0,
                        "end_s": 2.0,
                        "words": [
                            {
                                "text": "Sì.",
                                "start_s": 1.0,
                                "end_s": 2.0,
                                "confidence": None,
                                "stable": False,
                            }
                        ],
                        "speaker": None,
                        "language": "it-IT",
                        "made_by": "automatic",
                        "engine": "scripted",
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("ending", "empty"),
    [
        ("srt", ""),
        ("vtt", "WEBVTT\n\nNOTE Room r\n\n"),
        ("txt", ""),
        ("json", '{"room":"r","sessions":[]}\n'),
    ],
)
def test_a_room_nobody_spoke_in_gives_a_valid_file(ending: str, empty: str) -> None:
    """An empty log gives a file that is empty and valid."""
    writer = captions.WRITERS[ending]("r")
    assert writer.begin() + writer.end() == empty


def test_times_are_iso_8601_to_the_millisecond() -> None:
    """A time of day is written in UTC, to the millisecond."""
    assert utc_iso(0) == "1970-01-01T00:00:00.000Z"
    assert utc_iso(1_780_000_000_007) == "2026-05-28T20:26:40.007Z"


def test_a_long_day_streams() -> None:
    """What is ready is handed on at once: nothing is kept but one cue."""
    pieces = list(to_srt("r", _log(*((n, _segment("ciao", n, n + 1)) for n in range(1000)))))
    assert max(map(len, pieces)) < 100
