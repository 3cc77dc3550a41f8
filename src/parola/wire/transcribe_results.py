"""The results of a transcription stream: the JSON inside `TranscriptEvent`, read and written.

Source: Amazon Transcribe API reference, TranscriptEvent (2026-11). Every key is optional there:
one that is absent or null reads as empty, zero or None. Keys we do not know are passed over.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from parola.domain.errors import BadMessage


class BadTranscript(BadMessage):
    """An event that is no transcript: not JSON, or a known key holds another type of value."""


ItemKind = Literal["pronunciation", "punctuation"]


@dataclass(frozen=True, slots=True)
class Item:
    """A word or a punctuation mark; times in seconds since the stream's first audio."""

    content: str
    start_s: float
    end_s: float
    kind: ItemKind = "pronunciation"
    confidence: float | None = None
    """0 to 1, in finals only."""

    stable: bool | None = None
    """Whether it will not change; None without stabilisation."""

    speaker: str | None = None
    """In finals only, with speaker labels: "0", "1" …"""

    vocabulary_filter_match: bool = False


@dataclass(frozen=True, slots=True)
class Entity:
    """Personal information that was found; in finals only."""

    content: str
    start_s: float
    end_s: float
    category: str = "PII"
    kind: str = ""
    """Such as "NAME"."""

    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """What may have been said. The service sends one."""

    transcript: str
    items: tuple[Item, ...] = ()
    entities: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class LanguageScore:
    """How likely a language is."""

    language_code: str
    score: float


@dataclass(frozen=True, slots=True)
class Result:
    """One utterance's newest transcript; times in seconds since the stream's first audio.

    Partials of an utterance and its final share `start_s`, and mostly `result_id`.
    """

    result_id: str
    start_s: float
    end_s: float
    is_partial: bool
    alternatives: tuple[Alternative, ...] = ()
    channel_id: str | None = None
    """ "ch_0" or "ch_1", with channel identification."""

    language_code: str | None = None
    """With language identification only."""

    language_identification: tuple[LanguageScore, ...] = ()


def read_transcript_event(payload: bytes) -> list[Result]:
    """Return the results of a `TranscriptEvent`, often one, sometimes none.

    Raises:
        BadTranscript: it is not JSON, or a known key holds another type of value.
    """
    try:
        whole = json.loads(payload)
    except (ValueError, RecursionError):
        raise _bad("the event", "JSON") from None
    if not isinstance(whole, dict):
        raise _bad("the event", "an object")
    transcript = _get(whole, "Transcript", dict) or {}
    return list(_each(transcript, "Results", _result))


def write_transcript_event(results: Iterable[Result]) -> bytes:
    """Return the payload of a `TranscriptEvent`."""
    whole = {"Transcript": {"Results": [_result_fields(result) for result in results]}}
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _HALF_PAIRS.sub("\N{REPLACEMENT CHARACTER}", text).encode()


_HALF_PAIRS = re.compile("[\ud800-\udfff]")

Fields = dict[str, Any]
T = TypeVar("T")


def _result(fields: Fields) -> Result:
    return Result(
        result_id=_text(fields, "ResultId"),
        start_s=_number(fields, "StartTime"),
        end_s=_number(fields, "EndTime"),
        is_partial=_get(fields, "IsPartial", bool) or False,
        alternatives=_each(fields, "Alternatives", _alternative),
        channel_id=_get(fields, "ChannelId", str),
        language_code=_get(fields, "LanguageCode", str),
        language_identification=_each(fields, "LanguageIdentification", _language_score),
    )


def _alternative(fields: Fields) -> Alternative:
    return Alternative(
        transcript=_text(fields, "Transcript"),
        items=_each(fields, "Items", _item),
        entities=_each(fields, "Entities", _entity),
    )


def _item(fields: Fields) -> Item:
    # A type we do not know yet is a word: nothing said is lost.
    punctuation = _text(fields, "Type") == "punctuation"
    return Item(
        content=_text(fields, "Content"),
        start_s=_number(fields, "StartTime"),
        end_s=_number(fields, "EndTime"),
        kind="punctuation" if punctuation else "pronunciation",
        confidence=_optional_number(fields, "Confidence"),
        stable=_get(fields, "Stable", bool),
        speaker=_get(fields, "Speaker", str),
        vocabulary_filter_match=_get(fields, "VocabularyFilterMatch", bool) or False,
    )


def _entity(fields: Fields) -> Entity:
    return Entity(
        content=_text(fields, "Content"),
        start_s=_number(fields, "StartTime"),
        end_s=_number(fields, "EndTime"),
        category=_text(fields, "Category"),
        kind=_text(fields, "Type"),
        confidence=_optional_number(fields, "Confidence"),
    )


def _language_score(fields: Fields) -> LanguageScore:
    return LanguageScore(_text(fields, "LanguageCode"), _number(fields, "Score"))


def _result_fields(result: Result) -> Fields:
    fields: Fields = {
        "ResultId": result.result_id,
        "StartTime": result.start_s,
        "EndTime": result.end_s,
        "IsPartial": result.is_partial,
        "ChannelId": result.channel_id,
        "LanguageCode": result.language_code,
        "LanguageIdentification": [
            {"LanguageCode": one.language_code, "Score": one.score}
            for one in result.language_identification
        ]
        or None,
        "Alternatives": [_alternative_fields(one) for one in result.alternatives],
    }
    return _set(fields)


def _alternative_fields(alternative: Alternative) -> Fields:
    fields: Fields = {
        "Transcript": alternative.transcript,
        "Items": [_item_fields(item) for item in alternative.items],
        "Entities": [_entity_fields(entity) for entity in alternative.entities] or None,
    }
    return _set(fields)


def _item_fields(item: Item) -> Fields:
    fields: Fields = {
        "StartTime": item.start_s,
        "EndTime": item.end_s,
        "Type": item.kind,
        "Content": item.content,
        "VocabularyFilterMatch": item.vocabulary_filter_match,
        "Speaker": item.speaker,
        "Confidence": item.confidence,
        "Stable": item.stable,
    }
    return _set(fields)


def _entity_fields(entity: Entity) -> Fields:
    fields: Fields = {
        "StartTime": entity.start_s,
        "EndTime": entity.end_s,
        "Category": entity.category,
        "Type": entity.kind,
        "Content": entity.content,
        "Confidence": entity.confidence,
    }
    return _set(fields)


def _set(fields: Fields) -> Fields:
    """Return the fields without those that are None: the service leaves them out."""
    return {name: value for name, value in fields.items() if value is not None}


def _each(fields: Fields, name: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
    found = _get(fields, name, list) or []
    if not all(isinstance(one, dict) for one in found):
        raise _bad(name, "a list of objects")
    return tuple(read(one) for one in found)


def _text(fields: Fields, name: str) -> str:
    return _get(fields, name, str) or ""


def _number(fields: Fields, name: str) -> float:
    return _optional_number(fields, name) or 0.0


def _optional_number(fields: Fields, name: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(name, "a number")
    try:
        number = float(value)
    except OverflowError:
        raise _bad(name, "a number") from None
    if not math.isfinite(number):
        raise _bad(name, "a number")
    return number


def _get(fields: Fields, name: str, kind: type[T]) -> T | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, kind):
        raise _bad(name, _NAMES[kind])
    return value


_NAMES: dict[type, str] = {str: "a text", bool: "true or false", dict: "an object", list: "a list"}


def _bad(name: str, wanted: str) -> BadTranscript:
    return BadTranscript(
        f"A transcript's {name} is not {wanted}: what answers is not Amazon Transcribe, or a "
        "newer version of it."
    )
