"""When pages come back after a break: their own code, run without a browser."""

import json
import subprocess
from pathlib import Path

import parola

RUNNER = Path(__file__).with_name("feed.mjs")
STATIC = Path(parola.__file__).parent / "pages" / "static"

PAGES = 2000


def waits_ms(retry_s: float, code: int) -> list[float]:
    """Return how long each of the pages waits when a server closes their sockets."""
    done = subprocess.run(
        ["node", str(RUNNER), str(STATIC)],
        input=json.dumps([{"pages": PAGES, "retry_s": retry_s, "code": code}]),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (waits,) = json.loads(done.stdout)
    return [float(wait) for wait in waits]


def test_a_hall_comes_back_spread_over_the_time_it_is_told() -> None:
    """After a restart no eighth of the time has twice its share, or less than a third of it."""
    waits = waits_ms(8.0, 1012)
    assert max(waits) <= 8000 * 1.25
    eighths = [sum(n * 1000 <= wait < (n + 1) * 1000 for wait in waits) for n in range(8)]
    assert max(eighths) < 2 * PAGES / 8
    assert min(eighths) > PAGES / 24


def test_nobody_waits_for_longer_than_a_minute_because_a_server_says_so() -> None:
    """And nobody comes at once where a connection merely broke."""
    assert 30_000 < max(waits_ms(86_400.0, 1012)) <= 60_000 * 1.25
    broken = waits_ms(8.0, 1006)
    assert min(broken) >= 500
    assert max(broken) > 4000
