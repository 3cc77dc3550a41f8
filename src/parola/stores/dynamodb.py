"""Keeps logs in one Amazon DynamoDB table, where the pipeline's Lambda function writes too.

What a row says never changes once it is there; beside it may be noted how a person has corrected it
and how it sounds. A room's rows lie together, sorted by time: the newest two
minutes are one query. What differs from the SQLite log: an append of several entries that dies
half way leaves the first of them, and the same append again completes it.
"""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from parola.domain.errors import StoreFailed
from parola.domain.intent import INTENTS
from parola.domain.log import (
    BEGIN_AND_END,
    Edit,
    Entry,
    RoomSummary,
    SessionPast,
    StateChange,
    is_switch,
    switch_in,
)
from parola.domain.mood import LineMood, newest_conversation
from parola.domain.transcript import Segment
from parola.stores.aws import AwsClient, error_code, open_aws
from parola.stores.bodies import encode, entry_of, kind_of
from parola.wire.table_calls import keep_call
from parola.wire.table_rows import Row, iso_ms, message, row

MOODS = 1000
"""Lines of a conversation whose mood is told, the newest: each look reads as many rows."""

CURSORS = 1000
"""Rooms whose last place is remembered, so that a reader who goes on reads only what is new."""


@dataclass(slots=True)
class _Written:
    """What the one writer of a room knows to be in the table."""

    numbers: dict[int, str] = field(default_factory=dict)
    """Each entry's fingerprint."""
    segments: set[tuple[str, int]] = field(default_factory=set)

    def note(self, entry: Entry, rid: str) -> None:
        self.numbers[entry.number] = rid
        if isinstance(entry.body, Segment):
            self.segments.add((entry.body.session, entry.body.first_frame))


@asynccontextmanager
async def open_dynamodb(table: str, *, keep_s: int | None = None) -> AsyncIterator["DynamoDbLog"]:
    """Open a table that is there; nobody is asked before the first call.

    Args:
        table: its name. Keys: `pk` (partition) and `sk` (sort), both strings.
        keep_s: how long rows that are appended here are kept; None: for ever.

    Raises:
        StoreFailed: boto3 is not installed.
    """
    async with open_aws("dynamodb") as client:
        yield DynamoDbLog(client, table, keep_s=keep_s)


