"""Runs AWS's official clients of Transcribe, each in a process of its own that lives long."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from parola.wire.sigv4 import Credentials

ROOT = Path(__file__).parents[2]
NPM = ROOT / "tests" / "npm"

COMMANDS: dict[str, Sequence[str]] = {
    "amazon-transcribe": (
        str(ROOT / ".tools/sdk-amazon-transcribe/bin/python"),
        str(ROOT / "tests/sdks/python_sdks.py"),
        "amazon-transcribe",
    ),
    "aws-sdk": (
        str(ROOT / ".tools/sdk-aws-transcribe/bin/python"),
        str(ROOT / "tests/sdks/python_sdks.py"),
        "aws-sdk",
    ),
    "node": ("node", str(NPM / "transcribe-node.mjs")),
    "presigned": (sys.executable, str(ROOT / "tests/sdks/python_sdks.py"), "presigned"),
}
"""How each client is started."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a client is to do."""

    url: str
    audio: str
    """A file of 16-bit samples at 16 kHz, or its address for a browser."""

    language: str = "en-US"
    ends: bool = True
    """Whether the client ends its stream after the audio; else it waits to be told something."""

    enough: int = 0
    """How many finals JavaScript's client waits for, where it does not end; 0: all that come."""

    patience_s: float = 40.0
    """After this it hangs."""


@dataclass(frozen=True, slots=True)
class Went:
    """How it went."""

    finals: list[str]
    partials: int
    raised: str
    """The whole name of the exception's class; empty where there was none."""

    message: str
    hung: bool
    """Whether nothing ended it."""

    strays: Sequence[str] = ()
    """What Node was told beside the stream."""


class Sdk:
    """One client; its process is started when it is first asked, and after it hung."""

    def __init__(self, name: str, ca: Path, key: Credentials, folder: Path) -> None:
        """Take the authority to trust, a key, and where to write down what it complains of."""
        self.name = name
        self._log = folder / f"{name}.log"
        self._environment = os.environ | {
            "AWS_ACCESS_KEY_ID": key.access_key,
            "AWS_SECRET_ACCESS_KEY": key.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SSL_CERT_FILE": str(ca),
            "NODE_EXTRA_CA_CERTS": str(ca),
        }
        self._process: Process | None = None

    async def play(self, case: Case) -> Went:
        """Let the client play a case."""
        if self._process is None:
            # One of them writes tracebacks when its streams end well: nothing for a test's output.
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *COMMANDS[self.name], stdin=PIPE, stdout=PIPE, stderr=log, env=self._environment
                )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asdict(case)).encode() + b"\n")
        async with asyncio.timeout(case.patience_s + 10):
            line = await self._process.stdout.readline()
        went = Went(**json.loads(line))
        if went.hung:
            await self.close()
        return went

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process:
            if process.returncode is None:
                process.kill()
            await process.communicate()


def is_here(name: str) -> bool:
    """Return whether a client is installed."""
    if name == "node":
        return (NPM / "node_modules" / "@aws-sdk" / "client-transcribe-streaming").exists()
    return Path(COMMANDS[name][0]).exists()


def need(name: str) -> None:
    """Skip where a client is not installed; on CI only where it cannot be."""
    if is_here(name):
        return
    script = "scripts/npm-tools" if name == "node" else "scripts/sdk-venvs"
    reason = f"{name} is not installed; {script} installs it"
    if name == "aws-sdk" and not _has_new_python():
        pytest.skip("aws-sdk-transcribe-streaming needs Python 3.12 or newer: there is none here")
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _has_new_python() -> bool:
    """Whether there is a Python that aws-sdk-transcribe-streaming takes, 3.12 or newer."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += (Path.home() / ".pyenv" / "versions").glob("3.*/bin")
    return any(any(folder.glob("python3.1[2-9]")) for folder in folders)


@asynccontextmanager
async def sdks(ca: Path, key: Credentials, folder: Path) -> AsyncIterator[dict[str, Sdk]]:
    """Give every client by name, and end their processes."""
    every = {name: Sdk(name, ca, key, folder) for name in COMMANDS}
    try:
        yield every
    finally:
        for one in every.values():
            await one.close()
