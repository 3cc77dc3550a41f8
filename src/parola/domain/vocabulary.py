"""The names people give to things: rooms, languages, and the states of a room."""

import re
import unicodedata
from typing import Literal, NewType

from parola.domain.errors import BadLanguage, BadRoomName

RoomName = NewType("RoomName", str)
"""A checked room name: data wherever it goes, never part of a path or of markup."""

Language = NewType("Language", str)
"""A checked BCP 47 tag such as "it-IT": a language, perhaps a script, perhaps a region."""

MAX_ROOM_NAME = 100
"""Characters. Long enough for "Sala Grande – Keynote"; short enough for a URL and a log line."""

DEFAULT_CALL = "abcde1234"
"""The room of the conversation pipeline's clients that name none. Source: its own server."""

ROOM_STATES = {
    "idle": "nobody is speaking into the room",
    "waiting": "a source is connected and no speech has been heard yet",
    "listening": "speech is being recognised",
    "recovering": "the engine or its server broke off, or is long in starting; the audio is kept",
    "failed": "the engine cannot go on; the detail says why and what to do",
    "unsaved": "captions flow, but the transcript cannot be saved at the moment",
    "paused": "the operator has paused the captions: what is said is neither shown nor kept",
    "off_record": "captions flow and nothing is written anywhere",
    "hidden": "the operator has taken the text off every screen; nothing may be shown",
}
"""The words for what a room is doing, and what they mean."""

RoomMode = Literal["live", "paused", "off_record", "hidden"]
"""What an operator has set; all but "live" are states of the room too."""

_TAG = re.compile(r"([a-z]{2,3})(?:[-_]([a-z]{4}))?(?:[-_]([a-z]{2}|[0-9]{3}))?", re.IGNORECASE)


def room_name(text: str) -> RoomName:
    """Return the name in Unicode's composed form (NFC), so that "à" is one name, not two.

    Raises:
        BadRoomName: it is empty, longer than 100 characters, "." or "..", starts or ends with
            a space, or holds a slash or a character that cannot be seen.
    """
    name = unicodedata.normalize("NFC", text)
    if not name or name in {".", ".."}:
        raise BadRoomName("A room needs a name: one to 100 letters, digits, spaces or signs.")
    if len(name) > MAX_ROOM_NAME:
        raise BadRoomName(f"The room name has {len(name)} characters; use at most 100.")
    if name != name.strip():
        raise BadRoomName("A room name cannot start or end with a space.")
    if "/" in name or "\\" in name:
        raise BadRoomName("A room name cannot hold a slash.")
    if any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"} for char in name):
        raise BadRoomName("The room name holds a character that cannot be seen; please retype it.")
    return RoomName(name)


def language_tag(text: str) -> Language:
    """Return the tag as BCP 47 writes it: "IT_it" becomes "it-IT".

    Raises:
        BadLanguage: it is not a language tag of the form language[-Script][-REGION].
    """
    match = _TAG.fullmatch(text.strip())
    if not match:
        raise BadLanguage("A language is written like it-IT or en-US.")
    language, script, region = match.groups()
    parts = [language.lower()]
    if script:
        parts.append(script.title())
    if region:
        parts.append(region.upper())
    return Language("-".join(parts))


def base_language(language: Language) -> str:
    """Return the language without script and region: "it" of "it-IT"."""
    return language.split("-", 1)[0]
