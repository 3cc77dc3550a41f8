"""Whatever fails on the way, the table holds every final once and in order."""

import json
from pathlib import Path

import pytest

from parola.ports import Outgoing
from parola.stores.aws import open_aws
from parola.stores.sqs import SqsQueue
from parola.wire.table_rows import message
from tests.pipeline.speaker import final
from tests.pipeline.world import environment_of, storm, until, world
from tests.stand_ins import StandIn

FINALS = 45


async def test_every_final_once_and_in_order(ministack: StandIn, tmp_path: Path) -> None:
    """Lost answers, an outage, throttling, `kill -9` of server and function: nothing is missing."""
    async with world(ministack, seed=7) as there:
        found = await storm(there, tmp_path, FINALS, seed=7)
        assert found == [str(number) for number in range(1, FINALS + 1)]
        assert there.put_aside() == []
        seen = there.to_queue.faults.seen + there.to_table.faults.seen
        assert seen["lost answers"] > 0
        assert seen["throttled"] > 0
        assert seen["down"] > 0


async def test_poison_is_put_aside_and_stands_in_nobodys_way(ministack: StandIn) -> None:
    """What can never become a row ends in the dead-letter queue as it was; the rest is kept."""
    async with world(ministack, seed=1) as there:
        sqs = ministack.client("sqs")
        attributes = sqs.get_queue_attributes(QueueUrl=there.queue, AttributeNames=["All"])
        redrive = json.loads(attributes["Attributes"]["RedrivePolicy"])
        short = json.dumps({**redrive, "maxReceiveCount": "2"})
        sqs.set_queue_attributes(QueueUrl=there.queue, Attributes={"RedrivePolicy": short})
        good = message("sala", 1, 1000, "segment", SEGMENT)
        conflict = message("sala", 1, 1000, "segment", SEGMENT.replace("uno", "altro"))
        sqs.send_message(QueueUrl=there.queue, MessageBody=good)
        keeper = await there.start("tests.pipeline.keeper", there.queue)
        try:
            await until(lambda: there.texts() == ["uno"], 20)
            for body in ("poison", conflict):
                sqs.send_message(QueueUrl=there.queue, MessageBody=body)
            aside: list[str] = []

            def both_aside() -> bool:
                aside.extend(there.put_aside())
                return len(aside) == 2

            await until(both_aside, 30)
        finally:
            keeper.kill()
            await keeper.wait()
        assert sorted(aside) == sorted(["poison", conflict])
        assert there.texts() == ["uno"]


SEGMENT = json.dumps(
    {"session": "talk", "first_frame": 0, "end_frame": 16_000, "text": "uno", "words": []}
)


async def test_ten_finals_are_one_call(ministack: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten finals go in one call, and none is named as refused."""
    async with world(ministack, seed=1) as there:
        for name, value in environment_of(there).items():
            monkeypatch.setenv(name, value)
        lines = [Outgoing(ticket, final(ticket, 1000 + ticket)) for ticket in range(1, 11)]
        async with open_aws("sqs") as client:
            assert await SqsQueue(client, there.queue).send(lines) == []
        assert there.to_queue.faults.seen["calls"] == 1
