"""What the image's Dockerfile says, for tests."""

import json
import subprocess
import sys

from tests.stand_ins import ROOT

INSIDE = "http://127.0.0.1:8000"
"""Where the server is in its container."""


def health_check() -> list[str]:
    """Return the command of the image's health check."""
    _, found = (ROOT / "deploy" / "Dockerfile").read_text().split("\nHEALTHCHECK ")
    command: list[str] = json.loads(found.partition("CMD ")[2].splitlines()[0])
    return command


def asked_by_the_image(url: str) -> int:
    """Have the image's health check look at a server; return its exit code, 0 for healthy."""
    program, *words = health_check()
    assert program == "python"
    assert INSIDE in words[-1]
    command = [sys.executable, *(word.replace(INSIDE, url) for word in words)]
    return subprocess.run(command, check=False, capture_output=True).returncode
