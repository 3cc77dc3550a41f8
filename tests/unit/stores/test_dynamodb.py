"""What the table does beyond a log: rows that expire, and a window by time."""

from collections.abc import Callable
from typing import Any

import pytest

from parola.domain.errors import StoreFailed
from parola.domain.log import Entry
from parola.domain.transcript import Segment
from parola.stores.aws import open_aws
from parola.stores.bodies import encode
from parola.stores.dynamodb import DynamoDbLog
from parola.wire.table_calls import edit_call
from parola.wire.table_rows import Now, message, row
from tests.stand_ins import StandIn, make_table


@pytest.fixture
def table(dynalite: StandIn, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new table, and the environment in which it is found."""
    for name, value in dynalite.environment.items():
        monkeypatch.setenv(name, value)
    return make_table(dynalite)


def _entry(number: int, text: str = "ciao") -> Entry:
    body = Segment("talk", number, text, number * 100, number * 100 + 90, True, "it-IT")
    return Entry("sala", number, 1000 + number, body)


def _edit(table: str, entry: Entry, now: Now) -> Callable[[Any], object]:
    """Do what the Lambda function does with an edit."""
    made = row(message(entry.room, entry.number, entry.at_ms, "segment", encode(entry.body)))
    return lambda db: db.update_item(**edit_call(table, made, now))


async def test_what_is_expired_is_not_told(table: str) -> None:
    """AWS deletes an expired row within days; readers never see it, and a window begins in time."""
    now_s = [0.0]
    async with open_aws("dynamodb") as client:
        log = DynamoDbLog(client, table, keep_s=60, now_s=lambda: now_s[0])
        await log.append([_entry(1), _entry(2)])
        assert await log.since("sala", 1002) == [_entry(2)]
        now_s[0] = 30
        await log.append([_entry(3)])
        now_s[0] = 60
        assert await log.read("sala") == await log.since("sala", 0) == [_entry(3)]
        assert [summary.entries for summary in await log.rooms()] == [1]


async def test_a_window_shows_lines_as_people_have_left_them(table: str) -> None:
    """What was said stays in the row; a struck line is in no window."""
    async with open_aws("dynamodb") as client:
        log = DynamoDbLog(client, table)
        await log.append([_entry(1), _entry(2), _entry(3)])
        for number, now in ((1, Now(4, "salve")), (2, Now(5, None))):
            await client.call(_edit(table, _entry(number), now))
        found = await log.since("sala", 0)
        texts = [body.text for entry in found if isinstance(body := entry.body, Segment)]
        assert texts == ["salve", "ciao"]
        assert await log.read("sala") == [_entry(1), _entry(2), _entry(3)]


async def test_two_writers_never_overwrite_each_other(table: str) -> None:
    """Who comes second with another line for the same place is told; the first line stays."""
    async with open_aws("dynamodb") as client:
        one, other = DynamoDbLog(client, table), DynamoDbLog(client, table)
        assert await one.last_number("sala") == await other.last_number("sala") == 0
        await one.append([_entry(1)])
        with pytest.raises(StoreFailed, match="other content"):
            await other.append([_entry(1, "altro")])
        assert await other.read("sala") == [_entry(1)]


async def test_a_service_that_is_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: that is a StoreFailed, with what to look at."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    async with open_aws("dynamodb") as client:
        with pytest.raises(StoreFailed, match="see region, credentials and network"):
            await DynamoDbLog(client, "rows").last_number("sala")
