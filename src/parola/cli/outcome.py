"""How a command ends: its exit codes, and how errors become one sentence on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

from parola.domain.errors import BadInput, NoEngine, ParolaError

DONE = 0
FAILED = 1
USAGE = 2
MISSING = 3
INTERRUPTED = 130

EXIT_CODES = {
    DONE: "done",
    FAILED: "it failed while running",
    USAGE: "wrong usage or bad input",
    MISSING: "something is missing here: an engine, a package, a port, a permission",
    INTERRUPTED: "interrupted",
}
"""What each exit code means; docs/reference/cli.md is compared with it."""


class CommandError(Exception):
    """A command cannot go on: one sentence with a remedy, and the exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


def exit_code(error: ParolaError) -> int:
    """Return the exit code for an error of the core."""
    if isinstance(error, BadInput):
        return USAGE
    return MISSING if isinstance(error, NoEngine) else FAILED


@contextmanager
def server_part() -> Iterator[None]:
    """Say which extra to install when the body imports what is not there.

    Raises:
        CommandError: a package of the server's extra is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("parola"):
            raise
        raise CommandError(
            "This needs the server part: pip install 'parola[server,pocketsphinx]'", MISSING
        ) from error
