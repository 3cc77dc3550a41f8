"""Sends finals to an Amazon SQS queue, ten at a time; reads nothing from it."""

from collections.abc import Sequence
from typing import Any

from parola.domain.errors import StoreFailed
from parola.domain.transcript import Segment
from parola.ports import Outgoing, Refusal
from parola.stores.aws import AwsClient
from parola.stores.bodies import encode, kind_of
from parola.wire.table_rows import Now, message

BATCH_BYTES = 256 * 1024
"""What one call may carry. AWS has raised its own limit since; this one works everywhere."""

HOPELESS = frozenset({"InvalidMessageContents", "InvalidParameterValue", "MessageTooLong"})
"""What is wrong with the message itself. Rights and limits may change, so those are tried again."""


class SqsQueue:
    """A standard queue: order is in the row's key, and a repetition changes nothing there."""

    def __init__(self, client: AwsClient, url: str) -> None:
        self._client = client
        self._url = url

    async def send(self, lines: Sequence[Outgoing]) -> list[Refusal]:
        """One call; one more for each half of what is too large for one."""
        entries = [
            {"Id": str(place), "MessageBody": _message(line)} for place, line in enumerate(lines)
        ]
        size = sum(len(entry["MessageBody"]) for entry in entries)
        if size > BATCH_BYTES and len(lines) > 1:
            middle = len(lines) // 2
            return [*await self.send(lines[:middle]), *await self.send(lines[middle:])]
        answer: dict[str, Any] = await self._client.call(
            lambda sqs: sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
        )
        return _refusals(lines, answer)


def _refusals(lines: Sequence[Outgoing], answer: dict[str, Any]) -> list[Refusal]:
    """Return what was not taken. A line that the answer does not name was not taken either."""
    taken = {entry["Id"] for entry in answer.get("Successful", ())}
    failed = {entry["Id"]: entry for entry in answer.get("Failed", ())}
    refusals = []
    for place, line in enumerate(lines):
        if str(place) in taken:
            continue
        entry = failed.get(str(place), {})
        code = str(entry.get("Code", "unanswered"))
        refusals.append(Refusal(line.ticket, code, code.rpartition(".")[2] in HOPELESS))
    return refusals


def _message(line: Outgoing) -> str:
    entry = line.entry
    try:
        return message(
            entry.room,
            entry.number,
            entry.at_ms,
            kind_of(entry.body),
            encode(entry.body),
            _now(line),
        )
    except OverflowError as error:
        raise StoreFailed(
            f"Entry {entry.number} of room {entry.room!r} has no time that can be written; "
            "report this to Parola's makers."
        ) from error


def _now(line: Outgoing) -> Now | None:
    """Return how the line reads, where somebody has edited it."""
    standing, body = line.edited, line.entry.body
    if standing is None or not isinstance(body, Segment):
        return None
    as_heard = body.text if standing.text is None else standing.text
    return Now(standing.version, None if standing.is_struck else as_heard)
