"""A source's options reach the engine as texts, whichever way they come."""

import pytest

from parola.domain.errors import BadMessage
from parola.wire.engine_options import LONGEST, MOST, from_json, from_query


def test_every_kind_of_value_becomes_a_text() -> None:
    """As the engine would have it in a query."""
    told = {"a": "text", "b": True, "c": 60, "d": 0.5, "e": ["it-IT", "en-US"], "f": ""}
    expected = {"a": "text", "b": "true", "c": "60", "d": "0.5", "e": "it-IT,en-US", "f": ""}
    assert from_json(told) == expected
    assert from_query([f"{name}={value}" for name, value in expected.items()]) == expected


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("text", "is an object"),
        (["a"], "is an object"),
        ({"a": None}, "'a' is a text, a number"),
        ({"a": {}}, "'a' is a text, a number"),
        ({"a": [1]}, "'a' is a text, a number"),
        ({"a": "x" * (LONGEST + 1)}, "longer than"),
        ({"x" * (LONGEST + 1): ""}, "longer than"),
        ({str(n): "" for n in range(MOST + 1)}, "too many"),
    ],
)
def test_what_is_no_option_is_refused(told: object, said: str) -> None:
    """With what it should be."""
    with pytest.raises(BadMessage, match=said):
        from_json(told)


@pytest.mark.parametrize("pair", ["", "name", "=value"])
def test_a_query_names_and_values(pair: str) -> None:
    """Both are needed, and a value may hold an equals sign."""
    with pytest.raises(BadMessage, match="NAME=VALUE"):
        from_query([pair])
    assert from_query(["a=b=c"]) == {"a": "b=c"}
