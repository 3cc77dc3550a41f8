"""Writes down what happened to each stream, one JSON object a line; never what was said."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Journal:
    """Lines such as {"at": …, "stream": 3, "event": "fault", "kind": "reset", "audio_s": 2.5}."""

    def __init__(self, file: TextIO | None, now: Callable[[], datetime] = utc_now) -> None:
        """Write to an open file, or nowhere."""
        self._file = file
        self._now = now

    def note(self, event: str, stream: int, **facts: object) -> None:
        """Write a line at once: whoever reads along sees it before what it tells of goes on."""
        if self._file is None:
            return
        at = self._now().isoformat(timespec="milliseconds")
        line = {"at": at, "stream": stream, "event": event, **facts}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
