"""What must hold of our templates, beyond what the linter knows of every template."""

from collections.abc import Callable, Iterator
from typing import Any

Template = dict[str, Any]

ALB_KEYS = {"idle_timeout.timeout_seconds", "routing.http.drop_invalid_header_fields.enabled"}
TARGET_KEYS = {"deregistration_delay.timeout_seconds", "stickiness.enabled", "stickiness.type"}
"""Free texts to the linter. Source: Elastic Load Balancing API, attributes."""

ANY_RESOURCE = {
    "transcribe:StartStreamTranscription",
    "transcribe:StartStreamTranscriptionWebSocket",
    "ecr:GetAuthorizationToken",
    "dynamodb:ListStreams",
}
"""Actions that know no resource. Source: Service Authorization Reference."""


RIGHTS: dict[str, set[str]] = {
    "KeeperRole": {
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "dynamodb:UpdateItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    },
    "ReaderRole": {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "dynamodb:UpdateItem",
        "sqs:SendMessage",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    },
    "StartRole": {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "ecr:GetAuthorizationToken",
    },
    "ServerRole": {
        "transcribe:StartStreamTranscription",
        "transcribe:StartStreamTranscriptionWebSocket",
        "sqs:SendMessage",
        "dynamodb:Query",
        "dynamodb:GetItem",
        "ecs:GetTaskProtection",
        "ecs:UpdateTaskProtection",
    },
}
"""What each role's program does; who adds a call to a program adds its right here and there."""

MANAGED = {"AmazonSSMManagedInstanceCore"}
"""Of AWS's own policies, those that some role needs."""


def complaints(template: Template) -> list[str]:
    """Return what is wrong with a template; empty where nothing is."""
    return [complaint for rule in RULES for complaint in rule(template)]


def of_type(template: Template, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the names and properties of a type's resources."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def _queues(template: Template) -> Iterator[str]:
    for name, queue in of_type(template, "AWS::SQS::Queue"):
        if not queue.get("SqsManagedSseEnabled"):
            yield f"{name} is not encrypted"
    for name, source in of_type(template, "AWS::Lambda::EventSourceMapping"):
        if "ReportBatchItemFailures" not in source.get("FunctionResponseTypes", []):
            yield f"{name} takes a batch for kept of which a part failed"
        if source["EventSourceArn"]["Fn::GetAtt"][1] == "StreamArn":
            continue
        queue = template["Resources"][source["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
        function = template["Resources"][source["FunctionName"]["Ref"]]["Properties"]
        if "RedrivePolicy" not in queue:
            yield f"{name}'s queue has no dead-letter queue"
        elif queue["RedrivePolicy"]["maxReceiveCount"] < 5:
            yield f"{name}'s queue gives up too early"
        if queue["VisibilityTimeout"] < 6 * function["Timeout"]:
            yield f"{name}'s queue delivers again while the function still works"


def _streams(template: Template) -> Iterator[str]:
    for name, source in of_type(template, "AWS::Lambda::EventSourceMapping"):
        if source["EventSourceArn"]["Fn::GetAtt"][1] != "StreamArn":
            continue
        if not source.get("BisectBatchOnFunctionError"):
            yield f"{name} gives up a batch for one of its records"
        if source.get("MaximumRetryAttempts", -1) < 0:
            yield f"{name} waits a day for one record with all the others"
        if "OnFailure" not in source.get("DestinationConfig", {}):
            yield f"{name} loses what it gives up"
        if not source.get("FilterCriteria", {}).get("Filters"):
            yield f"{name} is woken by what is no final"


def _tables(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        table = resource["Properties"]
        if resource.get("DeletionPolicy") != "Retain":
            yield f"{name} goes with its stack"
        if table.get("TimeToLiveSpecification", {}).get("AttributeName") != "exp":
            yield f"{name} deletes nothing that is expired"
        if not table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
            yield f"{name} cannot be brought back"
        if [key["AttributeName"] for key in table["KeySchema"]] != ["pk", "sk"]:
            yield f"{name} has other keys than the code"
        if "OnDemandThroughput" not in table:
            yield f"{name} may cost any amount"


def _balancers(template: Template) -> Iterator[str]:
    kinds = (("LoadBalancer", ALB_KEYS), ("TargetGroup", TARGET_KEYS))
    for kind, known in kinds:
        for name, part in of_type(template, f"AWS::ElasticLoadBalancingV2::{kind}"):
            keys = {pair["Key"] for pair in part.get(f"{kind}Attributes", [])}
            if keys != known:
                yield f"{name} has other attributes than {sorted(known)}"
    for name, target in of_type(template, "AWS::ElasticLoadBalancingV2::TargetGroup"):
        if target["HealthCheckPath"] != "/healthz":
            yield f"{name} asks for another page than /healthz"
        if target["HealthCheckIntervalSeconds"] <= target["HealthCheckTimeoutSeconds"]:
            yield f"{name} asks again before it has given up"
        for pair in target["TargetGroupAttributes"]:
            if pair["Key"].startswith("deregistration") and int(pair["Value"]) > 120:
                yield f"{name} holds a task for longer than it may stop"


def _tasks(template: Template) -> Iterator[str]:
    tasks = dict(of_type(template, "AWS::ECS::TaskDefinition"))
    for name, task in tasks.items():
        for container in task["ContainerDefinitions"]:
            if not 30 <= container.get("StopTimeout", 30) <= 120:
                yield f"{name} has a StopTimeout that Fargate refuses"
            if not container.get("ReadonlyRootFilesystem"):
                yield f"{name} can write to its own program"
            check = container.get("HealthCheck")
            if check and "/livez" not in " ".join(check["Command"]):
                yield f"{name} is ended while it lets its talks end"
    for name, service in of_type(template, "AWS::ECS::Service"):
        containers = tasks[service["TaskDefinition"]["Ref"]]["ContainerDefinitions"]
        ports = {(c["Name"], p["ContainerPort"]) for c in containers for p in c["PortMappings"]}
        for balancer in service["LoadBalancers"]:
            if (balancer["ContainerName"], balancer["ContainerPort"]) not in ports:
                yield f"{name} sends to a container or port that is not there"
        if service.get("LaunchType") != "FARGATE":
            yield f"{name} may lose its task in the middle of a talk"


def _rights(template: Template) -> Iterator[str]:
    for name, role in of_type(template, "AWS::IAM::Role"):
        for arn in role.get("ManagedPolicyArns", []):
            if _text(arn).rpartition("/")[2] not in MANAGED:
                yield f"{name} has a policy of AWS's own, which gives more than is needed"
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"]
                actions = {actions} if isinstance(actions, str) else set(actions)
                if any(action.endswith("*") for action in actions):
                    yield f"{name} may do more than it names"
                named = {action for action in actions if not action.endswith("*")}
                if more := named - RIGHTS.get(name, set()):
                    yield f"{name} may do {sorted(more)}, which its program does not"
                if statement["Resource"] == "*" and not actions <= ANY_RESOURCE:
                    yield f"{name} may do {sorted(actions - ANY_RESOURCE)} to everything"


def _text(value: Any) -> str:  # noqa: ANN401 - JSON of any shape
    """Return a text, also where a function of CloudFormation makes it."""
    return str(value["Fn::Sub"]) if isinstance(value, dict) else str(value)


def _machines(template: Template) -> Iterator[str]:
    """ARM everywhere: it is cheaper, and the image, the package and the wheels are made for it."""
    for name, function in of_type(template, "AWS::Lambda::Function"):
        if function.get("Architectures") != ["arm64"]:
            yield f"{name} does not run on ARM"
    for name, task in of_type(template, "AWS::ECS::TaskDefinition"):
        if task.get("RuntimePlatform", {}).get("CpuArchitecture") != "ARM64":
            yield f"{name} does not run on ARM"
    for name, instance in of_type(template, "AWS::EC2::Instance"):
        if not str(instance["InstanceType"]).startswith(("t4g.", "c7g.", "m7g.")):
            yield f"{name} does not run on ARM"


def _destinations(template: Template) -> Iterator[str]:
    """What a queue calls has no onSuccess and no onFailure of its own: they never fire.

    Source: AWS Lambda, "Retain records of asynchronous invocations"; for a queue, its dead-letter
    queue is the place for what fails.
    """
    called_by_queue = {
        source["FunctionName"]["Ref"]
        for _, source in of_type(template, "AWS::Lambda::EventSourceMapping")
        if _is_queue(template, source)
    }
    for name, config in of_type(template, "AWS::Lambda::EventInvokeConfig"):
        if config["FunctionName"].get("Ref") in called_by_queue:
            yield f"{name} waits for what never comes from a queue"
    for name, source in of_type(template, "AWS::Lambda::EventSourceMapping"):
        if _is_queue(template, source) and "DestinationConfig" in source:
            yield f"{name} waits for what never comes from a queue"


def _is_queue(template: Template, source: dict[str, Any]) -> bool:
    resource: str = source["EventSourceArn"]["Fn::GetAtt"][0]
    return bool(template["Resources"][resource]["Type"] == "AWS::SQS::Queue")


def _doors(template: Template) -> Iterator[str]:
    for name, group in of_type(template, "AWS::EC2::SecurityGroup"):
        for rule in group.get("SecurityGroupIngress", []):
            if rule.get("CidrIp") == "0.0.0.0/0" or rule.get("CidrIpv6") == "::/0":
                yield f"{name} lets in everybody past CloudFront"
    for name, bucket in of_type(template, "AWS::S3::Bucket"):
        blocks = bucket.get("PublicAccessBlockConfiguration", {})
        if len(blocks) < 4 or not all(blocks.values()):
            yield f"{name} can be made public"


def _money(template: Template) -> Iterator[str]:
    if not dict(of_type(template, "AWS::Budgets::Budget")):
        yield "nobody is told of the bill"
    if dict(of_type(template, "AWS::EC2::NatGateway")):
        yield "a NAT gateway costs more than all the rest"
    for name, group in of_type(template, "AWS::Logs::LogGroup"):
        if group.get("RetentionInDays", 10**6) > 7:
            yield f"{name} keeps its lines for too long"


def _alarms(template: Template) -> Iterator[str]:
    alarms = dict(of_type(template, "AWS::CloudWatch::Alarm"))
    for name, alarm in alarms.items():
        if not alarm.get("AlarmActions"):
            yield f"{name} tells nobody"
    watched = {alarm["MetricName"] for alarm in alarms.values()}
    depths = {
        dimension["Value"]["Fn::GetAtt"][0]
        for alarm in alarms.values()
        for dimension in alarm.get("Dimensions", [])
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }
    aside = [
        source.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        for _, source in of_type(template, "AWS::Lambda::EventSourceMapping")
    ]
    aside += [
        queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")
        for _, queue in of_type(template, "AWS::SQS::Queue")
    ]
    for name in sorted({put["Fn::GetAtt"][0] for put in aside if put} - depths):
        yield f"nobody watches what is put aside in {name}"
    wanted = set()
    if dict(of_type(template, "AWS::SQS::Queue")):
        wanted |= {"ApproximateAgeOfOldestMessage", "Errors", "Conflicts"}
    if dict(of_type(template, "AWS::ElasticLoadBalancingV2::TargetGroup")):
        wanted.add("UnHealthyHostCount")
    if dict(of_type(template, "AWS::EC2::Instance")):
        wanted.add("StatusCheckFailed")
    for metric in sorted(wanted - watched):
        yield f"nobody watches {metric}"


RULES: tuple[Callable[[Template], Iterator[str]], ...] = (
    _queues,
    _streams,
    _tables,
    _balancers,
    _tasks,
    _rights,
    _machines,
    _destinations,
    _doors,
    _money,
    _alarms,
)
