"""The Lambda function that puts finals from the queue into the table, and changes none.

A final that somebody has edited comes again, with how it reads now: that is noted beside it.

What is not kept is named in `batchItemFailures`, so that the queue delivers it again and, after
five times, puts it aside in the dead-letter queue. An error outside a record is raised: then the
queue delivers the whole batch again. Nothing is ever answered with a status code, which the queue
would take for success.
"""

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dynamodb_client import dynamodb

from parola.wire.table_calls import edit_call, keep_call
from parola.wire.table_rows import Now, Poison, Row, now_in, row

logger = logging.getLogger()
logger.setLevel(logging.INFO)

Put = Callable[[Row, Now | None], None]
"""Puts a row, and notes how its final reads now, where somebody has edited it."""


class Conflict(Exception):  # noqa: N818 - what it is
    """Another final is in the same place of the table; it stays there."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take a batch of the queue; the deployed function's way in."""
    keep_days = int(os.environ.get("KEEP_DAYS", "0"))
    return keep(event, put_into(os.environ["TABLE"]), keep_days * 86_400)


def keep(event: dict[str, Any], put: Put, keep_s: int = 0) -> dict[str, Any]:
    """Put each record's row; return which records have to be delivered again.

    Args:
        event: as AWS documents it: Lambda, "Using Lambda with Amazon SQS".
        put: what puts a row.
        keep_s: how long after it was said a final expires; 0: never. A late edit of one that is
            gone brings it back for no longer than until the table's next sweep.
    """
    failed = []
    for record in event["Records"]:
        why = _why_not_kept(record["body"], put, keep_s)
        if why:
            # Metric filters count these lines. They never hold what was said.
            logger.error(json.dumps({"not_kept": why, "message": record["messageId"]}))
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _why_not_kept(body: str, put: Put, keep_s: int) -> str | None:
    try:
        made, now = row(body), now_in(body)
        put({**made, "exp": int(made["atMs"]) // 1000 + keep_s} if keep_s else made, now)
    except Poison:
        return "poison"
    except Conflict:
        return "conflict"
    # One record's trouble is not the batch's: throttling, an outage, a right that is missing.
    except Exception as error:  # noqa: BLE001 - reported, and delivered again by the queue
        return type(error).__name__
    return None


def put_into(table: str) -> Put:
    """Return what puts a row into a table, unless another one is there."""
    db = dynamodb()

    refused = db.exceptions.ConditionalCheckFailedException

    def put(made: Row, now: Now | None) -> None:
        try:
            db.update_item(**keep_call(table, made))
        except refused as error:
            raise Conflict from error
        if now:
            with suppress(refused):  # it knows a newer edit
                db.update_item(**edit_call(table, made, now))

    return put
