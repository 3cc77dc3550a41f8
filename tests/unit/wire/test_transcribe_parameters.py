"""What a client may ask of Amazon Transcribe, and the words in which it is refused."""

from dataclasses import fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.wire import transcribe
from parola.wire.transcribe import BadRequest, StreamParameters

resource_names = st.from_regex("[0-9a-zA-Z._-]{1,20}", fullmatch=True)
encodings: st.SearchStrategy[transcribe.MediaEncoding] = st.sampled_from(
    ["pcm", "ogg-opus", "flac"]
)


@st.composite
def parameters(draw: st.DrawFn) -> StreamParameters:
    """Any parameters that go together."""
    given: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {"media_encoding": encodings, "sample_rate_hz": st.integers(8000, 48_000)},
            optional={
                "session_id": st.uuids().map(str),
                "vocabulary_name": resource_names,
                "vocabulary_names": st.lists(resource_names, max_size=3).map(tuple),
                "vocabulary_filter_name": resource_names,
                "vocabulary_filter_names": st.lists(resource_names, max_size=3).map(tuple),
                "vocabulary_filter_method": st.sampled_from(["mask", "remove", "tag"]),
                "show_speaker_label": st.booleans(),
                "enable_partial_results_stabilization": st.booleans(),
                "partial_results_stability": st.sampled_from(["low", "medium", "high"]),
                "session_resume_window_min": st.integers(1, 300),
                "transcript_format": st.sampled_from(["written", "spoken"]),
            },
        )
    )
    if draw(st.booleans()):
        given |= {"language_code": "it-IT"}
        given |= draw(st.sampled_from([{}, {"language_model_name": "m"}]))
    else:
        given[draw(st.sampled_from(["identify_language", "identify_multiple_languages"]))] = True
        given["language_options"] = ("it-IT", "en-GB", "de-DE")
        given |= draw(st.sampled_from([{}, {"preferred_language": "en-GB"}]))
    if draw(st.booleans()):
        given |= {"enable_channel_identification": True, "number_of_channels": 2}
    if draw(st.booleans()):
        given |= {"content_identification_type": "PII", "pii_entity_types": ("NAME", "PHONE")}
    return StreamParameters(**given)


@given(parameters())
def test_parameters_survive_both_ways_of_travelling(asked: StreamParameters) -> None:
    """What goes into a query or into headers comes out the same."""
    query = parse_qsl(urlencode(transcribe.to_query(asked)))
    assert transcribe.from_query(query) == asked
    assert transcribe.from_headers(transcribe.to_headers(asked)) == asked


def test_names_are_those_of_the_protocol() -> None:
    """Kebab-case without a prefix in a query, with it in headers; nothing unset is sent."""
    asked = StreamParameters(
        identify_language=True,
        language_options=("it-IT", "en-US"),
        sample_rate_hz=48_000,
        session_resume_window_min=30,
    )
    query = transcribe.to_query(asked)
    assert query == [
        ("identify-language", "true"),
        ("media-encoding", "pcm"),
        ("sample-rate", "48000"),
        ("language-options", "it-IT,en-US"),
        ("session-resume-window", "30"),
    ]
    assert transcribe.to_headers(asked) == [(f"x-amzn-transcribe-{n}", v) for n, v in query]
    assert len(transcribe.PARAMETER_NAMES) == len(fields(StreamParameters))


LEAST = {"language-code": "it-IT", "media-encoding": "pcm", "sample-rate": "16000"}


def read(**given: str | None) -> StreamParameters:
    """Return the parameters of the least query with some names changed; None leaves one out."""
    changed = LEAST | {name.replace("_", "-"): value for name, value in given.items()}
    return transcribe.from_query((n, v) for n, v in changed.items() if v is not None)


def test_booleans_come_in_two_spellings_and_false_is_nothing() -> None:
    """The older Python SDK writes True and False, the others true."""
    assert read(show_speaker_label="True").show_speaker_label
    assert read(show_speaker_label="true").show_speaker_label
    assert read(show_speaker_label="False", identify_language="false") == read()
    assert read(session_id="", preferred_language=" ") == read()


