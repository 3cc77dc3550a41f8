"""Stream parameters as a WebSocket's query and as HTTP/2 headers, written and read.

Source: as in `transcribe_parameters`.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from parola.wire.transcribe_parameters import LANGUAGE_CODES, StreamParameters, invalid, refused

HEADER_PREFIX = "x-amzn-transcribe-"
"""What stands before a parameter's name over HTTP/2. In a WebSocket's query nothing does."""


def to_query(parameters: StreamParameters) -> list[tuple[str, str]]:
    """Return names and values for a WebSocket's query, not yet percent-encoded."""
    return [(parameter.name, value) for parameter, value in _sent(parameters)]


def to_headers(parameters: StreamParameters) -> list[tuple[str, str]]:
    """Return the same as HTTP/2 headers; the service answers with them too."""
    return [(HEADER_PREFIX + parameter.name, value) for parameter, value in _sent(parameters)]


def from_query(
    query: Iterable[tuple[str, str]], languages: Collection[str] | None = LANGUAGE_CODES
) -> StreamParameters:
    """Return the parameters in a query's decoded names and values; unknown names are ignored.

    Args:
        query: as `urllib.parse.parse_qsl` gives them; the last of a name counts, and an empty
            value counts as absent.
        languages: those that are accepted; None accepts whatever looks like one.

    Raises:
        BadRequest: a value is unreadable or out of range, one is missing, or values contradict
            each other; in the words of the service.
    """
    return _read({name: value.strip() for name, value in query}, languages)


def from_headers(
    headers: Iterable[tuple[str, str]], languages: Collection[str] | None = LANGUAGE_CODES
) -> StreamParameters:
    """Return the parameters in a request's headers, as `from_query` does.

    Raises:
        BadRequest: as in `from_query`.
    """
    ours = (
        (name.lower().removeprefix(HEADER_PREFIX), value)
        for name, value in headers
        if name.lower().startswith(HEADER_PREFIX)
    )
    return from_query(ours, languages)


@dataclass(frozen=True, slots=True)
class _Parameter:
    """How one field of `StreamParameters` travels."""

    field: str
    kind: Literal["text", "flag", "number", "list"] = "text"
    wire: str = ""

    @property
    def name(self) -> str:
        """Its name in a query."""
        return self.wire or self.field.replace("_", "-")


_PARAMETERS = (
    _Parameter("language_code"),
    _Parameter("identify_language", "flag"),
    _Parameter("identify_multiple_languages", "flag"),
    _Parameter("media_encoding"),
    _Parameter("sample_rate_hz", "number", "sample-rate"),
    _Parameter("session_id"),
    _Parameter("vocabulary_name"),
    _Parameter("vocabulary_names", "list"),
    _Parameter("vocabulary_filter_name"),
    _Parameter("vocabulary_filter_names", "list"),
    _Parameter("vocabulary_filter_method"),
    _Parameter("show_speaker_label", "flag"),
    _Parameter("enable_channel_identification", "flag"),
    _Parameter("number_of_channels", "number"),
    _Parameter("enable_partial_results_stabilization", "flag"),
    _Parameter("partial_results_stability"),
    _Parameter("content_identification_type"),
    _Parameter("content_redaction_type"),
    _Parameter("pii_entity_types", "list"),
    _Parameter("language_model_name"),
    _Parameter("language_options", "list"),
    _Parameter("preferred_language"),
    _Parameter("session_resume_window_min", "number", "session-resume-window"),
    _Parameter("transcript_format"),
)

PARAMETER_NAMES = tuple(parameter.name for parameter in _PARAMETERS)
"""Every parameter's name in a query."""


def _sent(parameters: StreamParameters) -> Iterator[tuple[_Parameter, str]]:
    """Yield the parameters that are set, as text."""
    for parameter in _PARAMETERS:
        value = getattr(parameters, parameter.field)
        if parameter.kind == "flag":
            value = "true" if value else ""
        elif parameter.kind == "list":
            value = ",".join(value)
        if value not in {None, ""}:
            yield parameter, str(value)


def _read(given: Mapping[str, str], languages: Collection[str] | None) -> StreamParameters:
    """Return the parameters of stripped texts by their names in a query."""
    fields: dict[str, Any] = {}
    wrong: list[str] = []
    for parameter in _PARAMETERS:
        if text := given.get(parameter.name, ""):
            try:
                fields[parameter.field] = _value(parameter, text)
            except ValueError as wanted:
                wrong.append(refused(parameter.field, text, str(wanted)))
        elif parameter.field in {"media_encoding", "sample_rate_hz"}:
            wrong.append(refused(parameter.field, None, "Member must not be null"))
    wrong += _unknown_languages(fields, languages)
    if wrong:
        raise invalid(wrong)
    return StreamParameters(**fields)


def _value(parameter: _Parameter, text: str) -> str | int | bool | tuple[str, ...]:
    """Return a parameter's value.

    Raises:
        ValueError: the text is none; the message is what the service asks for.
    """
    if parameter.kind == "flag":
        # amazon-transcribe writes "True", the others "true".
        if text.lower() not in {"true", "false"}:
            raise ValueError("Member must satisfy enum value set: [true, false]")
        return text.lower() == "true"
    if parameter.kind == "number":
        if not re.fullmatch("-?[0-9]{1,9}", text):
            raise ValueError("Member must be an integer")
        return int(text)
    if parameter.kind == "list":
        return tuple(part for item in text.split(",") if (part := item.strip()))
    return text


def _unknown_languages(fields: Mapping[str, Any], languages: Collection[str] | None) -> list[str]:
    """Return the service's words for every language that is not among `languages`."""
    if languages is None:
        return []
    allowed = f"Member must satisfy enum value set: [{', '.join(sorted(languages))}]"
    singles = ("language_code", "preferred_language")
    given = [(field, fields[field]) for field in singles if field in fields]
    given += [("language_options", option) for option in fields.get("language_options", ())]
    return [refused(field, code, allowed) for field, code in given if code not in languages]
