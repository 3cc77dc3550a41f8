"""What stands in for AWS on loopback: MiniStack (from PyPI) and dynalite (from npm)."""

import os
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.servers import free_port

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / ".tools" / "aws-stand-ins" / "bin"
DYNALITE = ROOT / "tests" / "npm" / "node_modules" / "dynalite" / "cli.js"

SERVICES = (
    "SQS",
    "DYNAMODB",
    "LAMBDA",
    "CLOUDFORMATION",
    "S3",
    "IAM",
    "LOGS",
    "STS",
    "TRANSCRIBE",
    "EVENTS",
    "SNS",
)

KEYS: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
    ],
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
"""A table's keys, as in deploy/aws/event.yaml."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """Something that listens where AWS would."""

    url: str
    process: "subprocess.Popen[bytes]"

    @property
    def environment(self) -> dict[str, str]:
        """What sends boto3 there and nowhere else."""
        return aws_environment(dict.fromkeys(SERVICES, self.url))

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 has no types
        """Return a client of a service."""
        return client(service, self.url)


def client(service: str, url: str) -> Any:  # noqa: ANN401 - boto3 has no types
    """Return a boto3 client for an address."""
    return boto3.session.Session().client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the stand-in asks for any
        config=Config(retries={"total_max_attempts": 2}, read_timeout=20),
    )


def aws_environment(urls: Mapping[str, str]) -> dict[str, str]:
    """Return what sends boto3's calls to addresses, with credentials that open nothing."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **{f"AWS_ENDPOINT_URL_{service}": url for service, url in urls.items()},
    }


@contextmanager
def ministack() -> Iterator[StandIn]:
    """Run MiniStack on loopback: SQS, DynamoDB, Lambda, CloudFormation and more."""
    program = TOOLS / "ministack"
    if not program.exists():
        pytest.fail("MiniStack is not installed; run scripts/sdk-venvs")
    port = free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PAROLA_"))},
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LOG_LEVEL": "WARNING",
        # What a deployed function's boto3 is: the stand-in's own.
        "PATH": f"{TOOLS}:{os.environ['PATH']}",
    }
    url = f"http://127.0.0.1:{port}"
    with _running([str(program)], url + "/_ministack/health", environment) as process:
        yield StandIn(url, process)


@contextmanager
def dynalite() -> Iterator[StandIn]:
    """Run dynalite on loopback: DynamoDB's expressions, checked most strictly."""
    port = free_port()
    command = ["node", str(DYNALITE), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--createTableMs", "0", "--deleteTableMs", "0"]
    url = f"http://127.0.0.1:{port}"
    with _running(command, url, dict(os.environ)) as process:
        yield StandIn(url, process)


@contextmanager
def _running(
    command: list[str], health: str, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_healthy(process, health)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_healthy(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
                return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{url} does not answer")
            time.sleep(0.05)


def make_table(stand_in: StandIn) -> str:
    """Make a table with the pipeline's keys and return its name."""
    name = f"rows-{uuid.uuid4()}"
    db = stand_in.client("dynamodb")
    db.create_table(TableName=name, **KEYS)
    db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return name
