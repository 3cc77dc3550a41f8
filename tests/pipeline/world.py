"""A pipeline in pieces that can be killed, between lines that can fail."""

import asyncio
import json
import os
import random
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.pipeline.link import Link, link
from tests.stand_ins import StandIn, aws_environment, make_table

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class World:
    """Queue, dead-letter queue and table, and the lines to them."""

    stand_in: StandIn
    queue: str
    dead_letters: str
    table: str
    to_queue: Link
    from_queue: Link
    to_table: Link

    def texts(self) -> list[str]:
        """Return what the table holds of the room, in its order."""
        return [item["transcript"]["S"] for item in self.rows()]

    def rows(self) -> list[dict[str, dict[str, str]]]:
        """Return the room's rows in the table, in its order."""
        db = self.stand_in.client("dynamodb")
        pages = db.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :room",
            ExpressionAttributeValues={":room": {"S": "sala"}},
        )
        return [item for page in pages for item in page["Items"]]

    def put_aside(self) -> list[str]:
        """Return, and take, the bodies in the dead-letter queue."""
        sqs = self.stand_in.client("sqs")
        found: list[str] = []
        while messages := sqs.receive_message(
            QueueUrl=self.dead_letters, MaxNumberOfMessages=10
        ).get("Messages"):
            found += [message["Body"] for message in messages]
        return found

    def on_the_way(self) -> int:
        """Return how many messages are in the queue or in the function's hands."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.stand_in.client("sqs").get_queue_attributes(
            QueueUrl=self.queue, AttributeNames=names
        )
        return sum(int(found["Attributes"][name]) for name in names)

    def calm(self) -> None:
        """Let nothing fail any more."""
        for line in (self.to_queue, self.from_queue, self.to_table):
            line.faults.lost_answer = line.faults.throttled = 0.0
            line.faults.is_down = False

    async def start(self, module: str, *arguments: str) -> asyncio.subprocess.Process:
        """Start a piece in a process of its own."""
        queue = self.to_queue if module.endswith("speaker") else self.from_queue
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PAROLA_"))},
            **aws_environment({"SQS": queue.url, "DYNAMODB": self.to_table.url}),
            "TABLE": self.table,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}:{ROOT / 'deploy' / 'aws' / 'lambda'}",
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )


@asynccontextmanager
async def world(stand_in: StandIn, seed: int) -> AsyncIterator[World]:
    """Make queues and a table, and lines to them without faults."""
    sqs = stand_in.client("sqs")
    name = str(uuid.uuid4())
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    redrive = {"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": "30"}
    # The deployed queue waits for a minute and gives up after five: nobody waits so long here.
    attributes = {"VisibilityTimeout": "3", "RedrivePolicy": json.dumps(redrive)}
    queue = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    async with AsyncExitStack() as stack:
        lines = [
            await stack.enter_async_context(link(service, stand_in.url, seed + place))
            for place, service in enumerate(("sqs", "sqs", "dynamodb"))
        ]
        yield World(stand_in, queue, dead, make_table(stand_in), *lines)


async def storm(there: World, folder: Path, finals: int, seed: int) -> list[str]:
    """Let finals be said while everything fails in turn; return what the table holds then."""
    dice = random.Random(seed)  # noqa: S311 - replayable on purpose
    there.to_queue.faults.lost_answer = 0.4
    there.from_queue.faults.lost_answer = 0.1
    there.to_table.faults.lost_answer = 0.1
    there.to_table.faults.throttled = 0.05
    keeper = await there.start("tests.pipeline.keeper", there.queue)
    speaker = keeper
    try:
        for goal in range(finals // 3, finals + 1, finals // 3):
            # A new server, with finals to say, finds the queue down; then both are killed again.
            there.to_queue.faults.is_down = True
            down = there.to_queue.faults.seen["down"]
            speaker = await there.start(
                "tests.pipeline.speaker", str(folder), there.queue, str(goal)
            )
            await until(partial(_has_refused_more, there, down), 60)
            there.to_queue.faults.is_down = False
            rows = dice.randrange(goal - finals // 3 + 1, goal)
            await until(partial(_has_rows, there, rows), 60)
            if goal < finals:
                await kill(speaker)
                await kill(keeper)
                keeper = await there.start("tests.pipeline.keeper", there.queue)
        assert speaker.stdout is not None
        said = await asyncio.wait_for(speaker.stdout.readline(), 60)
        assert said == b"all sent\n"
        there.calm()
        await until(partial(_has_rows, there, finals), 60)
        return there.texts()
    finally:
        await kill(speaker)
        await kill(keeper)


def _has_refused_more(there: World, than: int) -> bool:
    return there.to_queue.faults.seen["down"] > than


def _has_rows(there: World, rows: int) -> bool:
    return len(there.texts()) >= rows


async def until(condition: Callable[[], bool], within_s: float, look_s: float = 0.1) -> None:
    """Wait until a condition of a store is met; stores cannot be awaited."""
    deadline = time.monotonic() + within_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it does not happen"
        await asyncio.sleep(look_s)


async def kill(process: asyncio.subprocess.Process) -> None:
    """End a piece with SIGKILL, if it runs."""
    if process.returncode is None:
        process.kill()
    await process.wait()


def environment_of(there: World) -> Mapping[str, str]:
    """Return what sends a plug in this process over the world's lines."""
    return aws_environment({"SQS": there.to_queue.url, "DYNAMODB": there.to_table.url})
