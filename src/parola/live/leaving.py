"""How a process is asked to go: at once, or when the talks that run are over."""

import asyncio


class Leaving:
    """Somebody's word that this process should take nothing new, move its talks on, and end."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()
        """Set when nothing is waited for any more."""
        self.wait_s = 0.0
        """How long the talks that run may go on, at most."""

    def ask(self, wait_s: float = 0.0) -> None:
        """Ask for the end; the second time, and without waiting, at once."""
        if self.asked.is_set() or not wait_s:
            self.at_once.set()
        self.wait_s = wait_s
        self.asked.set()