class DynamoDbLog:
    """A log in a table; made by `open_dynamodb`. The writer remembers its rooms' numbers."""

    def __init__(
        self,
        client: AwsClient,
        table: str,
        *,
        keep_s: int | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._table = table
        self._keep_s = keep_s
        self._now_s = now_s
        self._written: dict[str, _Written] = {}
        self._cursors: OrderedDict[str, tuple[int, str]] = OrderedDict()

    async def append(self, entries: Sequence[Entry]) -> None:
        """Check all, then put one after the other. Cancelled, it may go on."""
        if entries:
            await self._client.call(lambda db: self._append(db, entries))

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Goes on where the room was read last, if that is far enough; strongly consistent."""
        if limit <= 0:
            return []
        return await self._client.call(lambda db: self._read(db, room, after, limit))

    async def since(self, room: str, since_ms: int) -> list[Entry]:
        """One query, as a rule, at half the price of `read`."""
        start = {":start": {"S": iso_ms(since_ms)}}
        return await self._client.call(
            lambda db: [
                now
                for item in self._query(
                    db, room, "sk >= :start", start, consistent=False, forward=True
                )
                if (now := _as_it_reads(item))
            ]
        )

    async def moods(self, room: str, session: str | None = None) -> list[LineMood]:
        """What the function on the table's stream has written; the newest rows first, as needed."""

        def work(db: Any) -> list[LineMood]:  # noqa: ANN401 - boto3 has no types
            found: list[LineMood] = []
            for item in self._query(db, room, consistent=False, forward=False):
                if "sentimentScore" not in item or session not in {None, item["session"]["S"]}:
                    continue
                found.append(_mood(item))
                if len(found) == MOODS:
                    break
                # The one before a long silence is read too, and left out below.
                if session is None and len(newest_conversation(found[-2:][::-1])) < len(found[-2:]):
                    break
            found.reverse()
            return found if session is not None else list(newest_conversation(found))

        return await self._client.call(work)

    async def last_number(self, room: str) -> int:
        """Ask for the newest row."""

        def work(db: Any) -> int:  # noqa: ANN401 - boto3 has no types
            newest = next(self._query(db, room, forward=False, page=1), None)
            return int(newest["number"]["N"]) if newest else 0

        return await self._client.call(work)

    async def past(self, room: str, session: str) -> SessionPast:
        """Reads the whole room: asked once when a session begins."""
        entries = await self.read(room, limit=10**9)
        theirs = [entry for entry in entries if entry.body.session == session]
        ours = [entry.body for entry in theirs]
        segments = [body for body in ours if isinstance(body, Segment)]
        talk = [b.change for b in ours if isinstance(b, StateChange) and b.change in BEGIN_AND_END]
        newest = segments[-1] if segments else None
        return SessionPast(
            newest.number if newest else 0,
            newest.end_frame if newest else 0,
            talk[-1:] == ["session_started"],
            tuple(switch for entry in theirs if (switch := switch_in(entry))),
        )

    async def newest_switch(self, room: str) -> Entry | None:
        """Reads the whole room: asked once when it is opened."""
        entries = await self.read(room, limit=10**9)
        return next((entry for entry in reversed(entries) if is_switch(entry)), None)

    async def edits(self, room: str) -> list[Entry]:
        """Reads the whole room: asked when somebody opens its transcript."""
        return [
            entry for entry in await self.read(room, limit=10**9) if isinstance(entry.body, Edit)
        ]

    async def rooms(self) -> list[RoomSummary]:
        """Reads the whole table: for an operator, not for every page."""
        return await self._client.call(self._rooms)

    def _append(self, db: Any, entries: Sequence[Entry]) -> None:  # noqa: ANN401
        new = list(self._new(db, entries))
        for entry, item in new:
            self._put(db, item)
            self._written[entry.room].note(entry, str(item["rid"]))

    def _new(self, db: Any, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Row]]:  # noqa: ANN401
        """Yield what has to be put; raises before the first put where a number is taken."""
        seen: dict[str, _Written] = {}
        planned = []
        for entry in entries:
            known, fresh = self._known(db, entry.room), seen.setdefault(entry.room, _Written())
            item = _row(entry)
            there = known.numbers.get(entry.number) or fresh.numbers.get(entry.number)
            if there and there != item["rid"]:
                raise _taken(entry)
            if there or _is_replay(entry, known, fresh):
                continue
            fresh.note(entry, str(item["rid"]))
            planned.append((entry, item))
        yield from planned

    def _known(self, db: Any, room: str) -> _Written:  # noqa: ANN401
        if room not in self._written:
            written = _Written()
            for item in self._query(db, room):
                written.note(_entry(item), item["rid"]["S"])
            self._written[room] = written
        return self._written[room]

    def _put(self, db: Any, item: Row) -> None:  # noqa: ANN401
        if self._keep_s is not None:
            item = {**item, "exp": int(self._now_s()) + self._keep_s}
        try:
            db.update_item(**keep_call(self._table, item))
        except import_module("botocore.exceptions").ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            raise StoreFailed(
                f"The place {item['sk']!r} of room {item['pk']!r} is there with other content; "
                "see that only one server writes into the room."
            ) from error

    def _read(self, db: Any, room: str, after: int, limit: int) -> list[Entry]:  # noqa: ANN401
        number, place = self._cursors.get(room, (0, ""))
        condition, values = ("", {})
        if place and number <= after:
            condition, values = "sk > :start", {":start": {"S": place}}
        found: list[Entry] = []
        for item in self._query(db, room, condition, values):
            entry = _entry(item)
            if entry.number > after:
                found.append(entry)
                self._cursors[room] = entry.number, item["sk"]["S"]
            if len(found) == limit:
                break
        self._cursors.move_to_end(room) if room in self._cursors else None
        if len(self._cursors) > CURSORS:
            self._cursors.popitem(last=False)
        return found

    def _query(
        self,
        db: Any,  # noqa: ANN401 - boto3 has no types
        room: str,
        condition: str = "",
        values: dict[str, dict[str, str]] | None = None,
        *,
        consistent: bool = True,
        forward: bool = True,
        page: int | None = None,
    ) -> Iterator[dict[str, dict[str, str]]]:
        """Yield a room's rows by place, without those that are expired: AWS deletes days later."""
        asked: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :room" + (f" AND {condition}" if condition else ""),
            "ExpressionAttributeValues": {":room": {"S": room}, **(values or {})},
            "ConsistentRead": consistent,
            "ScanIndexForward": forward,
            **({"Limit": page} if page else {}),
        }
        while True:
            answer = db.query(**asked)
            yield from (item for item in answer["Items"] if not self._is_expired(item))
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _rooms(self, db: Any) -> list[RoomSummary]:  # noqa: ANN401
        times: dict[str, list[int]] = {}
        names = {"#exp": "exp", "#pk": "pk", "#at": "atMs"}
        for page in db.get_paginator("scan").paginate(
            TableName=self._table,
            ProjectionExpression="#pk, #at, #exp",
            ExpressionAttributeNames=names,
        ):
            for item in page["Items"]:
                if not self._is_expired(item):
                    times.setdefault(item["pk"]["S"], []).append(int(item["atMs"]["N"]))
        return [RoomSummary(room, len(at), min(at), max(at)) for room, at in sorted(times.items())]

    def _is_expired(self, item: dict[str, dict[str, str]]) -> bool:
        return "exp" in item and int(item["exp"]["N"]) <= self._now_s()


def _row(entry: Entry) -> Row:
    """Return the row that the Lambda function would make of the entry, too."""
    body, kind = encode(entry.body), kind_of(entry.body)
    return row(message(entry.room, entry.number, entry.at_ms, kind, body))


def _entry(item: dict[str, dict[str, str]]) -> Entry:
    number, at_ms = int(item["number"]["N"]), int(item["atMs"]["N"])
    return entry_of(item["pk"]["S"], number, at_ms, item["kind"]["S"], item["body"]["S"])


def _as_it_reads(item: dict[str, dict[str, str]]) -> Entry | None:
    """Return a row's entry with what people have made of its text; None: it is struck."""
    entry = _entry(item)
    if "edition" not in item or not isinstance(entry.body, Segment):
        return entry
    if "textNow" not in item:
        return None
    return replace(entry, body=replace(entry.body, text=item["textNow"]["S"]))


def _mood(item: dict[str, dict[str, str]]) -> LineMood:
    entry = _entry(item)
    intent = item["intent"]["S"]
    return LineMood(
        entry.room,
        entry.number,
        entry.body.session,
        entry.at_ms,
        entry.body.first_frame if isinstance(entry.body, Segment) else 0,
        float(item["sentimentScore"]["N"]),
        next((known for known in INTENTS if known == intent), "other"),
        item["readBy"]["S"],
    )


def _is_replay(entry: Entry, *known: _Written) -> bool:
    if not isinstance(entry.body, Segment):
        return False
    key = entry.body.session, entry.body.first_frame
    return any(key in written.segments for written in known)


def _taken(entry: Entry) -> StoreFailed:
    return StoreFailed(
        f"Entry {entry.number} of room {entry.room!r} is there with other content; "
        "see that only one server writes into the room."
    )
