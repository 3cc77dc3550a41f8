"""A stop comes to an end, whatever hangs."""

import subprocess
import sys

HANGING = """
import logging, sys, threading
from concurrent.futures import ThreadPoolExecutor
from parola.cli import serving

logging.basicConfig()
serving.HANGS_S = 0.1
if sys.argv[1] == "hangs":
    ThreadPoolExecutor(1).submit(threading.Event().wait)
serving.end_anyway(0.2)
"""


def stopped(how: str) -> subprocess.CompletedProcess[str]:
    """Let a process end whose disk answers no more, or does."""
    command = [sys.executable, "-c", HANGING, how]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_thread_that_hangs_keeps_no_process() -> None:
    """The process ends soon after its time, says why, and does not pretend that all is well."""
    done = stopped("hangs")
    assert done.returncode == 1
    assert "something hangs" in done.stderr


def test_a_process_that_ends_by_itself_is_left_alone() -> None:
    """Nothing waits for the limit, and nothing is said."""
    done = stopped("ends")
    assert (done.returncode, done.stderr) == (0, "")
