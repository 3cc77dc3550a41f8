"""The templates for AWS are free of the errors that somebody has made before."""

import copy
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from parola.domain.pipeline_cost import FUNCTION_GB, READER_CALLS
from tests.deploy.rules import Template, complaints
from tests.stand_ins import ROOT, TOOLS

FOLDER = ROOT / "deploy" / "aws"
NAMES = ("event", "small")

# CloudFormation's short forms are no plain YAML: the linter's own reader knows them.
READER = (
    "import json, sys; from cfnlint.decode import decode; print(json.dumps(decode(sys.argv[1])[0]))"
)


@cache
def _read(name: str) -> str:
    command = [str(TOOLS / "python"), "-c", READER, str(FOLDER / f"{name}.yaml")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def template(name: str) -> Template:
    """Return a template, with the long forms of its functions."""
    read: Template = json.loads(_read(name))
    return read


def test_the_linter_finds_nothing() -> None:
    """AWS's own linter knows the schema of every resource."""
    files = [str(path) for path in sorted(FOLDER.glob("*.yaml"))]
    assert [Path(file).stem for file in files] == sorted(NAMES)
    run = subprocess.run([str(TOOLS / "cfn-lint"), *files], check=False, capture_output=True)
    assert (run.returncode, run.stdout) == (0, b"")


@pytest.mark.parametrize("name", NAMES)
def test_our_rules_find_nothing(name: str) -> None:
    """What we ask of our templates holds."""
    assert complaints(template(name)) == []


DELETE = object()

CONTAINER = "Resources/Task/Properties/ContainerDefinitions/0"
PLANTED: tuple[tuple[str, str, object, str], ...] = (
    ("event", f"{CONTAINER}/StopTimeout", 180, "Fargate refuses"),
    ("event", f"{CONTAINER}/ReadonlyRootFilesystem", False, "write to its own program"),
    ("event", f"{CONTAINER}/Name", "other", "container or port"),
    ("event", "Resources/Service/Properties/LoadBalancers/0/ContainerPort", 80, "port"),
    (
        "event",
        f"{CONTAINER}/HealthCheck",
        {"Command": ["CMD-SHELL", "curl -f http://127.0.0.1:8000/healthz"]},
        "lets its talks end",
    ),
    ("event", "Resources/Service/Properties/LaunchType", DELETE, "middle of a talk"),
    (
        "event",
        "Resources/Balancer/Properties/LoadBalancerAttributes/0/Key",
        "idle_timeout.seconds",
        "other attributes",
    ),
    (
        "event",
        "Resources/Target/Properties/TargetGroupAttributes/0/Key",
        "deregistration_delay.seconds",
        "other attributes",
    ),
    (
        "event",
        "Resources/Target/Properties/TargetGroupAttributes/0/Value",
        "300",
        "longer than it may stop",
    ),
    ("event", "Resources/Target/Properties/HealthCheckTimeoutSeconds", 10, "asks again"),
    ("event", "Resources/Target/Properties/HealthCheckPath", "/", "another page"),
    (
        "event",
        "Resources/KeeperSource/Properties/FunctionResponseTypes",
        DELETE,
        "a part failed",
    ),
    ("event", "Resources/ReaderSource/Properties/BisectBatchOnFunctionError", False, "one of its"),
    ("event", "Resources/ReaderSource/Properties/MaximumRetryAttempts", DELETE, "waits a day"),
    ("event", "Resources/ReaderSource/Properties/DestinationConfig", DELETE, "loses what"),
    ("event", "Resources/ReaderSource/Properties/FilterCriteria", DELETE, "no final"),
    ("event", "Resources/UnreadAlarm", DELETE, "put aside in Unread"),
    ("event", "Resources/Finals/Properties/RedrivePolicy", DELETE, "no dead-letter queue"),
    (
        "event",
        "Resources/Finals/Properties/RedrivePolicy/maxReceiveCount",
        1,
        "gives up too early",
    ),
    ("event", "Resources/Finals/Properties/VisibilityTimeout", 30, "delivers again"),
    ("event", "Resources/Finals/Properties/SqsManagedSseEnabled", DELETE, "not encrypted"),
    ("event", "Resources/Table/DeletionPolicy", "Delete", "goes with its stack"),
    (
        "event",
        "Resources/Table/Properties/TimeToLiveSpecification/AttributeName",
        "ttl",
        "deletes nothing",
    ),
    (
        "event",
        "Resources/Table/Properties/PointInTimeRecoverySpecification",
        DELETE,
        "brought back",
    ),
    ("event", "Resources/Table/Properties/OnDemandThroughput", DELETE, "any amount"),
    ("event", "Resources/Table/Properties/KeySchema/1/AttributeName", "at", "other keys"),
    (
        "event",
        "Resources/KeeperRole/Properties/Policies/0/PolicyDocument/Statement/1/Action",
        "dynamodb:*",
        "more than it names",
    ),
    (
        "event",
        "Resources/ServerRole/Properties/Policies/0/PolicyDocument/Statement/1/Resource",
        "*",
        "to everything",
    ),
    (
        "event",
        "Resources/KeeperRole/Properties/Policies/0/PolicyDocument/Statement/1/Action",
        ["dynamodb:UpdateItem", "dynamodb:DeleteItem"],
        "which its program does not",
    ),
    (
        "small",
        "Resources/ServerRole/Properties/ManagedPolicyArns/0",
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "more than is needed",
    ),
    ("event", "Resources/Keeper/Properties/Architectures", ["x86_64"], "on ARM"),
    ("event", "Resources/Keeper/Properties/Architectures", DELETE, "on ARM"),
    ("event", "Resources/Task/Properties/RuntimePlatform", DELETE, "on ARM"),
    ("small", "Resources/Server/Properties/InstanceType", "t3.nano", "on ARM"),
    (
        "event",
        "Resources/KeeperSource/Properties/DestinationConfig",
        {"OnSuccess": {"Destination": {"Fn::GetAtt": ["Finals", "Arn"]}}},
        "never comes",
    ),
    (
        "event",
        "Resources/KeeperDestinations",
        {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": "Keeper"},
                "Qualifier": "$LATEST",
                "DestinationConfig": {},
            },
        },
        "never comes",
    ),
    (
        "event",
        "Resources/BalancerGroup/Properties/SecurityGroupIngress/0/CidrIp",
        "0.0.0.0/0",
        "everybody past CloudFront",
    ),
    (
        "small",
        "Resources/ServerGroup/Properties/SecurityGroupIngress/0/CidrIp",
        "0.0.0.0/0",
        "everybody past CloudFront",
    ),
    (
        "event",
        "Resources/Pages/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy",
        DELETE,
        "made public",
    ),
    ("event", "Resources/Budget", DELETE, "told of the bill"),
    ("small", "Resources/Budget", DELETE, "told of the bill"),
    ("event", "Resources/Nat", {"Type": "AWS::EC2::NatGateway"}, "NAT gateway"),
    ("event", "Resources/ServerLogs/Properties/RetentionInDays", DELETE, "too long"),
    ("event", "Resources/DeadLetterAlarm", DELETE, "nobody watches"),
    ("small", "Resources/StatusAlarm", DELETE, "nobody watches"),
    ("event", "Resources/QueueAgeAlarm/Properties/AlarmActions", DELETE, "tells nobody"),
)
"""Errors: the template, where in it, what stands there then, and a part of the complaint."""


