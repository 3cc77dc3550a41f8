"""Believes what a proxy says of its clients, if it is one that was named; nobody else."""

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SECURE = {"http": {"http": "http", "https": "https"}, "websocket": {"http": "ws", "https": "wss"}}


class Proxies:
    """Puts client, scheme and host that a trusted proxy names in the place of its own."""

    def __init__(self, app: App, trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, as the client sent it to the proxy."""
        if scope["type"] in SECURE and self._is_trusted((scope.get("client") or ("",))[0]):
            self._unwrap(scope)
        await self._app(scope, receive, send)

    def _unwrap(self, scope: Scope) -> None:
        headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
        chain = ",".join(value for name, value in headers if name == b"x-forwarded-for")
        if client := self._client(chain):
            scope["client"] = (client, 0)
        last = {name: value.split(",")[-1].strip() for name, value in headers}
        schemes = SECURE[scope["type"]]
        scope["scheme"] = schemes.get(last.get(b"x-forwarded-proto", ""), scope["scheme"])
        if host := last.get(b"x-forwarded-host"):
            kept = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [*kept, (b"host", host.encode("latin-1"))]

    def _client(self, chain: str) -> str:
        """Return who asked the first of our proxies: what stands left of it, anybody can write."""
        named = [address.strip() for address in chain.split(",")]
        for address in reversed(named):
            if not self._is_trusted(address):
                return address if _parsed(address) else ""
        return ""

    def _is_trusted(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
