"""What can be set about Amazon Transcribe, and what a stream asks of the service because of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Literal

from parola.domain.audio import RATE_HZ
from parola.domain.vocabulary import Language, base_language
from parola.wire.transcribe import (
    LANGUAGE_CODES,
    FilterMethod,
    Stability,
    StreamParameters,
    TranscriptFormat,
)

TELEPHONE_HZ = 8_000
"""The service has models of its own for it. Source: Amazon Transcribe guide, "Sample rates"."""

CHANNELS = 2
"""The only number of channels that the service tells apart."""

_USUAL = {
    "ar": "ar-SA",
    "de": "de-DE",
    "en": "en-US",
    "es": "es-ES",
    "fa": "fa-IR",
    "fr": "fr-FR",
    "pt": "pt-PT",
    "sw": "sw-KE",
    "zh": "zh-CN",
}
"""What is taken where a language with several dialects comes without a region."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """How the service is to recognise: every option that does not follow from our audio.

    The language is the session's. With `identify_language` or `identify_multiple_languages` it is
    the preferred one instead, where it is among `language_options`. The meaning of each field is
    that of `parola.wire.transcribe.StreamParameters`.
    """

    identify_language: bool = False
    identify_multiple_languages: bool = False
    language_options: tuple[str, ...] = ()
    preferred_language: str | None = None
    vocabulary_name: str | None = None
    vocabulary_names: tuple[str, ...] = ()
    vocabulary_filter_name: str | None = None
    vocabulary_filter_names: tuple[str, ...] = ()
    vocabulary_filter_method: FilterMethod | None = None
    show_speaker_label: bool = False
    enable_channel_identification: bool = False
    """Only where the source has two channels; the mean of two is heard without it."""

    channel_names: tuple[str, ...] = ()
    """Not the service's: who speaks on "ch_0" and "ch_1"."""

    enable_partial_results_stabilization: bool = True
    partial_results_stability: Stability | None = "high"
    content_identification_type: Literal["PII"] | None = None
    content_redaction_type: Literal["PII"] | None = None
    pii_entity_types: tuple[str, ...] = ()
    language_model_name: str | None = None
    session_resume_window_min: int | None = None
    transcript_format: TranscriptFormat | None = None

    @property
    def identifies(self) -> bool:
        """Whether the service is to find out the language."""
        return self.identify_language or self.identify_multiple_languages


@dataclass(frozen=True, slots=True)
class AmazonSettings:
    """Where the service is, how it is asked, and how patient we are with it. Times in seconds."""

    region: str | None = None
    """None: as AWS's own tools find it (AWS_REGION, the profile)."""

    profile: str | None = None
    """A profile of ~/.aws/config; None: as AWS's own tools choose it."""

    endpoint_url: str | None = None
    """Another address than the region's, ws(s):// or http(s)://.

    None: AWS_ENDPOINT_URL_TRANSCRIBE_STREAMING or the profile's, and else the region's.
    """

    recognition: Recognition = Recognition()

    rooms: Mapping[str, Recognition] = field(default_factory=dict)
    """The recognition of rooms that have one of their own."""

    chunk_ms: int = 100
    """How much audio travels in a frame, 50 to 200 ms (Amazon's advice)."""

    catch_up_speed: float = 1.5
    """How fast waiting audio is sent, in times real time. The service asks for near real time."""

    connect_s: float = 10.0
    """How long a connection may take to open."""

    credentials_s: float = 10.0
    """How long looking up credentials may take where a source for them is configured."""

    ping_s: float = 5.0
    """After so long without a word from the service it is asked for a sign of life."""

    settle_s: float = 10.0
    """The service is done with audio that it got this long ago and says nothing about."""

    patience_s: float = 20.0
    """How long the service may say nothing about speech before its stream is given up."""

    stall_s: float = 8.0
    """After so long without audio from us a stream is ended on purpose (the limit is 15 s)."""

    close_after_silence_s: float | None = None
    """End the stream after so much silence and begin another at the next word; None: send on.

    Silence is billed as speech is. Each new stream costs 15 s at least.
    """

    pre_roll_s: float = 0.5
    """Silence that a stream begun at a word gets before it."""

    rotate_after_s: float = 3.75 * 3600
    """From this age on a stream is replaced at the next pause (the limit is 4 h)."""

    rotate_at_last_s: float = 3.95 * 3600
    """At this age it is replaced even in mid-sentence."""

    streams: int = 25
    """How many streams the account may have at once."""

    starts_per_s: float = 10.0
    """How fast streams are begun; the service takes 25 a second and no steep ramp."""

    price_per_min: Decimal = Decimal("0.024")
    """US dollars; the first tier in most regions (secondary sources, 2026-11)."""

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a chunk outside 50 to 200 ms, or a number that is not above zero.
        """
        if not 50 <= self.chunk_ms <= 200:
            raise ValueError(f"chunk_ms is {self.chunk_ms}; Amazon asks for 50 to 200")
        above_zero = (
            "catch_up_speed connect_s credentials_s ping_s settle_s patience_s stall_s "
            "rotate_after_s rotate_at_last_s streams starts_per_s"
        )
        for name in above_zero.split():
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} has to be above 0")


def language_code(language: Language) -> str | None:
    """Return the service's code for a language, None where it has none.

    The script is not looked at. Without a region the usual one is taken.
    """
    base = base_language(language)
    region = language.rsplit("-", 1)[-1]
    if f"{base}-{region}" in LANGUAGE_CODES:
        return f"{base}-{region}"
    if region.isupper() or region.isdigit():
        return None
    same = sorted(code for code in LANGUAGE_CODES if code.split("-")[0] == base)
    return _USUAL.get(base, same[0]) if same else None


def sent_rate_hz(source_hz: int) -> int:
    """Return the rate at which a source's sound is sent: telephone sound as such, else 16 kHz.

    Why not more: docs/why/006.
    """
    return TELEPHONE_HZ if source_hz == TELEPHONE_HZ else RATE_HZ


def parameters(
    recognition: Recognition,
    language: Language,
    session_id: str,
    source_hz: int = RATE_HZ,
    channels: int = 1,
) -> StreamParameters:
    """Return what a stream asks, whose source has so many channels.

    Raises:
        BadRequest: values contradict each other; in the words of the service.
    """
    fields = asdict(recognition)
    del fields["channel_names"]
    if recognition.enable_channel_identification and channels == CHANNELS:
        fields["number_of_channels"] = CHANNELS
    else:
        fields["enable_channel_identification"] = False
    if not recognition.enable_partial_results_stabilization:
        fields["partial_results_stability"] = None
    code = language_code(language)
    if recognition.identifies:
        if not recognition.preferred_language and code in recognition.language_options:
            fields["preferred_language"] = code
        code = None
    return StreamParameters(
        language_code=code,
        sample_rate_hz=sent_rate_hz(source_hz),
        session_id=session_id,
        **fields,
    )
