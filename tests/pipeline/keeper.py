"""Plays Lambda: takes batches of a queue, shuffled, to the function; may be killed at any time.

Run as: python -m tests.pipeline.keeper QUEUE_URL, with the function's own environment.
"""

import random
import sys
from typing import Any

import boto3
import finals_to_table
from botocore.exceptions import BotoCoreError, ClientError


def main(queue: str) -> None:
    """Take batches for ever, as an event source mapping does."""
    sqs = boto3.client("sqs")
    while True:
        try:
            take(sqs, queue)
        except (BotoCoreError, ClientError):
            continue  # the mapping goes on asking


def take(sqs: Any, queue: str) -> None:  # noqa: ANN401 - boto3 has no types
    """Hand one batch to the function, and delete what it does not hand back."""
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    messages = {message["MessageId"]: message for message in answer.get("Messages", [])}
    if not messages:
        return
    records = [{"messageId": name, "body": m["Body"]} for name, m in messages.items()]
    random.shuffle(records)
    told = finals_to_table.handler({"Records": records}, None)
    for failure in told["batchItemFailures"]:
        messages.pop(failure["itemIdentifier"])
    for message in messages.values():
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main(sys.argv[1])
