"""Shares of strangers: nobody takes more than theirs, and counting takes bounded memory."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from parola.domain.throttle import Buckets, Places

KEYS = ["a", "b", "c"]
asks = st.lists(
    st.tuples(st.sampled_from(KEYS), st.integers(1, 40), st.integers(0, 30)), max_size=40
)


@given(asks, st.integers(1, 8), st.integers(1, 50))
def test_nobody_takes_more_than_a_share(
    days: list[tuple[str, int, int]], rate: int, burst: int
) -> None:
    """In any while, a key gets the burst and what filled meanwhile, and one ask beyond at most."""
    buckets = Buckets(rate, burst)
    now_s, given_to = 0, dict[str, list[tuple[int, int]]]()
    for key, amount, wait_s in days:
        now_s += wait_s
        if buckets.take(key, amount, now_s):
            given_to.setdefault(key, []).append((now_s, amount))
    for taken in given_to.values():
        for first, (from_s, _) in enumerate(taken):
            total = 0
            for to_s, amount in taken[first:]:
                # Asked while something was left: what is before the last one fitted.
                assert total < burst + rate * (to_s - from_s)
                total += amount


@given(asks, st.integers(1, 8), st.integers(1, 50))
def test_what_is_owed_is_waited_for(
    days: list[tuple[str, int, int]], rate: int, burst: int
) -> None:
    """Who spends more waits just until it has filled again; exact, by an account of our own."""
    buckets = Buckets(rate, burst)
    levels, seen, now_s = dict.fromkeys(KEYS, Fraction(burst)), dict.fromkeys(KEYS, 0), 0
    for key, amount, wait_s in days:
        now_s += wait_s
        level = min(Fraction(burst), levels[key] + rate * (now_s - seen[key]))
        levels[key], seen[key] = level - amount, now_s
        owed_s = max(Fraction(0), -levels[key] / rate)
        assert abs(buckets.spend(key, amount, now_s) - owed_s) < 1e-6


def test_strangers_without_number_take_bounded_memory() -> None:
    """The one unused for longest is forgotten; who is busy is remembered."""
    buckets = Buckets(1, 1, most=10)
    buckets.spend("busy", 100, 0)
    for stranger in range(1000):
        buckets.take(f"stranger {stranger}", 1, stranger / 1000)
        assert not buckets.take("busy", 1, stranger / 1000)
    assert len(buckets) == 10


places = st.lists(st.tuples(st.sampled_from(KEYS), st.booleans()), max_size=60)


@given(places, st.integers(1, 3))
def test_places_are_never_more_than_each_has(turns: list[tuple[str, bool]], each: int) -> None:
    """A place is had while there is one, comes back when it is freed, and leaves nothing behind."""
    held = dict.fromkeys(KEYS, 0)
    counted = Places(each)
    for key, takes in turns:
        if takes:
            assert counted.take(key) == (held[key] < each)
            held[key] = min(held[key] + 1, each)
        elif held[key]:
            counted.give_back(key)
            held[key] -= 1
    for key in KEYS:
        for _ in range(held[key]):
            counted.give_back(key)
    assert len(counted) == 0
