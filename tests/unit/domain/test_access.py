"""Who may do what, as values: nobody gets more than a token that is good gives."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from parola.domain.access import Rights, Role, Token, claims, new_token, token_of
from parola.domain.errors import BadMessage, TokenNeeded
from parola.domain.vocabulary import room_name

ROOMS = [room_name(name) for name in ("hall", "Sala à", "*", "None")]
roles = st.sampled_from(get_args(Role))
rooms = st.sampled_from(ROOMS)
some_tokens = st.builds(
    new_token,
    st.text("0123456789abcdef", min_size=12, max_size=12),
    st.sampled_from(["Ada", "Stage, left", "è"]),
    st.frozensets(roles, min_size=1),
    st.none() | rooms,
    st.integers(0, 2**33),
    st.integers(1, 86_400),
)


@given(st.lists(some_tokens, max_size=3), st.frozensets(roles), roles, st.none() | rooms)
def test_nothing_is_allowed_that_nobody_gave(
    tokens: list[Token], everybody: frozenset[Role], role: Role, room: str | None
) -> None:
    """A role is had where everybody has it or a token gives it, there or everywhere."""
    had = role in everybody or "operate" in everybody
    for token in tokens:
        reaches = token.room is None or (room is not None and token.room == room)
        had = had or (reaches and bool({role, "operate"} & token.roles))
    rights = Rights(tuple(tokens), everybody)
    assert rights.allow(role, room) == had
    if had:
        assert rights.allow_somewhere(role)
    giver = rights.giving(role, room)
    if giver is not None:
        assert giver.gives(role, room)
    somewhere = any(rights.allow(role, name) for name in [None, *ROOMS])
    assert rights.allow_somewhere(role) == somewhere


@given(some_tokens, st.integers(0, 2**34))
def test_a_token_ends_by_itself_and_when_it_is_revoked(token: Token, now_s: int) -> None:
    """From its last second on it is worth nothing; nor once its id is revoked."""
    assert token.is_good(now_s, set()) == (now_s < token.expires_at_s)
    assert not token.is_good(now_s, {token.id})


@given(some_tokens)
def test_a_token_comes_back_from_its_claims(token: Token) -> None:
    """What is signed says all of it."""
    assert token_of(claims(token)) == token


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["read"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(some_tokens, st.sampled_from(["jti", "sub", "roles", "room", "iat", "exp"]), values)
def test_claims_of_another_shape_are_no_token(token: Token, name: str, value: object) -> None:
    """Whatever stands in the place of a claim: a token as it should be, or a refusal in words."""
    try:
        read = token_of({**claims(token), name: value})
    except TokenNeeded:
        return
    assert set(read.roles) <= set(get_args(Role))
    assert read.roles
    assert type(read.expires_at_s) is int


@given(st.integers(-5, 400 * 86_400), st.text(max_size=120), st.frozensets(roles))
def test_a_token_is_made_within_limits(life_s: int, holder: str, given_: frozenset[Role]) -> None:
    """It gives something, to somebody one can read, for a year at most."""
    try:
        token = new_token("a" * 12, holder, given_, None, 0, life_s)
    except BadMessage:
        fits = 0 < life_s <= 366 * 86_400
        readable = holder.strip() and holder.isprintable() and len(holder) <= 100
        assert not (fits and readable and given_)
        return
    assert 0 < token.expires_at_s <= 366 * 86_400
    assert token.roles
    assert token.holder.strip()
