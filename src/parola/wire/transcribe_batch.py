"""Reads what an Amazon Transcribe batch job leaves in S3, as far as it is text.

Source: Amazon Transcribe Developer Guide, "Data input and output", batch.
"""

import json
from collections.abc import Iterator
from typing import Any

from parola.domain.audio import RATE_HZ
from parola.domain.errors import EngineFailed
from parola.domain.transcript import Segment, Word

PAUSE_S = 1.0
"""A silence between two words that ends a segment."""

MOST_WORDS = 40
"""A segment of somebody who never pauses ends here."""

ENDS = frozenset(".?!。？！")
"""Signs that end a sentence."""


def read_transcript(text: bytes, session: str, language: str, engine: str) -> tuple[Segment, ...]:
    """Return a job's text as segments: sentences, or what stands between two pauses.

    Raises:
        EngineFailed: it is not what such a job leaves.
    """
    try:
        items = json.loads(text)["results"]["items"]
        said = [_segment(group) for group in _groups(items)]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise EngineFailed(
            f"What Amazon Transcribe left cannot be read ({type(error).__name__}: {error})."
        ) from error
    return tuple(
        Segment(
            session,
            number,
            sentence,
            words[0].start_frame,
            max(words[-1].end_frame, words[0].start_frame + 1),
            is_final=True,
            language=language,
            words=words,
            engine=engine,
        )
        for number, (sentence, words) in enumerate(said, start=1)
    )


def _groups(items: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the items of one segment after the other; each begins with a word."""
    group: list[dict[str, Any]] = []
    words, end_s, is_over = 0, 0.0, False
    for item in items:
        is_word = item["type"] == "pronunciation"
        if is_word:
            pauses = float(item["start_time"]) - end_s >= PAUSE_S
            if group and (is_over or pauses or words >= MOST_WORDS):
                yield group
                group, words = [], 0
            end_s, is_over, words = float(item["end_time"]), False, words + 1
        else:
            is_over = _content(item) in ENDS
        if is_word or group:  # a sign before the first word belongs to nothing
            group.append(item)
    if group:
        yield group


def _segment(group: list[dict[str, Any]]) -> tuple[str, tuple[Word, ...]]:
    text, words = "", []
    for item in group:
        if item["type"] != "pronunciation":
            text += _content(item)
            continue
        word = Word(
            _content(item),
            round(float(item["start_time"]) * RATE_HZ),
            round(float(item["end_time"]) * RATE_HZ),
            float(item["alternatives"][0]["confidence"]),
        )
        words.append(word)
        text += f" {word.text}" if text else word.text
    return text, tuple(words)


def _content(item: dict[str, Any]) -> str:
    content = item["alternatives"][0]["content"]
    if not isinstance(content, str):
        raise TypeError("a word is no text")
    return content
