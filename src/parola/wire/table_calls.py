"""How a row is written in DynamoDB: over no other one, and over nothing that stands beside it.

Standard library only: the Lambda function carries this file with it. All of them are UpdateItem: a
PutItem that is repeated takes away what others have written into the row since.
"""

from typing import Any

from parola.wire.table_rows import Now, Row

KEYS = ("pk", "sk")

ONCE = "exp"
"""When the row expires, counted from its first writing."""

KEPT = "attribute_not_exists(pk) OR rid = :rid"
"""A repetition changes nothing; another row in the same place is never overwritten."""

NEWER = "rid = :rid AND (attribute_not_exists(edition) OR edition < :edition)"
"""Edits may come in any order, and again: the newest counts."""


def keep_call(table: str, made: Row) -> dict[str, Any]:
    """Return the call that puts a row where nothing is, or the very same row."""
    fields = {name: value for name, value in made.items() if name not in KEYS}
    # Some of the names are words of DynamoDB's own.
    sets = [
        f"#{name} = if_not_exists(#{name}, :{name})" if name == ONCE else f"#{name} = :{name}"
        for name in fields
    ]
    return {
        "TableName": table,
        "Key": {name: typed(made[name]) for name in KEYS},
        "UpdateExpression": "SET " + ", ".join(sets),
        "ConditionExpression": KEPT,
        "ExpressionAttributeNames": {f"#{name}": name for name in fields},
        "ExpressionAttributeValues": {f":{name}": typed(value) for name, value in fields.items()},
    }


def edit_call(table: str, made: Row, now: Now) -> dict[str, Any]:
    """Return the call that notes in a row how its final reads now; the row itself has to be there.

    Where it is refused, a newer edit has been noted.
    """
    values = {":rid": typed(made["rid"]), ":edition": typed(now.edition)}
    change = "SET edition = :edition REMOVE textNow"
    if now.text is not None:
        values[":text"] = typed(now.text)
        change = "SET edition = :edition, textNow = :text"
    return {
        "TableName": table,
        "Key": {name: typed(made[name]) for name in KEYS},
        "UpdateExpression": change,
        "ConditionExpression": NEWER,
        "ExpressionAttributeValues": values,
    }


def typed(value: str | int) -> dict[str, str]:
    """Return a value as DynamoDB's calls want it."""
    return {"N": str(value)} if isinstance(value, int) else {"S": value}
