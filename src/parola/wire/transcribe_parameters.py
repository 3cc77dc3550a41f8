"""What a client asks of a transcription stream: every parameter, checked, as query or headers.

Source: Amazon Transcribe API reference, StartStreamTranscription (2026-11), and the model of
@aws-sdk/client-transcribe-streaming 3.1141.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from parola.wire.transcribe_errors import BadRequest

MediaEncoding = Literal["pcm", "ogg-opus", "flac", "g711-alaw", "g711-ulaw", "g729"]
FilterMethod = Literal["remove", "mask", "tag"]
Stability = Literal["high", "medium", "low"]
TranscriptFormat = Literal["written", "spoken"]
ContentType = Literal["PII"]

LANGUAGE_CODES = frozenset(
    (  # noqa: SIM905 - one a line would fill two pages
        "af-ZA am-ET ar-AE ar-SA be-BY bg-BG bn-IN bs-BA ca-ES ckb-IQ ckb-IR cs-CZ cy-WL da-DK "
        "de-CH de-DE el-GR en-AB en-AU en-GB en-IE en-IN en-NZ en-US en-WL en-ZA es-ES es-MX es-US "
        "et-ET eu-ES fa-AF fa-IR fi-FI fr-CA fr-FR gl-ES gu-IN he-IL hi-IN hr-HR ht-HT hu-HU hy-AM "
        "id-ID is-IS it-IT ja-JP jv-ID kab-DZ ka-GE kk-KZ km-KH kn-IN ko-KR lg-IN lt-LT lv-LV "
        "mk-MK ml-IN mr-IN ms-MY my-MM ne-NP nl-NL no-NO or-IN pa-IN pl-PL ps-AF pt-BR pt-PT ro-RO "
        "ru-RU si-LK sk-SK sl-SI so-SO sq-AL sr-RS su-ID sv-SE sw-BI sw-KE sw-RW sw-TZ sw-UG ta-IN "
        "te-IN th-TH tl-PH tr-TR uk-UA uz-UZ vi-VN zh-CN zh-HK zh-TW zu-ZA"
    ).split()
)
"""The languages of the service. Source: the model named above."""

PII_ENTITY_TYPES = frozenset(
    (  # noqa: SIM905 - one a line would fill two pages
        "ADDRESS AGE ALL BANK_ACCOUNT_NUMBER BANK_ROUTING CREDIT_DEBIT_CVV CREDIT_DEBIT_EXPIRY "
        "CREDIT_DEBIT_NUMBER DATE_TIME EMAIL LICENSE_PLATE NAME PASSPORT_NUMBER PASSWORD PHONE PIN "
        "SSN USERNAME VEHICLE_IDENTIFICATION_NUMBER"
    ).split()
)
"""Kinds of personal information. Source: the model named above, PiiEntityTypes."""


@dataclass(frozen=True, slots=True)
class StreamParameters:
    """The parameters of StartStreamTranscription; None, False and () mean: not sent.

    Raises:
        BadRequest: on construction, in the words of the service, when a value is out of range or
            values contradict each other.
    """

    language_code: str | None = None
    """Such as "it-IT". Exactly one of this and the two below it is set."""

    identify_language: bool = False
    """Find out the one language that is spoken."""

    identify_multiple_languages: bool = False
    """Find out the languages, which may change while the stream runs."""

    media_encoding: MediaEncoding = "pcm"
    """`pcm` is signed 16-bit little-endian without a header."""

    sample_rate_hz: int = 16_000
    """8000 to 48000."""

    session_id: str | None = None
    """A UUID; the service makes one where it is not sent."""

    vocabulary_name: str | None = None
    vocabulary_names: tuple[str, ...] = ()
    """One per language, with identification only."""

    vocabulary_filter_name: str | None = None
    vocabulary_filter_names: tuple[str, ...] = ()
    """One per language, with identification only."""

    vocabulary_filter_method: FilterMethod | None = None
    show_speaker_label: bool = False
    enable_channel_identification: bool = False
    number_of_channels: int | None = None
    """2, and only with channel identification."""

    enable_partial_results_stabilization: bool = False
    partial_results_stability: Stability | None = None
    """Only with stabilisation. High is fastest, low is most accurate."""

    content_identification_type: ContentType | None = None
    """Marks personal information; not together with redaction."""

    content_redaction_type: ContentType | None = None
    """Takes personal information out; not together with identification."""

    pii_entity_types: tuple[str, ...] = ()
    """Which personal information, of `PII_ENTITY_TYPES`; all where it is empty."""

    language_model_name: str | None = None
    language_options: tuple[str, ...] = ()
    """Two or more languages to choose from, one dialect each."""

    preferred_language: str | None = None
    """The likeliest of `language_options`."""

    session_resume_window_min: int | None = None
    """Minutes for which the session can be taken up again, 1 to 300."""

    transcript_format: TranscriptFormat | None = None

    def __post_init__(self) -> None:
        """Check the values, then how they go together."""
        if wrong := list(_wrong_values(self)):
            raise invalid(wrong)
        if together := next(_contradictions(self), None):
            raise BadRequest(together)

    @property
    def identifies(self) -> bool:
        """Whether the service is to find out the language."""
        return self.identify_language or self.identify_multiple_languages


_CHOICES: dict[str, tuple[str, ...]] = {
    "media_encoding": get_args(MediaEncoding),
    "vocabulary_filter_method": get_args(FilterMethod),
    "partial_results_stability": get_args(Stability),
    "content_identification_type": get_args(ContentType),
    "content_redaction_type": get_args(ContentType),
    "transcript_format": get_args(TranscriptFormat),
}

_RANGES = {
    "sample_rate_hz": (8_000, 48_000),
    "number_of_channels": (2, 2),
    "session_resume_window_min": (1, 300),
}

_NAME = "[0-9a-zA-Z._-]{1,200}"
_LANGUAGE = "[a-z]{2,3}-[A-Z]{2}"
_PATTERNS = {
    "language_code": _LANGUAGE,
    "language_options": _LANGUAGE,
    "preferred_language": _LANGUAGE,
    "session_id": "[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}",
    "vocabulary_name": _NAME,
    "vocabulary_names": _NAME,
    "vocabulary_filter_name": _NAME,
    "vocabulary_filter_names": _NAME,
    "language_model_name": _NAME,
}


def _wrong_values(parameters: StreamParameters) -> Iterator[str]:
    """Yield the service's words for every value that is not allowed."""
    for field in StreamParameters.__dataclass_fields__:
        value = getattr(parameters, field)
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None and (allowed := _constraint(field, one)):
                yield refused(field, one, allowed)


