"""What people set for one room, and what may be set at most."""

import hashlib
from dataclasses import asdict, dataclass, field

from parola.domain.errors import TooLarge
from parola.domain.terms import Terms
from parola.domain.vocabulary import Language, RoomMode, RoomName

MAX_TEXT = 50_000
"""Characters of running text: some 25 pages of slides."""

MAX_PHRASES = 500
MAX_PHRASE = 200
"""Characters of a phrase, and of either side of a replacement."""

MAX_REPLACEMENTS = 500

MAX_BLOCKED = 500

WHOLE_EVENT = ""
"""The name under which a book keeps what holds for every room; no room can have it."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What the engine tends to mishear, and what it should have been."""

    heard: str
    """One or more words, in any case."""

    shown: str
    """One or more words, as people should read them."""


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """What holds for every talk in a room, until it is set otherwise."""

    language: Language | None = None
    """What is spoken here, whatever a source says; None leaves it to the source."""

    terms: Terms = field(default_factory=Terms)
    """The talk's own words."""

    replacements: tuple[Replacement, ...] = ()
    """The first one that fits counts."""

    blocked: tuple[str, ...] = ()
    """Words and phrases that are masked wherever an engine writes them."""

    beside: RoomName | None = None
    """The room with the same talk in another language; big screens show both, side by side."""

    keep_recordings: bool = False
    """Whether its talks' sound is kept, beside their words."""

    mode: RoomMode = "live"
    """What the operator lets be seen and kept; it outlives a restart."""


def version_of(settings: RoomSettings) -> str:
    """Return a word that differs wherever settings do; what the operator lets be seen aside."""
    fields = asdict(settings) | {"mode": ""}
    return hashlib.sha256(repr(fields).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def checked(settings: RoomSettings) -> RoomSettings:
    """Return the settings, if they are within the limits.

    Raises:
        TooLarge: one of them is not; the message names it.
    """
    terms, replacements = settings.terms, settings.replacements
    _at_most(MAX_TEXT, len(terms.text), "characters of text")
    _at_most(MAX_PHRASES, len(terms.phrases), "phrases")
    _at_most(MAX_REPLACEMENTS, len(replacements), "replacements")
    _at_most(MAX_BLOCKED, len(settings.blocked), "blocked words")
    sides = [side for rule in replacements for side in (rule.heard, rule.shown)]
    longest = max((*terms.phrases, *sides, *settings.blocked), key=len, default="")
    if len(longest) > MAX_PHRASE:
        raise TooLarge(f"{longest[:40]!r}… has {len(longest)} characters; use at most 200.")
    return settings


def _at_most(limit: int, count: int, what: str) -> None:
    if count > limit:
        raise TooLarge(f"There are {count} {what}; a room takes at most {limit}.")
