"""Queue messages and table rows: the older pipeline's shapes, and places nobody shares."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.log import Entry
from parola.domain.transcript import Segment, Word
from parola.stores.bodies import encode, entry_of
from parola.wire.table_rows import Now, Poison, iso_ms, message, now_in, row, sort_key

times = st.integers(0, 253_402_300_799_999)
texts = st.text() | st.sampled_from(["\ud800", "\x00", 'a "b" \\', "perché 🎤"])


def _body(text: str = "Buongiorno.", speaker: str | None = None) -> str:
    words = (Word(text, 79_280, 90_000, 0.9),)
    segment = Segment("talk", 1, text, 79_280, 90_000, True, "it-IT", words, speaker)
    return encode(segment)


def test_the_older_pipeline_finds_its_own_attributes() -> None:
    """A row has the seven attributes of the older table, times as strings, absent ones left out."""
    made = row(message("abcde1234", 7, 1_764_000_000_123, "segment", _body(speaker="Ada")))
    assert {name: made[name] for name in OLDER} == {
        "callId": "abcde1234",
        "eventTimestamp": "2025-11-24T16:00:00.123Z",
        "resultId": "talk-79280",
        "speakerName": "Ada",
        "startTime": "4.955",
        "endTime": "5.625",
        "transcript": "Buongiorno.",
    }
    assert "speakerName" not in row(message("a", 7, 1, "segment", _body()))


OLDER = (
    "callId",
    "eventTimestamp",
    "resultId",
    "speakerName",
    "startTime",
    "endTime",
    "transcript",
)


def test_a_message_is_the_older_pipelines() -> None:
    """Its readers find Results, callId and eventTimestamp where they were."""
    told = json.loads(message("abcde1234", 7, 1_764_000_000_123, "segment", _body()))
    assert told["callId"] == "abcde1234"
    assert told["eventTimestamp"] == "2025-11-24T16:00:00.123Z"
    assert told["Results"][0]["Alternatives"] == [{"Transcript": "Buongiorno."}]
    assert told["Results"][0]["StartTime"] == 4.955
    assert told["Results"][0]["IsPartial"] is False


@given(texts, st.none() | texts, st.integers(1, 10**9), times)
def test_any_final_goes_there_and_back(
    text: str, speaker: str | None, number: int, at_ms: int
) -> None:
    """What was said is in the row, equal, whatever the letters; the rest UTF-8 can hold."""
    body = _body(text, speaker)
    made = row(message("sala", number, at_ms, "segment", body))
    back = entry_of("sala", int(made["number"]), int(made["atMs"]), "segment", str(made["body"]))
    assert isinstance(back.body, Segment)
    assert back == Entry("sala", number, at_ms, back.body)
    assert (back.body.text, back.body.speaker) == (text, speaker)
    json.dumps(made, ensure_ascii=False).encode()


@given(times, times, st.text(max_size=5), st.text(max_size=5))
def test_places_are_sorted_by_time(one_ms: int, other_ms: int, session: str, later: str) -> None:
    """An earlier final comes first, whoever said it; times as text sort as time does."""
    one, other = sort_key(one_ms, session, 1), sort_key(other_ms, later, 1)
    if one_ms != other_ms:
        assert (one < other) == (one_ms < other_ms)
        assert iso_ms(one_ms) != iso_ms(other_ms)


@given(times, st.integers(1, 10**9), st.integers(1, 10**9))
def test_two_finals_in_a_millisecond_have_two_places(at_ms: int, one: int, other: int) -> None:
    """A repetition has the same place, another final another one."""
    assert (sort_key(at_ms, "talk", one) == sort_key(at_ms, "talk", other)) == (one == other)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
GOOD = json.loads(message("sala", 1, 1, "segment", _body(), Now(2, "Buonasera.")))


@given(
    values.map(json.dumps)
    | st.text()
    | st.tuples(st.sampled_from(sorted(GOOD)), values).map(
        lambda change: json.dumps({**GOOD, change[0]: change[1]})
    )
    | st.tuples(st.sampled_from(sorted(GOOD["parola"])), values).map(
        lambda change: json.dumps({**GOOD, "parola": {**GOOD["parola"], change[0]: change[1]}})
    )
)
def test_anything_else_is_poison_or_a_row(text: str) -> None:
    """Whatever stands in the queue, it becomes a row that can be written, or is poison."""
    try:
        made, now = row(text), now_in(text)
    except Poison:
        return
    assert now is None or now.edition >= 0
    assert all(isinstance(value, str | int) for value in made.values())
    json.dumps(made, ensure_ascii=False).encode()


@pytest.mark.parametrize("now", [None, Now(8, "Buonasera."), Now(8, None), Now(8, "\ud800")])
def test_an_edit_stands_beside_what_was_said(now: Now | None) -> None:
    """The row is the one without it, so that it stays in its place; the text can be written."""
    plain = message("sala", 7, 1, "segment", _body())
    edited = message("sala", 7, 1, "segment", _body(), now)
    assert row(edited) == row(plain)
    found = now_in(edited)
    assert found == (Now(8, "?") if now and now.text == "\ud800" else now)


@pytest.mark.parametrize("now", [5, [], {}, {"edition": 8}, {"edition": -1, "text": "a"}])
def test_what_is_no_edit_is_poison(now: object) -> None:
    """It would be the same however often it comes."""
    with pytest.raises(Poison):
        now_in(json.dumps({**GOOD, "parola": {**GOOD["parola"], "now": now}}))


@pytest.mark.parametrize("room", ["", None, 5])
def test_a_row_needs_a_room(room: object) -> None:
    """A message without a room has no place."""
    with pytest.raises(Poison):
        row(json.dumps({**GOOD, "callId": room}))
