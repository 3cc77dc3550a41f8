"""Makes the key of a server that needs one, and the links that a first start shows."""

from dataclasses import dataclass
from uuid import uuid4

from parola.domain.access import Role, new_token
from parola.server import tokens
from parola.server.access import Access

GOOD_FOR_S = 30 * 86_400

FIRST: dict[Role, frozenset[Role]] = {
    "speak": frozenset({"speak", "read"}),
    "read": frozenset({"read"}),
    "operate": frozenset({"operate"}),
}
"""What each link gives, in all rooms. Who speaks by a link does so on a page, and sees the text."""


@dataclass(frozen=True, slots=True)
class FirstLink:
    """A token to be shown once."""

    role: Role
    token: str


async def first_links(access: Access) -> list[FirstLink]:
    """Return links for each role, if the server needs tokens and never had a key before.

    Raises:
        StoreFailed: the key or a token cannot be kept.
    """
    book = access.book
    if not access.needs_tokens or await book.keys():
        return []
    key = tokens.new_key()
    await book.add_key(key)
    links: list[FirstLink] = []
    for role, roles in FIRST.items():
        holder = f"first link to {role}"
        now_s = int(access.now_s())
        token = new_token(uuid4().hex[:12], holder, roles, None, now_s, GOOD_FOR_S)
        await book.add_token(token)
        links.append(FirstLink(role, tokens.sign(token, key)))
    await access.refresh()
    return links
