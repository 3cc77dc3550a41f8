"""Runs one test against a copy of the source, in a process that has the libraries in it already."""

import atexit
import os
import sys
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

PATIENCE_S = 100

# Most of what such a run costs is importing libraries: they are imported once, and each run is a
# fork of that process. Parola itself must not be among them: each run imports the copy it tests.
FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(
    ["pytest", "pytest_asyncio", "hypothesis", "numpy", "av", "soxr", "websockets", "typer"]
)


def run(test: str, seed: int, source: Path, folder: Path) -> tuple[int, str]:
    """Run a test once with Parola taken from `source`; return pytest's exit code and its words.

    Args:
        test: the node id of the test.
        seed: where the examples that it draws come from.
        source: the folder that holds the package.
        folder: where the run may keep what it needs.
    """
    said = folder / "said.txt"
    answer, answers = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_run, args=(test, seed, source, folder, said, answers))
    process.start()
    answers.close()
    process.join(PATIENCE_S)
    if process.is_alive():
        process.kill()
        process.join()
        pytest.fail(f"{test} took more than {PATIENCE_S} s:\n{said.read_text()[-2000:]}")
    try:
        return answer.recv(), said.read_text()
    except EOFError:
        pytest.fail(f"{test} could not be run: {said.read_text()[-2000:]}")


def _run(test: str, seed: int, source: Path, folder: Path, said: Path, answers: Connection) -> None:
    with said.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ |= {
        # For the programs that the test starts.
        "PYTHONPATH": str(source),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
        "PAROLA_TEST_PROFILE": "planted",
    }
    for name in ("CI", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
        # With CI pytest draws every difference in full, which can take longer than the test may.
        os.environ.pop(name, None)
    sys.path.insert(0, str(source))
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:anyio"]
    options += [f"--hypothesis-seed={seed}"]
    # Plugins that are here already cannot be rewritten, which takes only words from their errors.
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    answers.send(int(pytest.main([*options, test])))
    sys.stdout.flush()
    # Temporary folders go now: a fork ends without what other programs do at their end.
    atexit._run_exitfuncs()
    os._exit(0)
