"""Reads Amazon Transcribe's settings from a TOML file: the fields of `AmazonSettings` by name.

Top-level names are those of `AmazonSettings`; the table `[recognition]` has those of
`Recognition`. A misspelt name is an error, not a default.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from parola.domain.errors import BadMessage, NotFound
from parola.domain.vocabulary import language_tag
from parola.engines.amazon_settings import AmazonSettings, Recognition, parameters
from parola.wire.transcribe import BadRequest


def read_amazon_settings(path: Path) -> AmazonSettings:
    """Return what a file sets; what it leaves out has its default.

    Raises:
        NotFound: there is no such file, or it cannot be read.
        BadMessage: it is not TOML, a name or value in it is not known, or values contradict
            each other.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"{path} is not a TOML file: {error}.") from error
    options = table.pop("recognition", {})
    if not isinstance(options, dict):
        raise BadMessage(f"{path}: recognition is a table, written [recognition].")
    try:
        recognition = Recognition(**_values(Recognition, options, path))
        settings = AmazonSettings(
            recognition=recognition, **_values(AmazonSettings, table, path, "recognition")
        )
        # Any language shows what contradicts itself, before the first talk does.
        parameters(recognition, language_tag("en-US"), _SOME_ID)
    except ValueError as error:
        raise BadMessage(f"{path}: {error}.") from error
    except BadRequest as error:
        raise BadMessage(f"{path}: {error.message.rstrip('.')}.") from error
    return settings


_SOME_ID = "00000000-0000-0000-0000-000000000000"


def _values(kind: type, table: Mapping[str, Any], path: Path, *but: str) -> dict[str, Any]:
    """Return a table's values as the fields want them."""
    wanted = get_type_hints(kind)
    names = [field.name for field in fields(kind) if field.name not in but]
    values = {}
    for name, value in table.items():
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}."
            raise BadMessage(f"{path}: there is no setting {name}; {hint}")
        values[name] = _value(wanted[name], name, value, path)
    return values


def _value(wanted: Any, name: str, value: object, path: Path) -> object:  # noqa: ANN401 - a type
    """Return a value as its field's type wants it."""
    options = [one for one in get_args(wanted) if one is not NoneType]
    if NoneType in get_args(wanted) and len(options) == 1:
        return _value(options[0], name, value, path)
    if get_origin(wanted) is Literal:
        if value in options:
            return value
        raise BadMessage(f"{path}: {name} is one of {', '.join(map(repr, options))}.")
    if get_origin(wanted) is tuple:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        raise BadMessage(f'{path}: {name} is a list of texts, such as ["a", "b"].')
    if wanted in {float, Decimal} and type(value) in {int, float}:
        # By its text: Decimal(0.024) is 0.0240000000000000004996.
        return wanted(str(value))
    if type(value) is wanted:
        return value
    raise BadMessage(f"{path}: {name} is {_NAMES[wanted]}.")


_NAMES: Mapping[Any, str] = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    bool: "true or false",
}
