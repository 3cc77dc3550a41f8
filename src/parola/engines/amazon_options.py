"""Reads Amazon's settings by name, each as its field wants it: the one place that checks them.

A file gives typed values, a source gives texts. A misspelt name is an error, not a default.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from difflib import get_close_matches
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from parola.domain.errors import BadMessage
from parola.domain.vocabulary import Language
from parola.engines.amazon_settings import CHANNELS, Recognition, parameters
from parola.wire.transcribe import BadRequest, StreamParameters

SOME_ID = "00000000-0000-0000-0000-000000000000"
"""A session id for a check, which nobody sees."""


def with_values(common: Recognition, table: Mapping[str, Any], where: str) -> Recognition:
    """Return the common recognition with a table's typed values in place of its own.

    Raises:
        BadMessage: a name or value is not known.
    """
    return replace(common, **read_values(Recognition, table, where))


def with_texts(common: Recognition, options: Mapping[str, str]) -> Recognition:
    """Return the common recognition with a source's texts in place of its own values.

    Lists are written with commas. An empty text takes a value away.

    Raises:
        BadMessage: a name or value is not known.
    """
    if not options:
        return common
    wanted = get_type_hints(Recognition)
    table = {name: _typed(wanted.get(name), text) for name, text in options.items()}
    return with_values(common, table, "engine_options")


def checked(recognition: Recognition, language: Language, where: str) -> StreamParameters:
    """Return what a stream would ask.

    Raises:
        BadMessage: values contradict each other; in the words of the service.
    """
    if len(recognition.channel_names) not in {0, CHANNELS}:
        raise BadMessage(f"{where}: channel_names are two, one for each channel, or none.")
    try:
        return parameters(recognition, language, SOME_ID, channels=CHANNELS)
    except BadRequest as error:
        raise BadMessage(f"{where}: {error.message.rstrip('.')}.") from error


def read_values(kind: type, table: Mapping[str, Any], where: str, *but: str) -> dict[str, Any]:
    """Return a table's values as the fields of a dataclass want them, but for some fields.

    Raises:
        BadMessage: a name or value is not known.
    """
    wanted = get_type_hints(kind)
    names = [field.name for field in fields(kind) if field.name not in but]
    values = {}
    for name, value in table.items():
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}."
            raise BadMessage(f"{where}: there is no setting {name}; {hint}")
        values[name] = _value(wanted[name], name, value, where)
    return values


def _value(wanted: Any, name: str, value: object, where: str) -> object:  # noqa: ANN401 - a type
    """Return a value as its field's type wants it."""
    options = [one for one in get_args(wanted) if one is not NoneType]
    if NoneType in get_args(wanted) and len(options) == 1:
        return None if value is None else _value(options[0], name, value, where)
    if get_origin(wanted) is Literal:
        if value in options:
            return value
        raise BadMessage(f"{where}: {name} is one of {', '.join(map(repr, options))}.")
    if get_origin(wanted) is tuple:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        raise BadMessage(f'{where}: {name} is a list of texts, such as ["a", "b"].')
    if wanted in {float, Decimal} and type(value) in {int, float}:
        # By its text: Decimal(0.024) is 0.0240000000000000004996.
        return wanted(str(value))
    if type(value) is wanted:
        return value
    raise BadMessage(f"{where}: {name} is {_NAMES[wanted]}.")


def _typed(wanted: Any, text: str) -> object:  # noqa: ANN401 - a type
    """Return a text as a file would have given it; what is none stays a text, to be refused."""
    kinds = {wanted, *get_args(wanted)}
    if get_origin(wanted) is tuple:
        return [one.strip() for one in text.split(",") if one.strip()]
    if not text and NoneType in kinds:
        return None
    if bool in kinds:
        return {"true": True, "false": False}.get(text.lower(), text)
    if int in kinds:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    return text


_NAMES: Mapping[Any, str] = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    bool: "true or false",
}
