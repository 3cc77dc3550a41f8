"""Makes the one client that the Lambda functions call their table by."""

from functools import cache
from typing import Any


@cache
def dynamodb() -> Any:  # noqa: ANN401 - boto3 has no types
    """Return the client, the same one for as long as Lambda keeps this process."""
    import boto3  # noqa: PLC0415 - Lambda brings it; the functions are tried without
    from botocore.config import Config  # noqa: PLC0415 - the same

    config = Config(
        connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}
    )
    return boto3.client("dynamodb", config=config)
