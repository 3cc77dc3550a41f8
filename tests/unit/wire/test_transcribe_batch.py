"""What an Amazon Transcribe batch job leaves becomes segments."""

import json
from typing import Any

import pytest

from parola.domain.errors import EngineFailed
from parola.wire.transcribe_batch import MOST_WORDS, read_transcript


def word(text: str, start_s: float, end_s: float) -> dict[str, Any]:
    """Return a word as Amazon writes it: numbers are texts."""
    return {
        "type": "pronunciation",
        "start_time": f"{start_s:.2f}",
        "end_time": f"{end_s:.2f}",
        "alternatives": [{"confidence": "0.95", "content": text}],
    }


def sign(text: str) -> dict[str, Any]:
    return {"type": "punctuation", "alternatives": [{"confidence": "0.0", "content": text}]}


def read(*items: dict[str, Any]) -> list[tuple[str, float, float]]:
    document = json.dumps({"jobName": "j", "results": {"items": items}}).encode()
    segments = read_transcript(document, "job", "en-US", "amazon")
    assert [segment.number for segment in segments] == list(range(1, len(segments) + 1))
    assert all(segment.is_final for segment in segments)
    return [(segment.text, segment.start_s, segment.end_s) for segment in segments]


def test_sentences_and_pauses_end_segments() -> None:
    """Signs stand where they belong, and a word after a pause begins a new segment."""
    assert read(
        sign("¿"),
        word("I've", 4.86, 5.01),
        word("been", 5.01, 5.16),
        sign(","),
        word("on", 5.16, 5.28),
        word("hold", 5.28, 5.62),
        sign("."),
        word("Sorry", 5.7, 6.0),
        word("about", 7.5, 7.75),
    ) == [("I've been, on hold.", 4.86, 5.62), ("Sorry", 5.7, 6.0), ("about", 7.5, 7.75)]


def test_words_have_their_times_and_confidence() -> None:
    """Times are frames, and somebody who never pauses is cut all the same."""
    document = {"results": {"items": [word("a", n / 10, n / 10 + 0.1) for n in range(100)]}}
    segments = read_transcript(json.dumps(document).encode(), "job", "en-US", "amazon")
    assert [len(segment.words) for segment in segments] == [MOST_WORDS, MOST_WORDS, 20]
    last = segments[-1].words[-1]
    assert (last.start_frame, last.end_frame, last.confidence) == (158_400, 160_000, 0.95)


def test_silence_has_no_segments() -> None:
    """A recording without words is done, with nothing in it."""
    assert read() == []


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"results":{}}',
        b'{"results":{"items":[{"type":"pronunciation"}]}}',
        b'{"results":{"items":[7]}}',
        json.dumps({"results": {"items": [word("a", 0, 1) | {"start_time": "soon"}]}}).encode(),
        json.dumps({"results": {"items": [word("a", 0, 1) | {"alternatives": []}]}}).encode(),
    ],
)
def test_anything_else_is_told(document: bytes) -> None:
    """What is no transcript is an error with a sentence, never a crash."""
    with pytest.raises(EngineFailed, match="cannot be read"):
        read_transcript(document, "job", "en-US", "amazon")
