"""A network of a test's own: namespaces on a bridge, whose cables can be pulled without a word."""

import asyncio
import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NEW_NETWORK = 0x40000000
"""CLONE_NEWNET. Source: setns(2)."""


def no_networks() -> str | None:
    """Return why no namespaces can be made here, or None."""
    if not shutil.which("ip"):
        return "no `ip` here; Debian's iproute2 has it (make test installs it)"
    if os.geteuid() != 0:
        return "network namespaces take root; run this as root to have it"
    name = f"parola-try-{os.getpid()}"
    tried = subprocess.run(
        ["ip", "netns", "add", name], capture_output=True, text=True, check=False
    )
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return f"no network namespaces here: {tried.stderr.strip()}" if tried.returncode else None


@dataclass(slots=True)
class Network:
    """One bridge, and a namespace for each of its members."""

    prefix: str
    members: list[str] = field(default_factory=list)

    def address(self, member: str) -> str:
        """Return a member's address; nobody outside the namespaces can reach it."""
        return f"10.77.0.{self.members.index(member) + 1}"

    def command(self, member: str) -> tuple[str, ...]:
        """Return what starts a program at a member."""
        return ("ip", "netns", "exec", self._space(member))

    def cut(self, member: str) -> None:
        """Pull the cable at the bridge: whatever is sent vanishes, and nobody is told."""
        self._ip("-n", self._space("hub"), "link", "set", f"to-{member}", "nomaster")

    def heal(self, member: str) -> None:
        """Plug it in again."""
        self._ip("-n", self._space("hub"), "link", "set", f"to-{member}", "master", "bridge")

    def run_at(self, member: str, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine at a member: in a thread, since a thread has a network of its own."""
        errors: list[BaseException] = []

        def there() -> None:
            try:
                _enter(Path(f"/run/netns/{self._space(member)}"))
                asyncio.run(work)
            except BaseException as error:  # noqa: BLE001 - raised where it belongs
                errors.append(error)

        thread = threading.Thread(target=there)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]

    def build(self) -> None:
        """Make everything."""
        self._ip("netns", "add", self._space("hub"))
        self._ip("-n", self._space("hub"), "link", "add", "bridge", "type", "bridge")
        self._ip("-n", self._space("hub"), "link", "set", "bridge", "up")
        for member in self.members:
            space = self._space(member)
            self._ip("netns", "add", space)
            link = ["link", "add", f"to-{member}", "netns", self._space("hub")]
            self._ip(*link, "type", "veth", "peer", "name", "eth0", "netns", space)
            self._ip("-n", space, "address", "add", f"{self.address(member)}/24", "dev", "eth0")
            for device in "lo", "eth0":
                self._ip("-n", space, "link", "set", device, "up")
            self._ip("-n", self._space("hub"), "link", "set", f"to-{member}", "up")
            self.heal(member)

    def remove(self) -> None:
        """Take everything away, as far as it is there."""
        for member in ["hub", *self.members]:
            with suppress(subprocess.CalledProcessError):
                self._ip("netns", "del", self._space(member))

    def _space(self, member: str) -> str:
        return f"{self.prefix}-{member}"

    @staticmethod
    def _ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _enter(space: Path) -> None:
    """Move the thread's network; the other threads stay where they are."""
    with space.open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), NEW_NETWORK):
            raise OSError(ctypes.get_errno(), f"setns {space}")


@contextmanager
def network(*members: str) -> Iterator[Network]:
    """Make a network for as long as it is needed."""
    made = Network(f"parola{os.getpid()}", list(members))
    made.remove()  # a killed run of the same number may have left its own
    try:
        made.build()
        yield made
    finally:
        made.remove()
