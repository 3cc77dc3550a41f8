import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.client.source_messages import (
    Ack,
    Ready,
    Trouble,
    end_message,
    read_server_message,
    refusal,
    start_message,
)
from parola.domain import errors
from parola.domain.vocabulary import Language
from parola.wire.messages import RATES_HZ, End, Start, read_source_message

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
server_messages = st.fixed_dictionaries(
    {"type": st.sampled_from(["ready", "ack", "error"]) | json_values},
    optional={
        "position": st.integers() | json_values,
        "code": st.sampled_from(["room_busy", "no_engine", "news"]) | json_values,
        "message": json_values,
    },
)


@given(
    st.builds(
        Start,
        st.uuids().map(str),
        st.sampled_from([Language("en-US"), Language("it"), Language("zh-Hant-TW")]),
        st.sampled_from(RATES_HZ),
        st.integers(0, 2**53 - 1),
    )
)
def test_a_server_reads_what_a_source_writes(start: Start) -> None:
    """Every start message arrives as it was meant, and so does the end."""
    assert read_source_message(start_message(start)) == start
    assert read_source_message(end_message()) == End()


@given(st.text() | server_messages.map(json.dumps) | json_values.map(json.dumps))
def test_whatever_comes_is_understood_or_refused(text: str) -> None:
    """Any text frame gives a value or one of our errors, never another one."""
    try:
        said = read_server_message(text)
    except errors.ParolaError:
        return
    assert said is None or isinstance(said, Ready | Ack | Trouble)


@given(st.sampled_from(["ready", "ack"]), st.integers() | json_values)
def test_a_position_is_a_frame_or_refused(kind: str, position: object) -> None:
    """Only whole numbers from 0 on are taken for a position."""
    frame = json.dumps({"type": kind, "position": position})
    if type(position) is int and position >= 0:
        assert read_server_message(frame) == (Ready if kind == "ready" else Ack)(position)
    else:
        with pytest.raises(errors.BadMessage):
            read_server_message(frame)


def test_an_error_keeps_the_servers_words() -> None:
    """A refusal is our own class for its code, with the server's sentence."""
    frame = json.dumps({"type": "error", "code": "no_engine", "message": "No engine; choose en."})
    with pytest.raises(errors.NoEngine) as raised:
        read_server_message(frame)
    assert raised.value.message == "No engine; choose en."


def test_an_unknown_code_is_an_error_too() -> None:
    """A newer server's error keeps its sentence, under the root class."""
    assert type(refusal("from_the_future", "Sorry.")) is errors.ParolaError


def test_every_code_has_its_class() -> None:
    """Each error of the core comes back as itself."""
    for kind in (errors.RoomBusy, errors.BadLanguage, errors.Stopping, errors.TooLarge):
        assert type(refusal(kind.code, "x")) is kind


def test_news_is_passed_over() -> None:
    """A message of a kind that only newer clients know changes nothing."""
    assert read_server_message('{"type":"news"}') is None


def test_a_session_id_is_a_uuid() -> None:
    """What the client calls its session is what the server takes."""
    start = Start(str(UUID(int=7)), Language("en"))
    assert json.loads(start_message(start))["session"] == str(UUID(int=7))
