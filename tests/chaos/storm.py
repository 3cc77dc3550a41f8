"""Holds a talk among real processes, and lets go wrong what a schedule says."""

import heapq
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import httpx
import psutil

from tests.chaos.faults import Fault
from tests.chaos.parts import Parts

PATIENCE_S = 120.0
"""How long a talk may take until its last word is safe, after the last fault."""

AGAIN_S = 0.3
"""How soon a server that could not start is started again."""

DELAYED_S = 3.0
"""How long the network is slow."""


def until(condition: Callable[[], bool], otherwise: str) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: it takes too long; the message is `otherwise`.
    """
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s, otherwise
        time.sleep(0.05)


class Storm:
    """One talk under one schedule; what has to happen is done in the order of its time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._to_do: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._is_full = False
        self._is_home = False

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        """Do something so many seconds from now."""
        heapq.heappush(self._to_do, (time.monotonic() + seconds, next(self._order), what))

    def live_through(self, faults: list[Fault]) -> None:
        """Hold the talk under these faults, until its client has brought all of it home.

        Raises:
            AssertionError: it does not.
        """
        parts = self._parts
        assert parts.start_server(), "the server does not start"
        parts.start_proxy()
        parts.start_client()
        until(self._has_spoken, "the client never came")
        for fault in faults:
            self._later(fault.at_s, partial(self._suffer, fault))
        while self._to_do:
            at_s, _, what = heapq.heappop(self._to_do)
            time.sleep(max(at_s - time.monotonic(), 0))
            what()
        until(lambda: parts.client.poll() is not None, "the client does not come home")
        code = 0 if self._is_home else parts.client.poll()
        assert code == 0, (parts.folder / "parts.log").read_text()
        assert not list((parts.folder / "spool").rglob("*.pcm")), "what is safe is still kept"

    def _has_spoken(self) -> bool:
        if self._parts.client.poll() not in {None, 0}:
            # One that has never reached its server gives up, rightly: on a busy machine, it may.
            self._parts.start_client()
        return any(room["words"] for room in self._rooms())

    def _suffer(self, fault: Fault) -> None:
        """Let one thing go wrong, and see to it that it ends."""
        parts = self._parts
        if fault.kind == "server killed":
            if parts.server:
                parts.kill_server()
                self._later(fault.for_s, self._start_server)
        elif fault.kind == "client killed":
            if parts.client.poll() is None:
                parts.kill("client")
                self._later(fault.for_s, self._start_client)
        elif fault.kind == "proxy killed":
            parts.kill("proxy")
            parts.start_proxy()
        elif fault.kind == "recogniser killed":
            self._kill_recogniser(0 if fault.for_s == 1.0 else -1)
        elif fault.kind == "disk full":
            self._fill(fault.for_s)
        else:
            parts.command(f"{fault.kind} {fault.for_s}")
            if fault.kind == "delay":
                self._later(DELAYED_S, lambda: parts.command("delay 0"))

    def _start_client(self) -> None:
        # Killed when all was safe and forgotten, it would rightly begin the recording anew.
        self._is_home = not list((self._parts.folder / "spool").rglob("talk.json"))
        if not self._is_home:
            self._parts.start_client()

    def _start_server(self) -> None:
        if not self._parts.start_server():
            self._later(AGAIN_S, self._start_server)

    def _kill_recogniser(self, which: int, tries: int = 100) -> None:
        """Kill the newest of the server's recognisers, or the process that they come from."""
        if any(room["state"] == "listening" and room["lag_s"] > 1 for room in self._rooms()):
            assert self._parts.server
            server = psutil.Process(self._parts.server.process.pid)
            server.children(recursive=True)[which].kill()
        elif tries:
            # It has nothing to lose just now: the server or the client has just come back.
            self._later(0.1, lambda: self._kill_recogniser(which, tries - 1))

    def _rooms(self) -> list[dict[str, Any]]:
        if self._parts.server is None:
            return []
        rooms = httpx.get(f"{self._parts.server.url}/api/rooms").json()["rooms"]
        return list(rooms)

    def _fill(self, for_s: float) -> None:
        if self._parts.server and not self._is_full:
            server, self._is_full = self._parts.server.process.pid, True
            self._parts.disk.fill(server)
            self._later(for_s, lambda: self._free(server))

    def _free(self, server: int) -> None:
        self._is_full = False
        self._parts.disk.free(server)
