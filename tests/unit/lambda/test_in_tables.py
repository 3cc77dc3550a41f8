"""What both functions do to a row of a real table: each leaves alone what the other has written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dynamodb_client
import finals_to_table
import pytest
import table_to_mood

from parola.domain.transcript import Segment
from parola.stores.bodies import encode
from parola.wire.table_rows import Now, message, row
from tests.stand_ins import StandIn, make_table

Image = dict[str, dict[str, str]]

PRAISE, BLAME = "thank you for a wonderful talk", "this is a terrible disaster"


@dataclass(frozen=True, slots=True)
class Table:
    """A stand-in's table with one room."""

    name: str
    db: Any

    def keep(self, *bodies: str, keep_s: int = 0) -> list[str]:
        """Let the queue's function take messages; return what it hands back."""
        records = [{"messageId": str(place), "body": body} for place, body in enumerate(bodies)]
        told = finals_to_table.keep(
            {"Records": records}, finals_to_table.put_into(self.name), keep_s
        )
        return [failure["itemIdentifier"] for failure in told["batchItemFailures"]]

    def read(self, image: Image) -> None:
        """Let the stream's function take a row as it was at some time."""
        change = {"NewImage": image, "SequenceNumber": "1"}
        event = {"Records": [{"eventName": "MODIFY", "dynamodb": change}]}
        told = table_to_mood.read_all(event, table_to_mood.write_into(self.name))
        assert told == {"batchItemFailures": []}

    @property
    def row(self) -> Image:
        """The row as it is now."""
        (found,) = self.db.scan(TableName=self.name, ConsistentRead=True)["Items"]
        image: Image = found
        return image

    @property
    def mood(self) -> str | None:
        """How the row's final sounds."""
        return self.row.get("sentiment", {}).get("S")


@pytest.fixture(params=["ministack", "dynalite"])
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    """A table of its own in each stand-in, which the functions' client finds."""
    stand_in: StandIn = request.getfixturevalue(request.param)
    for name, value in stand_in.environment.items():
        monkeypatch.setenv(name, value)
    dynamodb_client.dynamodb.cache_clear()
    yield Table(make_table(stand_in), stand_in.client("dynamodb"))
    dynamodb_client.dynamodb.cache_clear()


def said(text: str, now: Now | None = None) -> str:
    """Return the message of the one final."""
    segment = Segment("talk", 1, text, 100, 190, True, "en-US")
    return message("sala", 1, 1000, "segment", encode(segment), now)


def test_a_message_that_comes_again_changes_nothing(table: Table) -> None:
    """Neither what was read nor the day on which it expires."""
    assert table.keep(said(PRAISE), keep_s=100) == []
    table.read(table.row)
    before = table.row
    assert (before["sentiment"], before["exp"]) == ({"S": "positive"}, {"N": "101"})
    assert {name: before[name] for name in row(said(PRAISE))} == {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in row(said(PRAISE)).items()
    }
    assert table.keep(said(PRAISE), keep_s=200) == []
    assert table.row == before


def test_another_final_in_its_place_changes_nothing(table: Table) -> None:
    """It is handed back, with its edit."""
    table.keep(said(PRAISE))
    table.read(table.row)
    before = table.row
    assert table.keep(said(BLAME, Now(3, "else"))) == ["0"]
    assert table.row == before


def test_a_corrected_line_is_scored_anew(table: Table) -> None:
    """Its first words stay beside those that it has now, and the reading ends with one."""
    table.keep(said(PRAISE))
    table.read(table.row)
    assert table.mood == "positive"
    assert table.keep(said(PRAISE, Now(3, BLAME))) == []
    table.read(table.row)
    found = table.row
    assert table.mood == "negative"
    assert (found["transcript"], found["textNow"]) == ({"S": PRAISE}, {"S": BLAME})
    table.read(found)
    assert table.keep(said(PRAISE), said(PRAISE, Now(3, BLAME))) == []
    assert table.row == found


def test_a_struck_line_has_no_mood_until_it_is_back(table: Table) -> None:
    """As in the log's own book of moods."""
    table.keep(said(PRAISE))
    table.read(table.row)
    table.keep(said(PRAISE, Now(3, None)))
    table.read(table.row)
    assert table.row.keys().isdisjoint(["sentiment", "sentimentScore", "intent", "readBy"])
    table.keep(said(PRAISE, Now(4, PRAISE)))
    table.read(table.row)
    assert table.mood == "positive"


@pytest.mark.parametrize(
    "edits",
    [
        (None, Now(3, None), Now(4, BLAME)),
        (Now(4, BLAME), Now(3, None), None),
        (Now(3, "well"), Now(4, BLAME), None),
    ],
)
def test_the_newest_edit_counts_in_whatever_order_they_come(
    table: Table, edits: Sequence[Now | None]
) -> None:
    """The queue keeps no order; what comes too late changes nothing, and is not handed back."""
    assert table.keep(*(said(PRAISE, now) for now in edits)) == []
    assert (table.row["edition"], table.row["textNow"]) == ({"N": "4"}, {"S": BLAME})


def test_a_reading_that_comes_late_is_left_out(table: Table) -> None:
    """The stream tells of the first words only after the line was corrected, and was read."""
    table.keep(said(PRAISE))
    first = table.row
    table.keep(said(PRAISE, Now(3, "well")))
    second = table.row
    table.keep(said(PRAISE, Now(4, BLAME)))
    for image in (first, second):
        table.read(image)
        assert table.mood is None
    table.read(table.row)
    for image in (first, second):
        table.read(image)
    assert table.mood == "negative"
