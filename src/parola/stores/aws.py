"""Calls one AWS service from one thread: what blocks never runs on the loop.

Addresses, regions and credentials are boto3's business: `AWS_ENDPOINT_URL_SQS` and its like work.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

from parola.domain.errors import StoreFailed

INSTALL = 'The pipeline needs boto3; install it with: pip install "parola[aws]"'

CONNECT_S = 3.0
READ_S = 10.0
"""How long a call waits for AWS. The caller tries again, so a call itself tries only once."""

T = TypeVar("T")


class AwsClient:
    """One service's client in one thread; made by `open_aws`."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._thread = ThreadPoolExecutor(1, f"parola-{service}")
        self._client: Any = None

    async def call(self, work: Callable[[Any], T]) -> T:
        """Return what `work` makes of the client. Cancelled, it may still happen.

        Raises:
            StoreFailed: AWS refused it or did not answer; whether it happened is not known.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._work(work))

    def close(self) -> None:
        """Let the thread end after what it is doing."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _work(self, work: Callable[[Any], T]) -> T:
        exceptions = import_module("botocore.exceptions")
        try:
            if self._client is None:
                self._client = _client(self._service)
            return work(self._client)
        except exceptions.ClientError as error:
            raise StoreFailed(
                f"AWS refused a call to {self._service} ({error_code(error)}); see that the queue "
                "or table is there and the role may use it. It is tried again."
            ) from error
        except (exceptions.BotoCoreError, ValueError) as error:
            raise StoreFailed(
                f"AWS's {self._service} cannot be reached ({type(error).__name__}); see region, "
                "credentials and network. It is tried again."
            ) from error


def error_code(error: Any) -> str:  # noqa: ANN401 - botocore has no types
    """Return AWS's word for what is wrong with a call."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


@asynccontextmanager
async def open_aws(service: str) -> AsyncIterator[AwsClient]:
    """Open a client; nobody is asked before the first call.

    Raises:
        StoreFailed: boto3 is not installed.
    """
    if not find_spec("boto3"):
        raise StoreFailed(INSTALL)
    client = AwsClient(service)
    try:
        yield client
    finally:
        client.close()


def _client(service: str) -> Any:  # noqa: ANN401 - botocore has no types
    config = import_module("botocore.config").Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    return import_module("boto3.session").Session().client(service, config=config)
