"""Fetches a model's archive over HTTP, goes on where it was interrupted, and checks its sum.

Proxies are taken from HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as by every program that honours them.
"""

import errno
import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from parola.domain.errors import DiskFull, EngineFailed, NoEngine, NotFound

PIECE = 1 << 18
"""Bytes read at a time."""

TIMEOUT_S = 30.0
"""How long a server may say nothing."""

TRIES = 4
"""Connections that may break off one after the other without a byte between them."""

Progress = Callable[[int, int | None], None]
"""Told of the bytes there are and of all there will be, None where the server does not say."""


def fetch(url: str, part: Path, sha256: str, progress: Progress) -> str:
    """Fetch a file into `part`, from where it stops, and return its SHA-256.

    Raises:
        NoEngine: it cannot be reached; what has come is kept, to go on from later.
        NotFound: there is no such file.
        DiskFull: there is no room; what has come is kept.
        EngineFailed: it is not the file that was published, and it is removed; or the folder
            cannot be written to.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while True:
        before = _size(part)
        try:
            if _connect(url, part, progress):
                break
            reason = "the connection broke off"
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(url, error) from error
        except (
            urllib.error.URLError,
            http.client.HTTPException,
            ConnectionError,
            TimeoutError,
        ) as e:
            reason = str(e.reason) if isinstance(e, urllib.error.URLError) else str(e)
        except OSError as error:
            raise _unwritten(part, error) from error
        failures = 0 if _size(part) > before else failures + 1
        if failures >= TRIES:
            raise NoEngine(
                f"{url} cannot be reached ({reason or 'no answer'}). Is this computer offline, or "
                "behind a proxy (HTTPS_PROXY)? Fetch the archive on another computer and unpack it "
                f"in {part.parent.parent}; or repeat the command, it goes on where it stopped."
            )
    return _checked(part, sha256)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _connect(url: str, part: Path, progress: Progress) -> bool:
    """Read once from where the part ends; return whether all is there."""
    have = _size(part)
    headers = {"Range": f"bytes={have}-"} if have else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own or the operator's
    try:
        # An opener of its own: urlopen's remembers the first proxies it ever saw.
        answer = urllib.request.build_opener().open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        with error:
            total = (error.headers.get("Content-Range") or "").rpartition("/")[2]
        if total == str(have):
            return True
        # Another file than before: from the beginning.
        part.unlink()
        return False
    with answer:
        if answer.status != HTTPStatus.PARTIAL_CONTENT:
            have = 0
        return _read(answer, part, have, progress)


def _read(answer: http.client.HTTPResponse, part: Path, have: int, progress: Progress) -> bool:
    length = answer.headers.get("Content-Length", "")
    total = have + int(length) if length.isdecimal() else None
    if total is not None and total - have > shutil.disk_usage(part.parent).free:
        raise DiskFull(
            f"There is no room for {part}: {(total - have) / 1e6:.0f} MB are still to come. "
            "Make some and repeat the command."
        )
    with part.open("ab" if have else "wb") as file:
        while True:
            try:
                data = answer.read1(PIECE)
            except (OSError, http.client.HTTPException):
                # Whatever fails here is the network: the disk is written to below.
                return False
            if not data:
                return total is None or have == total
            file.write(data)
            have += len(data)
            progress(have, total)


def _refused(url: str, error: urllib.error.HTTPError) -> NotFound | NoEngine:
    if error.code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return NotFound(f"There is no {url} any more; see `parola models list`.")
    return NoEngine(f"{url} is refused ({error.code} {error.reason}); try again later.")


def _unwritten(part: Path, error: OSError) -> DiskFull | EngineFailed:
    reason = error.strerror or str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(
            f"There is no room for {part} ({reason}); make some and repeat the command: "
            "it goes on from there."
        )
    return EngineFailed(
        f"{part} cannot be written ({reason}); see who owns the folder, or name another with "
        "PAROLA_MODELS."
    )


def _checked(part: Path, sha256: str) -> str:
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 and found != sha256:
        part.unlink()
        raise EngineFailed(
            f"What came is not what was published: its SHA-256 is {found}, not {sha256}. It was "
            "removed; try again, and if it happens again, ask whoever runs the network."
        )
    return found
