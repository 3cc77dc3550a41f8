"""What a source asks of its engine, as JSON on a socket and as text in a query.

Names and values are the engine's own; whether it knows them, it says itself.
"""

from collections.abc import Mapping, Sequence

from parola.domain.errors import BadMessage

MOST = 40
"""Options of one source; more than any engine has."""

LONGEST = 1000
"""Characters of a name or a value."""


def from_json(fields: object) -> Mapping[str, str]:
    """Return the options in a JSON object: texts, true or false, numbers, and lists of texts.

    Values become texts: "true", "60", and a list's members with commas between.

    Raises:
        BadMessage: it is no object, a value is of another kind, or there is too much of it.
    """
    if not isinstance(fields, dict):
        raise BadMessage('"engine_options" is an object, such as {"vocabulary_name":"speakers"}.')
    return _checked({str(name): _text(str(name), value) for name, value in fields.items()})


def from_query(pairs: Sequence[str]) -> Mapping[str, str]:
    """Return the options in texts such as "vocabulary_name=speakers".

    Raises:
        BadMessage: one has no name or no "=", or there is too much of it.
    """
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise BadMessage("An engine_option is written NAME=VALUE, percent-encoded.")
        options[name] = value
    return _checked(options)


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    raise BadMessage(
        f"The engine option {name[:LONGEST]!r} is a text, a number, true or false, or a list of "
        "texts."
    )


def _checked(options: Mapping[str, str]) -> Mapping[str, str]:
    if len(options) > MOST:
        raise BadMessage(f"{len(options)} engine options are too many; send at most {MOST}.")
    if any(len(text) > LONGEST for pair in options.items() for text in pair):
        raise BadMessage(f"An engine option is longer than {LONGEST} characters; shorten it.")
    return options
