"""A source's wishes of Amazon's engine are checked before any audio, in one place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.errors import BadMessage
from parola.domain.vocabulary import language_tag
from parola.engines.amazon import AmazonEngine
from parola.engines.amazon_options import checked, with_texts
from parola.engines.amazon_settings import Recognition
from parola.ports import StreamRequest, TakesOptions
from parola.wire.transcribe import StreamParameters, from_query, to_query

ITALIAN = language_tag("it-IT")

TYPICAL = [
    "", "true", "false", "0", "60", "301", "PII", "NAME,EMAIL", "mask", "high", "written",
    "it-IT,en-US", "it-IT", "en-US", "names", "with space",
]  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from([*Recognition.__dataclass_fields__, "language_code", "nonsense"]),
        st.sampled_from(TYPICAL) | st.text(max_size=5),
        max_size=5,
    )
)
def test_any_wish_is_something_to_ask_or_refused(options: dict[str, str]) -> None:
    """What passes can be sent and is read back the same; what does not is told with its place."""
    try:
        asked = checked(with_texts(Recognition(), options), ITALIAN, "engine_options")
    except BadMessage as error:
        assert error.message.startswith("engine_options: ")  # noqa: PT017 - both are right
        return
    assert from_query(to_query(asked)) == asked
    assert not options.keys() - StreamParameters.__dataclass_fields__.keys() - {"channel_names"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vocabulary": "names"}, "did you mean vocabulary_name"),
        ({"show_speaker_label": "yes"}, "true or false"),
        ({"session_resume_window_min": "an hour"}, "a whole number"),
        ({"session_resume_window_min": "301"}, "less than or equal to 300"),
        ({"partial_results_stability": "best"}, "one of 'high'"),
        ({"identify_language": "true"}, "at least two LanguageOptions"),
        ({"pii_entity_types": "NAME"}, "ContentIdentificationType or ContentRedactionType"),
        ({"enable_channel_identification": "true"}, "exactly two channels"),
    ],
)
def test_a_wish_that_cannot_be_had_is_told_at_once(options: dict[str, str], said: str) -> None:
    """Before anything is opened, by what the engine says of itself."""
    engine = AmazonEngine()
    assert isinstance(engine, TakesOptions)
    with pytest.raises(BadMessage, match=said):
        engine.check_options(StreamRequest(ITALIAN, "s", options=options))


def test_an_empty_text_takes_a_common_value_away() -> None:
    """So that one talk can do without what all others have."""
    common = Recognition(vocabulary_name="names", language_model_name="ours")
    assert with_texts(common, {"vocabulary_name": ""}).vocabulary_name is None
