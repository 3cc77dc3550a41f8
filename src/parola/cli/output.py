"""Files that commands write: the format by the name, and whole or not at all."""

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from parola.cli.outcome import FAILED, MISSING, USAGE, CommandError
from parola.domain.captions import WRITERS

Format = Literal["srt", "vtt", "txt", "json"]
"""The keys of `parola.domain.captions.WRITERS`."""


def format_of(path: Path) -> str:
    """Return the format that a file's name ends with.

    Raises:
        CommandError: it ends with none of them.
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in WRITERS:
        endings = ", ".join(f".{name}" for name in WRITERS)
        raise CommandError(f"{path.name} says no format; let its name end with {endings}.", USAGE)
    return form


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write into; it appears under its name when the context ends well.

    After an error or an interruption nothing of it is left, and an older file stays as it was.

    Raises:
        CommandError: its folder is not there, may not be written, or is on a full disk.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            yield file
        temporary.replace(path)
    except ConnectionError:
        raise  # a peer or a pipe of the body's, not this file
    except OSError as error:
        raise _explained(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _explained(path: Path, error: OSError) -> CommandError:
    if path.is_dir():
        return CommandError(f"{path} is a folder; name a file in it.", USAGE)
    if not path.parent.is_dir():
        return CommandError(f"There is no folder {path.parent}; make it first.", USAGE)
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return CommandError(f"There is no room for {path}; make some and try again.", FAILED)
    return CommandError(
        f"{path} cannot be written ({error.strerror}); choose another place with -o.", MISSING
    )
