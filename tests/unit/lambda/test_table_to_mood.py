"""The function that reads the table's stream: it reads each final once, and never in a circle."""

from typing import Any

import pytest
from table_to_mood import Image, Values, read_all

from parola.domain.transcript import Segment
from parola.stores.bodies import encode
from parola.wire.table_rows import message, row


def image(number: int, text: str, language: str = "en-US") -> Image:
    """Return a final's row as a stream holds it."""
    segment = Segment("talk", number, text, number * 100, number * 100 + 90, True, language)
    made = row(message("sala", number, 1000 + number, "segment", encode(segment)))
    return {k: {"N": str(v)} if isinstance(v, int) else {"S": v} for k, v in made.items()}


def event(*images: Image, name: str = "INSERT") -> dict[str, Any]:
    """Return a batch as AWS documents it: Lambda, "Using Lambda with DynamoDB"."""
    records = [
        {
            "eventID": f"e{number}",
            "eventName": name,
            "eventSource": "aws:dynamodb",
            "dynamodb": {
                "Keys": {"pk": made.get("pk"), "sk": made.get("sk")},
                "NewImage": made,
                "SequenceNumber": f"{number:021d}",
                "StreamViewType": "NEW_IMAGE",
            },
        }
        for number, made in enumerate(images)
    ]
    return {"Records": records}


class Table:
    """Takes what is written; may fail as a throttled table does."""

    def __init__(self, *failing: str) -> None:
        self.rows: dict[str, Values] = {}
        self._failing = failing

    def write(self, made: Image, values: Values) -> None:
        if made["transcript"]["S"] in self._failing:
            raise TimeoutError
        self.rows[made["sk"]["S"]] = values


def test_a_final_is_read() -> None:
    """Sentiment and intent of each language there is; a language that nobody knows has none."""
    table = Table()
    said = [image(1, "thank you for a wonderful talk"), image(2, "che disastro", "it-IT")]
    done = read_all(event(*said, image(3, "merci", "fr-FR")), table.write)
    assert done == {"batchItemFailures": []}
    found = [table.rows[made["sk"]["S"]] for made in said]
    assert [values[":label"]["S"] for values in found] == ["positive", "negative"]
    assert found[0][":intent"] == {"S": "thanks"}
    assert float(found[0][":score"]["N"]) > 0.05
    assert found[0][":rid"] == said[0]["rid"]
    assert len(table.rows) == 2


def test_what_it_wrote_is_not_read_again() -> None:
    """Its own writes come back on the stream, also those of a line that was edited or struck."""
    table = Table()
    read = {**image(1, "thank you"), "sentiment": {"S": "positive"}}
    edited = {**read, "edition": {"N": "5"}, "textNow": {"S": "no"}, "readEdition": {"N": "5"}}
    struck = {**image(1, "thank you"), "edition": {"N": "6"}, "readEdition": {"N": "6"}}
    read_all(event(read, edited, struck, name="MODIFY"), table.write)
    assert not table.rows


def test_an_edited_final_is_read_anew() -> None:
    """By the words it has now; one that is struck has no sentiment any more."""
    table = Table()
    read = {**image(1, "thank you"), "sentiment": {"S": "positive"}, "edition": {"N": "5"}}
    place = read["sk"]["S"]
    read_all(event({**read, "textNow": {"S": "a disaster"}}, name="MODIFY"), table.write)
    assert table.rows[place][":label"] == {"S": "negative"}
    assert table.rows[place][":edition"] == {"N": "5"}
    read_all(event(read, name="MODIFY"), table.write)
    assert table.rows[place] == {":rid": read["rid"], ":edition": {"N": "5"}}


def test_what_failed_begins_the_next_batch() -> None:
    """The stream begins again with the first that failed: nothing after it is written before."""
    table = Table("due")
    done = read_all(event(image(1, "uno"), image(2, "due"), image(3, "tre")), table.write)
    assert done == {"batchItemFailures": [{"itemIdentifier": f"{1:021d}"}]}
    assert len(table.rows) == 1


def test_a_row_that_is_no_final_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    """What can never be read is told once; deletions and the log's other entries are passed by."""
    table = Table()
    broken = {**image(1, "uno"), "body": {"S": "{"}}
    other = {**image(2, "due"), "kind": {"S": "state"}}
    done = read_all(event(broken, other, {}, image(3, "tre")), table.write)
    assert done == {"batchItemFailures": []}
    assert len(table.rows) == 1
    assert caplog.text.count("not_read") == 1
    read_all(event(image(4, "quattro"), name="REMOVE"), table.write)
    assert len(table.rows) == 1