def test_what_is_not_ours_is_passed_over() -> None:
    """The signature's names, other headers and unknown parameters change nothing."""
    assert read(X_Amz_Date="20261120T135930Z", dance="tango") == read()
    headers = [("X-Amzn-Transcribe-" + n.title(), v) for n, v in LEAST.items()]
    assert transcribe.from_headers([*headers, ("sample-rate", "1"), ("host", "h")]) == read()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"sample_rate": "7999"},
            "'7999' at 'mediaSampleRateHertz' .* greater than or equal to 8000",
        ),
        (
            {"sample_rate": "48001"},
            "'48001' at 'mediaSampleRateHertz' .* less than or equal to 48000",
        ),
        ({"sample_rate": "16e3"}, "'16e3' at 'mediaSampleRateHertz' .* integer"),
        ({"sample_rate": None}, "null at 'mediaSampleRateHertz' .* must not be null"),
        ({"media_encoding": None}, "null at 'mediaEncoding' .* must not be null"),
        (
            {"media_encoding": "wav"},
            r"'wav' at 'mediaEncoding' .* \[pcm, ogg-opus, flac, g711-alaw, .*\]",
        ),
        ({"language_code": "xx-YY"}, r"'xx-YY' at 'languageCode' .* enum value set: \[af-ZA, "),
        ({"language_options": "it-IT,klingon"}, "'klingon' at 'languageOptions'"),
        ({"session_id": "talk-1"}, "'talk-1' at 'sessionId' .* pattern"),
        ({"vocabulary_name": "è"}, "'è' at 'vocabularyName' .* pattern"),
        ({"vocabulary_filter_method": "bleep"}, "at 'vocabularyFilterMethod' .* enum"),
        ({"partial_results_stability": "rock"}, "at 'partialResultsStability' .* enum"),
        ({"transcript_format": "sung"}, "at 'transcriptFormat' .* enum"),
        ({"content_redaction_type": "ALL"}, "at 'contentRedactionType' .* enum"),
        ({"pii_entity_types": "NAME,HAT"}, "'HAT' at 'piiEntityTypes' .* enum"),
        ({"session_resume_window": "301"}, "at 'sessionResumeWindow' .* equal to 300"),
        ({"number_of_channels": "3"}, "at 'numberOfChannels' .* equal to 2"),
        ({"show_speaker_label": "yes"}, r"at 'showSpeakerLabel' .* \[true, false\]"),
        ({"sample_rate": "1", "media_encoding": "wav"}, "^2 validation errors detected: .*; Value"),
        ({"language_code": None}, "exactly one of LanguageCode"),
        ({"identify_language": "true"}, "exactly one of LanguageCode"),
        ({"language_options": "it-IT,en-US"}, "when you use LanguageOptions"),
        ({"preferred_language": "it-IT"}, "when you use PreferredLanguage"),
        ({"enable_channel_identification": "true"}, "NumberOfChannels when"),
        ({"number_of_channels": "2"}, "EnableChannelIdentification when"),
        ({"pii_entity_types": "NAME"}, "when you use PiiEntityTypes"),
        (
            {"content_redaction_type": "PII", "content_identification_type": "PII"},
            "ContentIdentificationType and ContentRedactionType together",
        ),
    ],
)
def test_what_the_service_refuses_is_refused_in_its_words(
    given: dict[str, str | None], words: str
) -> None:
    """Every range, choice and contradiction has its sentence, and the status 400."""
    with pytest.raises(BadRequest, match=words) as caught:
        read(**given)
    assert (caught.value.status, caught.value.retryable) == (400, False)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"language_options": ()}, "at least two LanguageOptions"),
        ({"language_options": ("it-IT",)}, "at least two LanguageOptions"),
        ({"language_options": ("en-US", "en-GB")}, "one dialect per language"),
        ({"preferred_language": "de-DE"}, "must be one of LanguageOptions"),
        ({"language_model_name": "m"}, "can't be combined"),
        ({"content_redaction_type": "PII"}, "can't be combined"),
        ({"identify_multiple_languages": True}, "exactly one"),
    ],
)
def test_identification_has_rules_of_its_own(given: dict[str, Any], words: str) -> None:
    """Options, dialects, the preferred language, and what identification excludes."""
    asked = StreamParameters(identify_language=True, language_options=("it-IT", "en-US"))
    assert asked.identifies
    with pytest.raises(BadRequest, match=words):
        replace(asked, **given)


@given(
    st.dictionaries(
        st.sampled_from(transcribe.PARAMETER_NAMES),
        st.sampled_from(["it-IT", "true", "16000", "pcm", "PII", "it-IT,en-US"])
        | st.text(max_size=9),
    )
)
def test_any_query_is_parameters_or_a_bad_request(query: dict[str, str]) -> None:
    """Nothing else comes out, and what comes out can be sent again."""
    try:
        asked = transcribe.from_query(query.items())
    except BadRequest as error:
        assert error.message  # noqa: PT017 - both outcomes are right
        return
    assert transcribe.from_query(transcribe.to_query(asked)) == asked


def test_other_languages_can_be_let_in() -> None:
    """An endpoint with engines of its own names its languages, or takes any that looks like one."""
    query = [*(LEAST | {"language-code": "xx-YY"}).items()]
    for languages in (None, {"xx-YY"}):
        assert transcribe.from_query(query, languages).language_code == "xx-YY"
