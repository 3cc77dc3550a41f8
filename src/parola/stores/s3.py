"""Fetches recordings from Amazon S3 and brings them there; keeps nothing in memory but a piece."""

from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from io import FileIO
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO, TypeVar

from parola.domain.errors import DiskFull, NotFound, TooLarge
from parola.domain.jobs import s3_place
from parola.stores.aws import AwsClient, error_code

PIECE_BYTES = 2**20

DENIED = frozenset({"AccessDenied", "403", "AllAccessDisabled", "InvalidAccessKeyId"})
MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound"})
"""Source: Amazon S3 API Reference, list of error codes; HEAD answers by numbers."""

T = TypeVar("T")


class S3:
    """Objects in Amazon S3, with the rights of the server's own role."""

    def __init__(self, client: AwsClient) -> None:
        self._client = client

    async def fetch(self, uri: str, to: Path, max_bytes: int) -> None:
        bucket, key = s3_place(uri)
        await self._call(uri, lambda s3, stop: _download(s3, bucket, key, to, max_bytes, stop))

    async def store(self, file: Path, uri: str) -> None:
        bucket, key = s3_place(uri)
        await self._call(uri, lambda s3, stop: _upload(s3, file, bucket, key, stop))

    async def read(self, uri: str, max_bytes: int) -> bytes:
        bucket, key = s3_place(uri)
        data = await self._call(
            uri, lambda s3, _: s3.get_object(Bucket=bucket, Key=key)["Body"].read(max_bytes + 1)
        )
        if len(data) > max_bytes:
            raise TooLarge(f"{uri} is larger than {max_bytes} bytes, the limit here.")
        return bytes(data)

    async def delete(self, uri: str) -> None:
        bucket, key = s3_place(uri)
        await self._call(uri, lambda s3, _: s3.delete_object(Bucket=bucket, Key=key))

    async def _call(self, uri: str, work: Callable[[Any, Event], T]) -> T:
        """Return what `work` returns; cancelled, it has told `work` to stop."""
        stop = Event()
        try:
            return await self._client.call(lambda s3: _explained(uri, lambda: work(s3, stop)))
        finally:
            stop.set()


class _Stopped(Exception):  # noqa: N818 - nobody waits for it any more
    """Nobody wants the file any more."""


def _explained(uri: str, work: Callable[[], T]) -> T:
    """Return what `work` returns, or say what is wrong with the address."""
    try:
        return work()
    except import_module("botocore.exceptions").ClientError as error:
        code = error_code(error)
        if code in DENIED:
            raise NotFound(
                f"{uri} may not be used ({code}); give the server's role the right to it."
            ) from error
        if code in MISSING:
            raise NotFound(f"{uri} is not there ({code}); check bucket and key.") from error
        raise  # whether trying again helps is told by whoever called


def _download(
    s3: Any,  # noqa: ANN401 - boto3 has no types
    bucket: str,
    key: str,
    to: Path,
    max_bytes: int,
    stop: Event,
) -> None:
    answer = s3.get_object(Bucket=bucket, Key=key)
    left = max_bytes
    with closing(answer["Body"]) as body, to.open("wb") as file:
        for piece in body.iter_chunks(PIECE_BYTES):
            left -= len(piece)
            if left < 0:
                raise TooLarge(
                    f"s3://{bucket}/{key} is larger than {max_bytes // 2**20} MB, the limit here."
                )
            if stop.is_set():
                raise _Stopped
            _write(file, piece)


def _write(file: BinaryIO, piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise DiskFull(
            f"The recording does not fit on the server's disk ({error.strerror}); make room there."
        ) from error


class _Stoppable(FileIO):
    """A file that breaks off when it is told to; what is sent in one piece may be 5 GB."""

    def __init__(self, path: Path, stop: Event) -> None:
        super().__init__(path)
        self._stop = stop

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        if self._stop.is_set():
            raise _Stopped
        return super().read(-1 if size is None else size) or b""


def _upload(s3: Any, file: Path, bucket: str, key: str, stop: Event) -> None:  # noqa: ANN401
    with _Stoppable(file, stop) as body:
        s3.put_object(Bucket=bucket, Key=key, Body=body)
