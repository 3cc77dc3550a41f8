"""A talk's own words as JSON on a socket."""

from typing import Any

from parola.domain.errors import BadMessage
from parola.domain.room_settings import RoomSettings, checked
from parola.domain.terms import Terms


def from_json(fields: object) -> Terms:
    """Return the terms in a JSON object; what is empty is left out.

    Raises:
        BadMessage: it is no object, or its phrases or its text are of another kind.
        TooLarge: there is more than a room takes.
    """
    if not isinstance(fields, dict):
        raise BadMessage('"terms" is an object, such as {"phrases":["Grace Hopper"]}.')
    phrases, text = fields.get("phrases", []), fields.get("text", "")
    if not isinstance(phrases, list) or not all(isinstance(one, str) for one in phrases):
        raise BadMessage('"phrases" in "terms" is a list of texts, such as ["Grace Hopper"].')
    if not isinstance(text, str):
        raise BadMessage('"text" in "terms" is a text: title, abstract, slides.')
    given = dict.fromkeys(" ".join(phrase.split()) for phrase in phrases)
    return checked(RoomSettings(terms=Terms(tuple(filter(None, given)), text.strip()))).terms


def to_json(terms: Terms) -> dict[str, Any]:
    """Return the object that says the same."""
    return {"phrases": list(terms.phrases), "text": terms.text}
