"""Hands to the engine what this endpoint cannot do itself, and refuses what neither of them can.

Only an engine that takes options can do more than recognise: Amazon's, behind this endpoint. Its
options have the names of our `StreamParameters`.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from parola.domain.errors import BadMessage
from parola.domain.vocabulary import Language
from parola.ports import Engine, StreamRequest, TakesOptions
from parola.wire.transcribe import BadRequest, StreamParameters, VocabularyRefused

PASSED = (
    "vocabulary_name",
    "language_model_name",
    "content_redaction_type",
    "pii_entity_types",
    "show_speaker_label",
    "transcript_format",
)
"""What an engine is asked for that takes options."""

OPTIONAL = ("show_speaker_label", "transcript_format", "session_resume_window_min")
"""What is left out where nobody does it: results are right without it."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What becomes of the parameters that are not the endpoint's own."""

    options: dict[str, str]
    """For the engine."""

    left_out: tuple[str, ...]
    """Asked for, and done by nobody."""


def passed_on(
    asked: StreamParameters, language: Language, engine: Engine, filters: Collection[str]
) -> Passed:
    """Return what the engine is asked for.

    Args:
        asked: by the client.
        language: that the engine listens for.
        engine: that will listen.
        filters: the names of the vocabulary filters that the endpoint has itself.

    Raises:
        BadRequest: something can be done by nobody here; in the words of the service or ours.
    """
    options = _options(asked, filters)
    if options and isinstance(engine, TakesOptions) and not asked.identifies:
        try:
            engine.check_options(StreamRequest(language, "", options=options))
        except BadMessage as error:
            raise BadRequest(error.message) from error
    else:
        options = {}
    _refuse_the_rest(asked, options, filters)
    left_out = (name for name in OPTIONAL if getattr(asked, name) and name not in options)
    return Passed(options, tuple(left_out))


def done(asked: StreamParameters, left_out: Collection[str]) -> StreamParameters:
    """Return the parameters without those that nobody does."""
    defaults: dict[str, Any] = {
        name: StreamParameters.__dataclass_fields__[name].default for name in left_out
    }
    return replace(asked, **defaults)


def filter_names(asked: StreamParameters) -> tuple[str, ...]:
    """Return the names of all vocabulary filters that are asked for."""
    one = (asked.vocabulary_filter_name,) if asked.vocabulary_filter_name else ()
    return one + asked.vocabulary_filter_names


def _options(asked: StreamParameters, filters: Collection[str]) -> dict[str, str]:
    values = {name: getattr(asked, name) for name in PASSED}
    name, method = asked.vocabulary_filter_name, asked.vocabulary_filter_method or "mask"
    # Which words were tagged, an engine's words do not say.
    if name and name not in filters and method != "tag":
        values |= {"vocabulary_filter_name": name, "vocabulary_filter_method": method}
    return {name: _text(value) for name, value in values.items() if value}


def _text(value: Any) -> str:  # noqa: ANN401 - any parameter's
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refuse_the_rest(
    asked: StreamParameters, options: Collection[str], filters: Collection[str]
) -> None:
    """Refuse what would have to be invented.

    Raises:
        BadRequest: the parameter that cannot be had.
    """
    if asked.vocabulary_names or (asked.vocabulary_name and "vocabulary_name" not in options):
        raise VocabularyRefused(
            "The requested vocabulary couldn't be found. Check the vocabulary name and try your "
            "request again."
        )
    if asked.language_model_name and "language_model_name" not in options:
        raise VocabularyRefused(
            "The requested language model couldn't be found. Check the model name and try your "
            "request again."
        )
    if asked.content_identification_type or (
        asked.content_redaction_type and "content_redaction_type" not in options
    ):
        raise BadRequest("This endpoint does not look for personal information (PII).")
    unknown = set(filter_names(asked)) - set(filters)
    if unknown and "vocabulary_filter_name" not in options:
        raise VocabularyRefused(
            "The requested vocabulary filter couldn't be found. Check the vocabulary filter name "
            "and try your request again."
        )
