"""What the archive's picture of a talk is drawn from, run without a browser."""

import json
import subprocess
from pathlib import Path
from typing import Any

import parola

RUNNER = Path(__file__).with_name("timeline.mjs")
TIMELINE = Path(parola.__file__).parent / "pages" / "static" / "timeline.js"

STARTED = "2026-05-28T09:30:00.000Z"


def drawn(*lines: tuple[float, float, str]) -> dict[str, Any]:
    """Return the gaps and lags of lines: from, to, and the second at which they were written."""
    told = [{"start_s": start, "end_s": end, "at": f"2026-05-28T09:30:{at}Z"}
            for start, end, at in lines]  # fmt: skip
    done = subprocess.run(
        ["node", str(RUNNER), str(TIMELINE)],
        input=json.dumps({"lines": told, "started": STARTED}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_lag_is_what_a_reader_waited_after_the_last_word() -> None:
    """Each line's own; a clock a little off is no text from the future."""
    found = drawn((0, 2, "03.500"), (2, 4, "03.900"), (20, 25, "40.000"))
    assert found["lags"] == [1.5, 0, 15]
    assert found["gaps"] == {"count": 1, "longest_s": 16}


def test_a_recording_that_was_written_down_faster_has_no_lag() -> None:
    """Where text was there before it can have been said, nobody waited for it."""
    assert drawn((0, 2, "01.000"), (2, 30, "03.000"))["lags"] == []
