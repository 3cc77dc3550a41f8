"""A disk of its own for a server, that can be filled to its last byte."""

import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

SIZE = "8m"


class Disk(Protocol):
    """A folder for one server's data."""

    folder: Path

    @property
    def prefix(self) -> Sequence[str]:
        """What goes before the command of a program that is to see it."""

    def fill(self, server: int) -> None:
        """Let the server (a process id) find it full from now on."""

    def free(self, server: int) -> None:
        """Give the room back."""

    def copy(self, to: Path) -> None:
        """Copy what is on it to where everybody sees it."""


class SmallDisk:
    """A file system of 8 MB that only programs started with `prefix` see, at `folder`."""

    def __init__(self, folder: Path, keeper: int) -> None:
        self.folder = folder
        name_space = ("--target", str(keeper), "--user", "--mount", "--preserve-credentials")
        self.prefix: Sequence[str] = ("nsenter", *name_space)
        self._seen_from_here = Path(f"/proc/{keeper}/root{folder}")

    def fill(self, server: int) -> None:
        with (self._seen_from_here / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass

    def free(self, server: int) -> None:
        (self._seen_from_here / "filler").unlink(missing_ok=True)

    def copy(self, to: Path) -> None:
        shutil.copytree(self._seen_from_here, to)


class LimitedDisk:
    """An ordinary folder, where no file system can be mounted: files may not grow any more."""

    prefix: Sequence[str] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, server: int) -> None:
        _, hard = resource.prlimit(server, resource.RLIMIT_FSIZE)
        resource.prlimit(server, resource.RLIMIT_FSIZE, (0, hard))

    def free(self, server: int) -> None:
        with suppress(ProcessLookupError):  # killed meanwhile; the next one has no such limit
            _, hard = resource.prlimit(server, resource.RLIMIT_FSIZE)
            resource.prlimit(server, resource.RLIMIT_FSIZE, (hard, hard))

    def copy(self, to: Path) -> None:
        shutil.copytree(self.folder, to)


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Mount a tmpfs in a name space of its own, which most systems let everybody do.

    Elsewhere (in most containers) the server's files are kept from growing instead.
    """
    folder.mkdir()
    mount = f"mount -t tmpfs -o size={SIZE},mode=700 none {folder} && echo mounted && exec cat"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as keeper:
        assert keeper.stdout is not None
        is_mounted = keeper.stdout.readline() != ""
        yield SmallDisk(folder, keeper.pid) if is_mounted else LimitedDisk(folder)
