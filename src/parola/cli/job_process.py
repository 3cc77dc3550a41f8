"""Writes down one recording for a server: `python -m parola.cli.job_process`, not for people.

It takes one order, a line of JSON, and tells by lines of JSON what it hears. Where somebody else
has written the recording down, that text follows the order, and is weighed against the sound. Its
stdin stays open as long as the server lives: when it ends, however the server ended, so does this
process.
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

from parola.audio.decode import decode
from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.cli.serving import log_to_stderr
from parola.cli.transcribing import open_recogniser, transcribe_file
from parola.domain.audio import to_seconds
from parola.domain.errors import ParolaError
from parola.domain.log import Withheld
from parola.domain.transcript import Segment
from parola.live.proving import Proof
from parola.wire.transcribe_batch import read_transcript
from parola.wiring import Settings

TELL_S = 0.25
"""How often it tells how far it is."""

AMAZON = "amazon"
"""Whose texts are weighed: the name of Amazon's row of thresholds, and of who heard a segment."""

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
    text = _next_bytes(order["text"]["bytes"]) if order["text"] else None
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    file, settings, progress = Path(order["file"]), Settings(**order["settings"]), _Progress()
    try:
        if text is None:
            asyncio.run(_transcribe(file, settings, progress))
        else:
            segments = read_transcript(text, order["text"]["job"], settings.language, AMAZON)
            gate = Gate(SileroDetector()) if settings.gate else None
            _prove(file, Proof(segments, gate, AMAZON), progress)
        _tell({"seconds": progress.newest_s})
    except ParolaError as error:
        _tell({"error": error.code, "message": error.message})


class _Progress:
    """Tells how far it is, not too often."""

    def __init__(self) -> None:
        self._told_at = 0.0
        self.newest_s = 0.0

    def __call__(self, done_s: float) -> None:
        self.newest_s = max(self.newest_s, done_s)
        if time.monotonic() - self._told_at >= TELL_S:
            self._told_at = time.monotonic()
            _tell({"done_s": self.newest_s})


async def _transcribe(file: Path, settings: Settings, progress: _Progress) -> None:
    with open_recogniser(settings) as recogniser:
        await transcribe_file(file, recogniser, _tell_piece, progress, _tell_piece)


def _prove(file: Path, proof: Proof, progress: _Progress) -> None:
    for chunk in decode(file):
        for piece in proof.hear(chunk):
            _tell_piece(piece)
        progress(to_seconds(chunk.end_frame))
    for piece in proof.end():
        _tell_piece(piece)


def _first_line() -> bytes:
    """Return what stands before the first end of line; the rest of stdin stays unread."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _next_bytes(size: int) -> bytes:
    """Return what follows; less where the server has gone."""
    parts = []
    while size and (part := os.read(0, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _end_with_the_server() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


def _tell_piece(piece: Segment | Withheld) -> None:
    if isinstance(piece, Withheld):
        _tell({"withheld": asdict(piece)})
    elif piece.is_final:
        _tell({"segment": asdict(piece)})


def _tell(fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
