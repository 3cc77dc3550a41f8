"""The JSON frames on our own sockets."""

import json
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.errors import BadInput, BadMessage, EngineFailed, TooLarge
from parola.domain.log import Entry, StateChange
from parola.domain.terms import Terms
from parola.domain.transcript import Segment, Word
from parola.domain.vocabulary import language_tag
from parola.wire import messages

ID = str(uuid4())

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=10,
)
FIELDS: dict[str, object] = {"type": "start", "session": ID, "language": "it-IT"}
start_like = st.builds(
    lambda odd: FIELDS | odd,
    st.dictionaries(
        st.sampled_from(
            [
                "type",
                "session",
                "language",
                "rate",
                "position",
                "channels",
                "engine_options",
                "terms",
            ]
        ),
        st.sampled_from(["end", "it-IT", "xx-yy-zz"])
        | st.integers(-9, 9)
        | st.integers(0, 2**60)
        | json_values,
        max_size=2,
    ),
)
"""A start message that is right, or wrong in one field or two."""


@given((json_values | start_like).map(json.dumps) | st.text(max_size=50))
def test_any_text_is_a_message_or_a_documented_error(text: str) -> None:
    """Whatever a source sends: a checked message, or an error that says what to send."""
    try:
        message = messages.read_source_message(text)
    except BadInput as error:
        assert error.message  # noqa: PT017 - both outcomes are right
        return
    if isinstance(message, messages.Start):
        assert message.rate_hz in messages.RATES_HZ
        assert 0 <= message.position < 2**53
        assert message.channels in {1, 2}
        assert all(type(one) is str for pair in message.engine_options.items() for one in pair)
        assert all(type(one) is str for one in (*message.terms.phrases, message.terms.text))
        assert message.language


def test_a_source_that_says_only_what_it_must_is_understood() -> None:
    """Rate and position have defaults: 16 kHz, from the start."""
    text = json.dumps({"type": "start", "session": ID, "language": "it_it"})
    assert messages.read_source_message(text) == messages.Start(ID, language_tag("it-IT"))


def test_a_talks_own_words_come_tidy() -> None:
    """White space is taken together; what is empty or said twice is left out."""
    terms = {"phrases": ["Grace  Hopper", "", " COBOL ", "COBOL"], "text": " The first compiler. "}
    message = messages.read_source_message(json.dumps(FIELDS | {"terms": terms}))
    assert isinstance(message, messages.Start)
    assert message.terms == Terms(("Grace Hopper", "COBOL"), "The first compiler.")


@pytest.mark.parametrize(
    ("terms", "error", "said"),
    [
        ([], BadMessage, '"terms" is an object'),
        ({"phrases": "Ada"}, BadMessage, "is a list of texts"),
        ({"phrases": [1]}, BadMessage, "is a list of texts"),
        ({"text": None}, BadMessage, "is a text"),
        ({"phrases": ["x" * 201]}, TooLarge, "201 characters"),
        ({"text": "x" * 50_001}, TooLarge, "50001 characters"),
    ],
)
def test_words_that_are_none_are_refused(terms: object, error: type, said: str) -> None:
    """With the same limits as a room's, in words."""
    with pytest.raises(error, match=said):
        messages.read_source_message(json.dumps(FIELDS | {"terms": terms}))


@pytest.mark.parametrize("rate", [0, 7999, 192_001, "16000", 16000.0, True, None])
def test_rates_nobody_records_at_are_refused(rate: object) -> None:
    """The range is in the message; numbers in quotes and booleans are not numbers."""
    text = json.dumps({"type": "start", "session": ID, "language": "en", "rate": rate})
    with pytest.raises(BadMessage, match="from 8000 to 192000"):
        messages.read_source_message(text)


@pytest.mark.parametrize("position", [-1, 2**53, "0", 0.5, False])
def test_positions_that_no_clock_can_show_are_refused(position: object) -> None:
    """A position is a count of frames that every JSON reader can hold exactly."""
    with pytest.raises(BadMessage, match='"position" has to be a whole number'):
        messages.read_source_message(json.dumps(FIELDS | {"position": position}))


def test_deeply_nested_text_is_an_error_and_not_a_crash() -> None:
    """A bracket bomb costs its sender the socket, nobody else anything."""
    with pytest.raises(BadMessage):
        messages.read_source_message("[" * 100_000)


@given(st.text(max_size=300) | st.text("aé€𝄞", min_size=100, max_size=300))
def test_a_close_reason_fits_and_says_the_code_first(message: str) -> None:
    """RFC 6455 leaves 123 bytes; cutting never leaves half a character."""
    reason = messages.close_reason(EngineFailed(message.encode(errors="replace").decode()))
    assert len(reason.encode()) <= 123
    assert reason.startswith("engine_failed: ")


SEGMENT = Segment(
    ID,
    3,
    "parola per parola",
    16_000,
    32_000,
    True,
    "it-IT",
    (Word("parola", 16_000, 20_000, 0.9),),
)


def test_a_final_is_a_superset_of_the_conference_systems_frame() -> None:
    """Its page reads `text` and `is_partial`; ours the rest."""
    frame = json.loads(messages.entry_message(Entry("main", 17, 1_790_000_000_123, SEGMENT)))
    assert (frame["text"], frame["is_partial"]) == ("parola per parola", False)
    assert (frame["room"], frame["segment"], frame["seq"]) == ("main", 3, 17)
    assert (frame["start_s"], frame["end_s"]) == (1.0, 2.0)
    assert frame["at"] == "2026-09-21T14:13:20.123Z"
    assert frame["words"][0]["text"] == "parola"
    assert frame["made_by"] == "automatic"


def test_a_partial_has_no_number() -> None:
    """Partials are never logged, so they have no place in the log."""
    frame = json.loads(messages.partial_message("main", SEGMENT))
    assert frame["seq"] is None


def test_a_change_is_no_text() -> None:
    """Only viewers that ask get it; it has a number, since it is in the log."""
    change = StateChange("session_started", ID, "it-IT")
    frame = json.loads(messages.entry_message(Entry("main", 1, 0, change)))
    assert "text" not in frame
    assert (frame["type"], frame["change"], frame["seq"]) == ("change", "session_started", 1)
