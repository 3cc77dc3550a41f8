"""The event's template, deployed into MiniStack."""

import runpy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.stand_ins import ROOT, StandIn

TEMPLATE = ROOT / "deploy" / "aws" / "event.yaml"

PARAMETERS = {
    "Image": "parola:test",
    "LambdaBucket": "packages",
    "AlarmEmail": "nobody@example.org",
}


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is there."""

    stand_in: StandIn
    outputs: dict[str, str]
    resources: dict[str, str]
    """The status of each resource, by its name in the template."""

    @property
    def queue(self) -> str:
        """The address of its queue."""
        return self.outputs["QueueUrl"]

    @property
    def table(self) -> str:
        """The name of its table."""
        return self.outputs["TableName"]


@contextmanager
def deployed(stand_in: StandIn, folder: Path) -> Iterator[Stack]:
    """Pack the function, put it into a bucket, and create the stack."""
    package = folder / "parola-lambda.zip"
    runpy.run_path(str(ROOT / "scripts" / "lambda-package"))["pack"](package)
    s3 = stand_in.client("s3")
    s3.create_bucket(Bucket="packages")
    s3.put_object(Bucket="packages", Key=package.name, Body=package.read_bytes())
    cloud = stand_in.client("cloudformation")
    cloud.create_stack(
        StackName="event",
        TemplateBody=without_budget(TEMPLATE.read_text()),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in PARAMETERS.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    stack = _finished(cloud)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    found = cloud.describe_stack_resources(StackName="event")["StackResources"]
    yield Stack(
        stand_in,
        {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
        {resource["LogicalResourceId"]: resource["ResourceStatus"] for resource in found},
    )


def without_budget(template: str) -> str:
    """Return the template without its budget: the one kind of resource MiniStack does not know."""
    before, _, rest = template.partition("  Budget:\n")
    return before + "\nOutputs:" + rest.partition("\nOutputs:")[2]


def _finished(cloud: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3 has no types
    deadline = time.monotonic() + 60
    while True:
        stack: dict[str, Any] = cloud.describe_stacks(StackName="event")["Stacks"][0]
        if not stack["StackStatus"].endswith("IN_PROGRESS") or time.monotonic() > deadline:
            return stack
        time.sleep(0.1)
