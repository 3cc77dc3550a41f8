"""Signs tokens and checks signatures: JWT with HS256 and nothing else."""

import secrets
from collections.abc import Sequence

import jwt

from parola.domain.access import Token, claims, token_of
from parola.domain.errors import TokenNeeded

ALGORITHM = "HS256"
KEY_BYTES = 32
"""As long as the hash. Source: RFC 7518, section 3.2."""

MAX_CHARS = 2048
"""A token of ours has some 300; longer ones are not looked at."""


def new_key() -> bytes:
    """Return a key that nobody can guess."""
    return secrets.token_bytes(KEY_BYTES)


def sign(token: Token, key: bytes) -> str:
    """Return the token as people carry it."""
    return jwt.encode(claims(token), key, algorithm=ALGORITHM)


def read(text: str, keys: Sequence[bytes]) -> Token:
    """Return the token, if one of the keys signed it; its time is the caller's to check.

    Raises:
        TokenNeeded: none of them did, or it is no token at all.
    """
    if len(text) <= MAX_CHARS:
        for key in keys:
            try:
                # The algorithm is ours to say: a token that names "none" or another is not read.
                # Times and id are checked by `Token`, on the server's clock.
                found = jwt.decode(
                    text,
                    key,
                    algorithms=[ALGORITHM],
                    options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
                )
            except jwt.InvalidTokenError:
                continue
            return token_of(found)
    raise TokenNeeded("The token was not signed here; ask for a new one.")
