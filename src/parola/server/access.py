"""Decides who is let in: the one place where what a request shows becomes rights, or a refusal."""

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from parola.domain.access import Rights, Role, Token
from parola.domain.errors import Forbidden, StoreFailed, TokenNeeded
from parola.ports import AccessBook
from parola.server import tokens
from parola.server.credentials import Shown, headers_of, is_same_origin, shown
from parola.server.roles import Asked, asked

logger = logging.getLogger(__name__)

Policy = Literal["this computer", "everybody", "tokens", "tokens to speak"]

POLICIES: dict[Policy, frozenset[Role]] = {
    "this computer": frozenset({"operate"}),
    "everybody": frozenset({"operate"}),
    "tokens": frozenset(),
    "tokens to speak": frozenset({"read"}),
}
"""What takes no token. "this computer" lets nobody else in at all."""

REFRESH_S = 1.0
"""How long a revoked token is still good, at most."""

FORWARDED = {"x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip"}
"""Headers by which a proxy gives itself away."""


@dataclass(eq=False, slots=True)
class Visit:
    """One request or socket that was let in."""

    asked: Asked
    rights: Rights
    address: str
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when what it was let in by is revoked, or its time is over."""

    @property
    def token(self) -> Token | None:
        """What it was let in by; None where nothing was needed."""
        rule = self.asked.rule
        if rule.role is None:
            return None
        if rule.where == "somewhere":
            return next((t for t in self.rights.tokens if t.gives(rule.role, t.room)), None)
        return self.rights.giving(rule.role, self.asked.room)


class Access:
    """Who may do what on this server."""

    def __init__(self, policy: Policy, book: AccessBook, now_s: Callable[[], float]) -> None:
        """Let in by a policy, and by the book's keys once `refresh` has read them."""
        self.policy: Policy = policy
        self.book = book
        self.now_s = now_s
        """Seconds since 1970."""
        self._keys: list[bytes] = []
        self._revoked: frozenset[str] = frozenset()
        self._visits: set[Visit] = set()

    @property
    def needs_tokens(self) -> bool:
        """Whether something is done only with a token."""
        return "operate" not in POLICIES[self.policy]

    async def refresh(self) -> None:
        """Read keys and tokens anew, and end the visits of those that are not good any more.

        Raises:
            StoreFailed: they cannot be read; those that were read before still count.
        """
        self._keys = await self.book.keys()
        self._revoked = frozenset(t.id for t, revoked in await self.book.tokens() if revoked)
        for visit in self._visits:
            token = visit.token
            if token and not self._is_good(token):
                visit.lost.set()

    async def keep_fresh(self) -> None:
        """Refresh every `REFRESH_S`, for ever."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.refresh()
            except StoreFailed as error:
                logger.warning("revoked tokens may still be good: %s", error.message)

    def read(self, text: str) -> Token:
        """Return a token that is signed here and good.

        Raises:
            TokenNeeded: it is not; the message says why.
        """
        token = tokens.read(text, self._keys)
        if not self._is_good(token):
            why = "was revoked" if token.id in self._revoked else "has passed its time"
            raise TokenNeeded(f"The token {why}; ask for a new one.")
        return token

    def admit(self, scope: Mapping[str, Any]) -> Visit:
        """Return the visit that a request or a handshake is.

        Raises:
            TokenNeeded: it takes a token, and none or no good one was shown.
            Forbidden: what was shown does not give this, or a page of another site asks.
        """
        what = asked(scope)
        rights, trouble = self._rights(scope, what)
        visit = Visit(what, rights, address_of(scope))
        role, where = what.rule.role, what.rule.where
        if role is None:
            return visit
        room = what.room if where == "room" else None
        if rights.allow_somewhere(role) if where == "somewhere" else rights.allow(role, room):
            return visit
        raise trouble or _missing(rights, what)

    @contextmanager
    def visiting(self, visit: Visit) -> Iterator[None]:
        """Watch over a visit while it lasts."""
        self._visits.add(visit)
        try:
            yield
        finally:
            self._visits.discard(visit)

    def _is_good(self, token: Token) -> bool:
        return token.is_good(self.now_s(), self._revoked)

    def _rights(
        self, scope: Mapping[str, Any], what: Asked
    ) -> tuple[Rights, Forbidden | TokenNeeded | None]:
        """Return what was shown to be allowed, and why it may be less than somebody thinks."""
        trouble: Forbidden | TokenNeeded | None = None
        everybody = POLICIES[self.policy]
        carried = shown(scope)
        if self.policy == "this computer" and (trouble := _came_from_elsewhere(scope)):
            return Rights(), trouble
        if not what.is_safe and not self._asks_itself(scope, carried):
            # Browsers send cookies, and reach this computer, for whichever page makes them ask.
            everybody &= frozenset[Role]({"read"})
            trouble = Forbidden(
                "A page of another site asks for this. Open it on this server's own page, or"
                " let the program send a token in Authorization."
            )
            carried = Shown(carried.explicit, ())
        good: list[Token] = []
        for text in (*carried.explicit, *carried.cookies):
            try:
                good.append(self.read(text))
            except TokenNeeded as error:
                trouble = trouble or error
        return Rights(tuple(good), everybody), trouble

    def _asks_itself(self, scope: Mapping[str, Any], carried: Shown) -> bool:
        """Return whether nobody can have been tricked into asking this."""
        same = is_same_origin(scope)
        if same is None:
            # No browser: programs ask for themselves. They do not carry cookies.
            return not carried.cookies
        return same or (self.policy == "this computer" and _is_origin_here(scope))


def _missing(rights: Rights, what: Asked) -> Forbidden | TokenNeeded:
    role, where = what.rule.role, what.rule.where
    place = "here" if where == "room" else "in all rooms" if where == "everywhere" else "in a room"
    if rights.tokens:
        return Forbidden(f"The token does not let you {role} {place}; ask for another one.")
    return TokenNeeded(
        f"It takes a token to {role} {place}: ask for a link, or make one with `parola token`."
    )


def _came_from_elsewhere(scope: Mapping[str, Any]) -> Forbidden | None:
    """Return why a request is not this computer's own, though it came over loopback.

    A page on the internet can give its own name this computer's address (DNS rebinding), and a
    proxy brings strangers: both show in the headers.
    """
    headers = headers_of(scope)
    host = urlsplit(f"//{headers.get('host', '')}").hostname if "host" in headers else "localhost"
    if is_here(host or "") and not headers.keys() & FORWARDED:
        return None
    return Forbidden(
        "This server is open to its own computer only, and this came through a proxy or under"
        " another name. Start it with --trusted-proxy ADDRESS, or with --no-open."
    )


def _is_origin_here(scope: Mapping[str, Any]) -> bool:
    """Return whether the page that asks is served by this computer, by whatever program."""
    try:
        return is_here(urlsplit(headers_of(scope).get("origin", "")).hostname or "")
    except ValueError:
        return False


def is_here(host: str) -> bool:
    """Return whether a host's name or address is this computer's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def address_of(scope: Mapping[str, Any]) -> str:
    """Return whose limits a visitor counts against: of IPv6 the /64, which one household has."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0]) if client else None
    except ValueError:
        address = None
    if address is None:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        if not address.is_loopback:
            return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
