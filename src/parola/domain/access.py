"""Who may do what: roles in rooms, the tokens that give them, and what a visitor may do."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from parola.domain.errors import BadMessage, ParolaError, TokenNeeded
from parola.domain.vocabulary import RoomName, room_name

Role = Literal["speak", "read", "operate"]

ROLES: dict[Role, str] = {
    "speak": "send sound into the room: microphones, recordings, uploads",
    "read": "see the room's text: live, as pages, and as transcripts",
    "operate": "all of it, and the rest: settings, corrections, what was withheld, costs",
}
"""What each role lets people do. Speaking does not include reading: a stage box needs no text."""

MAX_HOLDER = 100
"""Characters of the name of whom a token is for."""

MAX_LIFE_S = 366 * 86_400
"""A token for longer than a year is one that nobody remembers."""


@dataclass(frozen=True, slots=True)
class Token:
    """Roles that somebody was given, in one room or in all, until a time."""

    id: str
    """What it is revoked by."""

    holder: str
    """Whom it was made for, in the maker's words; stands in the audit log."""

    roles: frozenset[Role]
    room: RoomName | None
    """None: all rooms."""

    issued_at_s: int
    expires_at_s: int
    """Seconds since 1970, as in `issued_at_s`; from then on it is worth nothing."""

    def gives(self, role: Role, room: str | None) -> bool:
        """Return whether it gives the role in a room; None asks for all rooms at once."""
        if self.room is not None and self.room != room:
            return False
        return role in self.roles or "operate" in self.roles

    def is_good(self, now_s: float, revoked: Collection[str]) -> bool:
        """Return whether it is worth something at a time."""
        return now_s < self.expires_at_s and self.id not in revoked


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something an operator did, or tried to. Never holds what was said in a room."""

    at_ms: int
    holder: str
    """Whom the token was made for; "anybody" where none was needed."""

    token: str
    """The token's id; empty where none was needed."""

    address: str
    action: str
    """Method and path, such as "PUT /api/rooms/main/settings"."""

    status: int
    """What the server answered; 101 is a socket that was opened."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What one visitor may do."""

    tokens: tuple[Token, ...] = ()
    """Good ones that were shown."""

    everybody: frozenset[Role] = frozenset()
    """What nobody needs a token for."""

    def allow(self, role: Role, room: str | None) -> bool:
        """Return whether the role is theirs in a room; None asks for all rooms at once."""
        return self._everybody_has(role) or any(token.gives(role, room) for token in self.tokens)

    def allow_somewhere(self, role: Role) -> bool:
        """Return whether the role is theirs in at least one room."""
        return self._everybody_has(role) or any(t.gives(role, t.room) for t in self.tokens)

    def giving(self, role: Role, room: str | None) -> Token | None:
        """Return the token that gives the role; None where none is needed, or none does."""
        if self._everybody_has(role):
            return None
        return next((token for token in self.tokens if token.gives(role, room)), None)

    def _everybody_has(self, role: Role) -> bool:
        return role in self.everybody or "operate" in self.everybody


def role(text: str) -> Role:
    """Return the role of a name.

    Raises:
        BadMessage: there is none of that name.
    """
    if text not in ROLES:
        raise BadMessage(f"There is no role {text!r}; there are {', '.join(ROLES)}.")
    return text


def new_token(
    token_id: str,
    holder: str,
    roles: Collection[Role],
    room: RoomName | None,
    now_s: int,
    life_s: int,
) -> Token:
    """Return a token that is good from now on.

    Raises:
        BadMessage: it would give nothing, live too long or not at all, or its holder's name is
            empty, longer than 100 characters or not printable.
    """
    if not roles:
        raise BadMessage("A token needs a role: speak, read or operate.")
    if not 0 < life_s <= MAX_LIFE_S:
        raise BadMessage("A token lives for up to 366 days; write it like 12h or 7d.")
    if not (holder.strip() and holder.isprintable() and len(holder) <= MAX_HOLDER):
        raise BadMessage("Say whom the token is for in up to 100 letters.")
    return Token(token_id, holder, frozenset(roles), room, now_s, now_s + life_s)


def claims(token: Token) -> dict[str, Any]:
    """Return a token as JWT's claims (RFC 7519, and our own `roles` and `room`)."""
    return {
        "jti": token.id,
        "sub": token.holder,
        "roles": sorted(token.roles),
        "room": token.room,
        "iat": token.issued_at_s,
        "exp": token.expires_at_s,
    }


def token_of(claims: Mapping[str, Any]) -> Token:
    """Return the token that claims stand for.

    Raises:
        TokenNeeded: they are not as `claims` writes them: signed by us, but not as a token.
    """
    roles, room = claims.get("roles"), claims.get("room", "")
    try:
        known = isinstance(roles, list) and roles and set(roles) <= set(get_args(Role))
    except TypeError:
        known = False
    texts = [claims.get("jti"), claims.get("sub")]
    times = [claims.get("iat"), claims.get("exp")]
    if (
        not known
        or not (room is None or isinstance(room, str))
        or not all(isinstance(text, str) and text for text in texts)
        or not all(type(time) is int for time in times)
    ):
        raise TokenNeeded("The token is not one of Parola's; ask for a new one.")
    try:
        name = None if room is None else room_name(room)
    except ParolaError as error:
        raise TokenNeeded("The token is for no room; ask for a new one.") from error
    return Token(
        id=cast("str", texts[0]),
        holder=cast("str", texts[1]),
        roles=frozenset(cast("list[Role]", roles)),
        room=name,
        issued_at_s=cast("int", times[0]),
        expires_at_s=cast("int", times[1]),
    )
