"""Reads Amazon Transcribe's settings from a TOML file: the fields of `AmazonSettings` by name.

Top-level names are those of `AmazonSettings`; the table `[recognition]` has those of
`Recognition`, and so has each `[rooms."NAME"]`, whose values count in that room instead.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parola.domain.errors import BadInput, BadMessage, NotFound
from parola.domain.vocabulary import language_tag, room_name
from parola.engines.amazon_options import checked, read_values, with_values
from parola.engines.amazon_settings import AmazonSettings, Recognition

_SHOWS_CONTRADICTIONS = language_tag("en-US")
"""Any language does, before the first talk would."""


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
    where = str(path)
    common = _recognition(Recognition(), _table(table, "recognition", where), where)
    rooms = {
        _room(name, where): _recognition(common, _table({name: one}, name, where), where)
        for name, one in _table(table, "rooms", where).items()
    }
    values = read_values(AmazonSettings, table, where, "recognition", "rooms")
    try:
        return AmazonSettings(recognition=common, rooms=rooms, **values)
    except ValueError as error:
        raise BadMessage(f"{path}: {error}.") from error


def _recognition(common: Recognition, table: Mapping[str, Any], where: str) -> Recognition:
    recognition = with_values(common, table, where)
    checked(recognition, _SHOWS_CONTRADICTIONS, where)
    return recognition


def _table(values: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    """Take a table out of the values; an empty one where it is not there."""
    table = values.pop(name, {})
    if not isinstance(table, dict):
        raise BadMessage(f"{where}: {name} is a table, written [{name}].")
    return table


def _room(name: str, where: str) -> str:
    try:
        return room_name(name)
    except BadInput as error:
        raise BadMessage(f"{where}: {error.message}") from error
