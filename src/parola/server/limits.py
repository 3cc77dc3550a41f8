"""Bounds what one address and one room take: requests, sockets, sound, and slow bodies."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from parola.domain.errors import SlowRequest, TooLarge, TooMany
from parola.domain.throttle import Buckets, Places
from parola.server.access import Visit, address_of, is_here
from parola.server.credentials import headers_of
from parola.server.proxies import Receive, Scope


@dataclass(frozen=True, slots=True)
class Shares:
    """How much anybody gets. This computer itself is not bounded."""

    sockets_per_address: int = 500
    """A hall behind one address needs more: its operator says so."""

    requests_per_s: float = 50.0
    """For each address, over a burst of twenty seconds of it."""

    refusal_costs: float = 20.0
    """Requests that one without a good token counts as."""

    sound_bytes_per_s: float = 20 * 32_000.0
    """Twenty times as fast as people speak (s16le at 16 kHz): enough to send again what a broken
    line has held up. For each room and for each address."""

    sound_burst_bytes: float = 60 * 96_000.0
    """A minute at 48 kHz at once."""

    body_bytes: int = 2**20
    """Of a request that is no upload."""

    body_wait_s: float = 20.0
    """How long a body may send nothing, and how soon its pace counts."""

    body_bytes_per_s: float = 500.0
    """The slowest pace of a body: a tenth of a bad telephone line."""


class Limiter:
    """Keeps count for one server."""

    def __init__(
        self,
        shares: Shares,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._shares = shares
        self._monotonic = monotonic
        self._sleep = sleep
        self._sockets = Places(shares.sockets_per_address)
        self._requests = Buckets(shares.requests_per_s, 20 * shares.requests_per_s)
        self._sound = Buckets(shares.sound_bytes_per_s, shares.sound_burst_bytes)

    def ask(self, scope: Mapping[str, Any]) -> None:
        """Count a request or a handshake.

        Raises:
            TooMany: its address has asked for more than its share.
        """
        address = address_of(scope)
        # What pages load costs nearly nothing, and a whole hall opens them in one second.
        if is_here(address) or scope["path"].startswith("/static/"):
            return
        if not self._requests.take(address, 1, self._monotonic()):
            raise TooMany("Your address asks too often; wait a few seconds.")

    def refused(self, scope: Mapping[str, Any]) -> None:
        """Count a try without a good token as many: guessing is slow."""
        address = address_of(scope)
        if not is_here(address):
            cost = self._shares.refusal_costs - 1
            self._requests.spend(address, cost, self._monotonic())

    @contextmanager
    def place(self, visit: Visit) -> Iterator[None]:
        """Hold one of the sockets that an address may have.

        Raises:
            TooMany: it has them all.
        """
        if is_here(visit.address):
            yield
            return
        if not self._sockets.take(visit.address):
            raise TooMany(
                f"Your address has {self._sockets.each} connections already; close some, or let"
                " the server be started with a greater --max-per-address."
            )
        try:
            yield
        finally:
            self._sockets.give_back(visit.address)

    def sound(self, visit: Visit, receive: Receive) -> Receive:
        """Return a way to read a source's frames that waits when too much comes too fast."""
        if visit.asked.rule.role != "speak" or is_here(visit.address):
            return receive
        keys = [f"address {visit.address}", f"room {visit.asked.room}"]

        async def receive_in_time() -> Scope:
            message = await receive()
            data = message.get("bytes") or b""
            now_s = self._monotonic()
            # Waiting is what bounds it: the socket is not read meanwhile, so its peer waits too.
            await self._sleep(max(self._sound.spend(key, len(data), now_s) for key in keys))
            return message

        return receive_in_time

    def body(self, visit: Visit, scope: Mapping[str, Any], receive: Receive) -> Receive:
        """Return a way to read a body that ends when it is too long or comes too slowly.

        Raises:
            TooLarge: it says itself that it is too long.
            (when reading) TooLarge, SlowRequest.
        """
        most = None if visit.asked.rule.upload else self._shares.body_bytes
        length = headers_of(scope).get("content-length", "")
        if most is not None and length.isdigit() and int(length[:20]) > most:
            raise _too_large(most)
        body = _Body(self._shares, receive, most, self._monotonic)
        return body.receive


class _Body:
    """One request's body on its way in."""

    def __init__(
        self, shares: Shares, receive: Receive, most: int | None, monotonic: Callable[[], float]
    ) -> None:
        self._shares = shares
        self._receive = receive
        self._most = most
        self._monotonic = monotonic
        self._waited_s = 0.0
        self._received = 0
        self._complete = False

    async def receive(self) -> Scope:
        """Return the next piece, or whatever comes after the last."""
        if self._complete:
            return await self._receive()
        began_s = self._monotonic()
        try:
            async with asyncio.timeout(self._shares.body_wait_s):
                message = await self._receive()
        except TimeoutError as error:
            raise _too_slow() from error
        self._waited_s += self._monotonic() - began_s
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._most is not None and self._received > self._most:
            raise _too_large(self._most)
        over_s = self._waited_s - self._shares.body_wait_s
        if not self._complete and over_s > 0:
            pace = self._received / self._waited_s
            if pace < self._shares.body_bytes_per_s:
                raise _too_slow()
        return message


def _too_slow() -> SlowRequest:
    return SlowRequest("The request came too slowly; send it again on a better connection.")


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The request is larger than {most // 1024} kB, the limit here.")