def _constraint(field: str, value: object) -> str:
    """Return what the service asks of a value that breaks a rule, empty where it keeps them."""
    if (choices := _CHOICES.get(field)) and value not in choices:
        return f"Member must satisfy enum value set: [{', '.join(choices)}]"
    if field == "pii_entity_types" and value not in PII_ENTITY_TYPES:
        return f"Member must satisfy enum value set: [{', '.join(sorted(PII_ENTITY_TYPES))}]"
    if (pattern := _PATTERNS.get(field)) and not re.fullmatch(pattern, str(value)):
        return f"Member must satisfy regular expression pattern: {pattern}"
    if (limits := _RANGES.get(field)) and isinstance(value, int):
        least, most = limits
        if value < least:
            return f"Member must have value greater than or equal to {least}"
        if value > most:
            return f"Member must have value less than or equal to {most}"
    return ""


def _contradictions(parameters: StreamParameters) -> Iterator[str]:
    """Yield a sentence for each rule that the values break together."""
    if (
        bool(parameters.language_code)
        + sum((parameters.identify_language, parameters.identify_multiple_languages))
        != 1
    ):
        yield (
            "You must specify exactly one of LanguageCode, IdentifyLanguage and "
            "IdentifyMultipleLanguages."
        )
    yield from _identification(parameters)
    if parameters.enable_channel_identification and parameters.number_of_channels is None:
        yield "You must specify NumberOfChannels when you use EnableChannelIdentification."
    if parameters.number_of_channels is not None and not parameters.enable_channel_identification:
        yield "You must specify EnableChannelIdentification when you use NumberOfChannels."
    content = (parameters.content_identification_type, parameters.content_redaction_type)
    if all(content):
        yield "You can't set ContentIdentificationType and ContentRedactionType together."
    if parameters.pii_entity_types and not any(content):
        yield (
            "You must specify ContentIdentificationType or ContentRedactionType when you use "
            "PiiEntityTypes."
        )


def _identification(parameters: StreamParameters) -> Iterator[str]:
    """Yield a sentence for each broken rule of finding out the language."""
    options = parameters.language_options
    if not parameters.identifies:
        if options:
            yield (
                "You must specify IdentifyLanguage or IdentifyMultipleLanguages when you use "
                "LanguageOptions."
            )
        if parameters.preferred_language:
            yield "You must specify IdentifyLanguage when you use PreferredLanguage."
        return
    if len(options) < 2:
        yield "You must specify at least two LanguageOptions to identify the language."
    if len({option.split("-")[0] for option in options}) < len(options):
        yield "You can only include one dialect per language in LanguageOptions."
    if parameters.preferred_language and parameters.preferred_language not in options:
        yield "PreferredLanguage must be one of LanguageOptions."
    if parameters.language_model_name or parameters.content_redaction_type:
        yield "Language identification can't be combined with LanguageModelName or redaction."


def invalid(wrong: Sequence[str]) -> BadRequest:
    """Return the error in the words with which AWS services refuse values."""
    errors = "error" if len(wrong) == 1 else "errors"
    return BadRequest(f"{len(wrong)} validation {errors} detected: {'; '.join(wrong)}")


def refused(field: str, value: object, allowed: str) -> str:
    """Return the words with which the service refuses the value of a field."""
    shown = "null" if value is None else f"'{value}'"
    first, *rest = _MEMBERS.get(field, field).split("_")
    member = first + "".join(word.title() for word in rest)
    return f"Value {shown} at '{member}' failed to satisfy constraint: {allowed}"


_MEMBERS = {
    "sample_rate_hz": "media_sample_rate_hertz",
    "session_resume_window_min": "session_resume_window",
}
"""Fields that have another name at the service."""
