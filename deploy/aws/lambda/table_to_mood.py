"""The Lambda function that reads how the table's finals sound, and writes it beside them.

It is fed by the table's stream. Its own writes come back on that stream, and end there: a row that
was read is left alone until somebody edits its final. Then it is read anew, as it reads now; where
it was struck, what had been written is taken back. What cannot be written now is named in
`batchItemFailures`: the stream then begins again with it, so that it must come first among what
failed.
"""

import json
import logging
import os
from collections.abc import Callable
from typing import Any

from dynamodb_client import dynamodb

from parola.analysts.local import read
from parola.domain.sentiment import label

logger = logging.getLogger()
logger.setLevel(logging.INFO)

NOTES = "sentiment = :label, sentimentScore = :score, intent = :intent, readBy = :by"

FORGETS = "REMOVE sentiment, sentimentScore, intent, readBy"

FIRST = "rid = :rid AND attribute_not_exists(edition)"
EDITED = "rid = :rid AND edition = :edition"
"""The row is there, and reads as it was read. Without it, a deleted one would rise again, and an
earlier text's sentiment could be written after a later one's."""

Image = dict[str, dict[str, str]]
"""A row as the stream holds it, such as {"pk": {"S": "sala"}}."""

Values = dict[str, dict[str, str]]

Write = Callable[[Image, Values], None]


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take a batch of the stream; the deployed function's way in."""
    return read_all(event, write_into(os.environ["TABLE"]))


def read_all(event: dict[str, Any], write: Write) -> dict[str, Any]:
    """Write how each new final sounds; return from which record on the stream has to come again."""
    for record in event["Records"]:
        change = record["dynamodb"]
        values = _values(change.get("NewImage", {}))
        if record["eventName"] == "REMOVE" or values is None:
            continue
        try:
            write(change["NewImage"], values)
        # Throttling, an outage, a right that is missing: told, and tried again by the stream.
        except Exception as error:  # noqa: BLE001 - reported, and delivered again
            number = change["SequenceNumber"]
            logger.error(json.dumps({"not_read": type(error).__name__, "record": number}))  # noqa: TRY400 - the same
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def _values(image: Image) -> Values | None:
    """Return what is to be written of a final; None for what is no final, or has been read."""
    edition = image.get("edition")
    is_read = image.get("readEdition") == edition if edition else "sentiment" in image
    if is_read or image.get("kind", {}).get("S") != "segment":
        return None
    marks = {":rid": image["rid"], **({":edition": edition} if edition else {})}
    if edition and "textNow" not in image:
        return marks
    try:
        body = json.loads(image["body"]["S"])
        found = read(body["language"], image["textNow"]["S"] if edition else body["text"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # It would be the same every time, and hold up all that comes after it.
        logger.error(json.dumps({"not_read": type(error).__name__, "row": image.get("sk")}))  # noqa: TRY400 - metric filters read lines
        return None
    if found is None:
        return None
    score, intent = found
    return {
        ":label": {"S": label(score)},
        ":score": {"N": f"{score:.4f}"},
        ":intent": {"S": intent},
        ":by": {"S": "local"},
        **marks,
    }


def write_into(table: str) -> Write:
    """Return what writes into a row of a table, if that is still the same."""
    db = dynamodb()

    def write(image: Image, values: Values) -> None:
        try:
            db.update_item(
                TableName=table,
                Key={"pk": image["pk"], "sk": image["sk"]},
                UpdateExpression=_change(values),
                ConditionExpression=EDITED if ":edition" in values else FIRST,
                ExpressionAttributeValues=values,
            )
        except db.exceptions.ConditionalCheckFailedException:
            return  # deleted, or another one, or edited: the stream tells of that by itself

    return write


def _change(values: Values) -> str:
    sets = [NOTES] if ":label" in values else []
    if ":edition" in values:
        sets.append("readEdition = :edition")
    return f"SET {', '.join(sets)}" + ("" if ":label" in values else f" {FORGETS}")
