"""Writes down one recording for a server: `python -m parola.cli.job_process`, not for people.

It takes one order, a line of JSON, and tells by lines of JSON what it hears. Its stdin stays open
as long as the server lives: when it ends, however the server ended, so does this process.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parola.cli.serving import log_to_stderr
from parola.cli.transcribing import open_recogniser, transcribe_file
from parola.domain.errors import ParolaError
from parola.domain.transcript import Segment
from parola.wiring import Settings

TELL_S = 0.25
"""How often it tells how far it is."""

LOWEST = 19
"""The system's word for: after everybody else."""


def main() -> None:
    """Do one order and end."""
    # Ctrl+C and a service manager's SIGTERM reach the whole group; the server says when it is over.
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    with suppress(AttributeError, OSError):  # Windows knows no such thing
        os.nice(LOWEST)
    log_to_stderr(logging.WARNING)
    order = json.loads(_first_line())
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    try:
        asyncio.run(_transcribe(Path(order["file"]), Settings(**order["settings"])))
    except ParolaError as error:
        _tell({"error": error.code, "message": error.message})


async def _transcribe(file: Path, settings: Settings) -> None:
    told_at, newest_s = 0.0, 0.0

    def progress(done_s: float) -> None:
        nonlocal told_at, newest_s
        newest_s = max(newest_s, done_s)
        if time.monotonic() - told_at >= TELL_S:
            told_at = time.monotonic()
            _tell({"done_s": newest_s})

    def show(segment: Segment) -> None:
        if segment.is_final:
            _tell({"segment": asdict(segment)})

    with open_recogniser(settings) as recogniser:
        await transcribe_file(file, recogniser, show, progress)
    _tell({"seconds": newest_s})


def _first_line() -> bytes:
    """Return what stands before the first end of line; the rest of stdin stays unread."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _end_with_the_server() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


def _tell(fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
