"""The Lambda function: what it keeps, what it hands back, and what it never overwrites."""

import json

import finals_to_table
import pytest
from finals_to_table import Conflict, keep

from parola.domain.transcript import Segment
from parola.stores.bodies import encode
from parola.wire.table_rows import Now, Row, message


class Table:
    """A table in memory, with the condition of the real one."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.edited: list[Now] = []
        self.fail: set[str] = set()
        """Texts whose put fails as a throttled table does."""

    def put(self, made: Row, now: Now | None) -> None:
        if made["transcript"] in self.fail:
            raise TimeoutError
        place = str(made["pk"]), str(made["sk"])
        if self.rows.setdefault(place, made)["rid"] != made["rid"]:
            raise Conflict
        if now:
            self.edited.append(now)


def _message(number: int, text: str, at_ms: int = 1000, now: Now | None = None) -> str:
    segment = Segment("talk", number, text, number * 100, number * 100 + 90, True, "it-IT")
    return message("sala", number, at_ms, "segment", encode(segment), now)


def _event(*bodies: str) -> dict[str, object]:
    return {"Records": [{"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]}


def _failed(answer: dict[str, object]) -> list[str]:
    failures = answer["batchItemFailures"]
    assert isinstance(failures, list)
    return [failure["itemIdentifier"] for failure in failures]


def test_a_batch_becomes_rows() -> None:
    """Every message is a row, and nothing is handed back."""
    table = Table()
    assert keep(_event(_message(1, "uno"), _message(2, "due")), table.put) == {
        "batchItemFailures": []
    }
    assert [row["transcript"] for row in table.rows.values()] == ["uno", "due"]


def test_a_repetition_changes_nothing() -> None:
    """A message that is delivered again is no failure and no second row."""
    table = Table()
    keep(_event(_message(1, "uno")), table.put)
    assert _failed(keep(_event(_message(1, "uno")), table.put)) == []
    assert len(table.rows) == 1


def test_two_finals_in_one_millisecond_are_two_rows() -> None:
    """The older pipeline kept only the second of them."""
    table = Table()
    keep(_event(_message(1, "uno", 5), _message(2, "due", 5)), table.put)
    assert len(table.rows) == 2


def test_only_what_failed_is_handed_back() -> None:
    """Poison and a table that throttles cost nobody else's final."""
    table = Table()
    table.fail = {"due"}
    event = _event(_message(1, "uno"), _message(2, "due"), "{", _message(3, "tre"))
    assert _failed(keep(event, table.put)) == ["m1", "m2"]
    table.fail = set()
    assert _failed(keep(event, table.put)) == ["m2"]
    assert sorted(str(row["transcript"]) for row in table.rows.values()) == ["due", "tre", "uno"]


def test_a_conflict_is_told_and_never_overwritten(caplog: pytest.LogCaptureFixture) -> None:
    """Another final in the same place stays; the newcomer is handed back and counted."""
    table = Table()
    keep(_event(_message(1, "uno")), table.put)
    assert _failed(keep(_event(_message(1, "altro")), table.put)) == ["m0"]
    assert [row["transcript"] for row in table.rows.values()] == ["uno"]
    assert json.loads(caplog.records[-1].message) == {"not_kept": "conflict", "message": "m0"}
    assert "altro" not in caplog.text


def test_an_edit_comes_beside_its_final() -> None:
    """What was said stays; what is no edit is put aside and costs nobody else's final."""
    table = Table()
    good = _message(1, "uno", now=Now(7, "due"))
    broken = good.replace('"edition":7', '"edition":"7"')
    struck = _message(2, "tre", now=Now(8, None))
    assert _failed(keep(_event(good, broken, struck), table.put)) == ["m1"]
    assert table.edited == [Now(7, "due"), Now(8, None)]
    assert [row["transcript"] for row in table.rows.values()] == ["uno", "tre"]


def test_an_error_outside_a_record_reaches_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised, so the whole batch comes again: the older function's answer of 500 lost it."""
    monkeypatch.delenv("TABLE", raising=False)
    with pytest.raises(KeyError):
        finals_to_table.handler(_event(_message(1, "uno")), None)


def test_rows_expire_where_that_is_wanted() -> None:
    """So long after they were said, not after they came: in `exp`, seconds since 1970."""
    table = Table()
    keep(_event(_message(1, "uno", at_ms=23_999)), table.put, keep_s=100)
    keep(_event(_message(2, "due")), table.put)
    assert [row.get("exp") for row in table.rows.values()] == [123, None]