@pytest.mark.parametrize(
    ("name", "place", "value", "complaint"), PLANTED, ids=[f"{p[0]} {p[1]}" for p in PLANTED]
)
def test_a_planted_error_is_found(name: str, place: str, value: object, complaint: str) -> None:
    """Each rule finds the error that it is there for, and only that one."""
    broken = copy.deepcopy(template(name))
    _plant(broken, place.split("/"), value)
    found = complaints(broken)
    assert len(found) == 1, found
    assert complaint in found[0]


def test_the_bill_is_of_what_is_deployed() -> None:
    """What `parola cost` takes for granted of the functions: memory, processor, calls a final."""
    resources = template("event")["Resources"]
    functions = [resources[name]["Properties"] for name in ("Keeper", "Reader")]
    assert {function["MemorySize"] for function in functions} == {FUNCTION_GB * 1024}
    assert {function["Architectures"][0] for function in functions} == {"arm64"}
    (only,) = resources["ReaderSource"]["Properties"]["FilterCriteria"]["Filters"]
    assert len(json.loads(only["Pattern"])["eventName"]) == READER_CALLS


def _plant(node: Any, place: list[str], value: object) -> None:  # noqa: ANN401 - JSON of any shape
    *way, last = [int(step) if step.isdigit() else step for step in place]
    for step in way:
        node = node[step]
    if value is DELETE:
        del node[last]
    else:
        node[last] = value
