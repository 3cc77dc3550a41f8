"""Every error Parola raises on purpose, each with a word for the wire and a remedy for a person.

ParolaError
├── BadInput                what was sent cannot be used: sending it again will not help
│   ├── BadRoomName         bad_room_name
│   ├── BadLanguage         bad_language
│   ├── BadAudio            bad_audio
│   ├── BadMessage          bad_message
│   ├── TooLarge            too_large
│   ├── SlowRequest         slow_request: a body that comes so slowly that it only holds a place
│   ├── TokenNeeded         token_needed: nobody is let in here without a good token
│   ├── Forbidden           forbidden: the token, or the place it comes from, does not give this
│   └── NotFound            not_found
├── EditConflict            edit_conflict: somebody else has changed the line meanwhile
├── Outdated                outdated: somebody else has set this anew since it was looked at
├── RoomBusy                room_busy: somebody else is speaking into the room
├── TooMany                 too_many: one address asks for more than its share; wait a little
├── ServerFull              server_full: as much is going on here as may; come back later
├── TooSlow                 too_slow: a viewer took nothing for a while; come back later
├── NoEngine                no_engine: no recogniser here knows the language
├── EngineFailed            engine_failed: a recogniser broke; a new stream may work
├── AnalystFailed           analyst_failed: nobody can say now how lines sound
├── HostFailed              host_failed: what we run in does not leave us alone
├── StoreFailed             store_failed: a log cannot be written or read now
│   └── Fenced              fenced: another node has taken over the room
├── DiskFull                disk_full: no room for an upload
└── Stopping                stopping: the server is about to stop; come back soon
    └── RoomElsewhere       room_elsewhere: another node speaks the room, or may; come back soon

The code words are part of the protocol (docs/reference/errors.md); messages may change.
"""

from typing import ClassVar


class ParolaError(Exception):
    """The root: one sentence that says what is wrong and what to do about it."""

    code: ClassVar[str] = "error"
    """A stable word for programs."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadInput(ParolaError):  # noqa: N818 - the family's name, never raised itself
    """What was sent cannot be used."""

    code = "bad_input"


class BadRoomName(BadInput):
    """A room name that no room can have."""

    code = "bad_room_name"


class BadLanguage(BadInput):
    """A language that is not a language tag."""

    code = "bad_language"


class BadAudio(BadInput):
    """Sound that cannot be read: no audio in it, empty, broken, or an odd number of bytes."""

    code = "bad_audio"


class BadMessage(BadInput):
    """A message or parameter that is not as the protocol says."""

    code = "bad_message"


class TooLarge(BadInput):
    """More than the limit that the message names."""

    code = "too_large"


class SlowRequest(BadInput):
    """A body that comes so slowly that it only holds a place."""

    code = "slow_request"


class TokenNeeded(BadInput):
    """No token, or one that is forged, revoked or past its time; the message says which."""

    code = "token_needed"


class Forbidden(BadInput):
    """A good token that does not give this, or a page of another site that asks for it."""

    code = "forbidden"


class NotFound(BadInput):
    """A room, file or engine that is not there."""

    code = "not_found"


class EditConflict(ParolaError):  # noqa: N818 - said of the line, as in the protocol
    """Somebody else has changed the line meanwhile; nothing was overwritten."""

    code = "edit_conflict"


class Outdated(ParolaError):  # noqa: N818 - said of what was seen
    """Somebody else has set this anew since it was looked at; nothing was overwritten."""

    code = "outdated"


class RoomBusy(ParolaError):  # noqa: N818 - said of the room, as in the protocol
    """Another source is speaking into the room."""

    code = "room_busy"


class TooMany(ParolaError):  # noqa: N818 - said of the visitor, as in the protocol
    """One address asks for more than its share; the message names the limit."""

    code = "too_many"


class ServerFull(ParolaError):  # noqa: N818 - said of the server, as in the protocol
    """As many sessions, rooms or viewers as the limits allow; the message names the limit."""

    code = "server_full"


class TooSlow(ParolaError):  # noqa: N818 - said of the viewer
    """A viewer took nothing for so long that waiting for it is pointless."""

    code = "too_slow"


class NoEngine(ParolaError):  # noqa: N818 - said of the server, as in the protocol
    """No recogniser here knows the language; the message names what to install."""

    code = "no_engine"


class EngineFailed(ParolaError):  # noqa: N818 - said of the engine, as in the protocol
    """A recogniser broke off. The session opens a new stream while its budget lasts."""

    code = "engine_failed"


class HostFailed(ParolaError):  # noqa: N818 - said of the host
    """What this process runs in does not do as it is asked; talks go on."""

    code = "host_failed"


class AnalystFailed(ParolaError):  # noqa: N818 - said of the analyst
    """What reads how lines sound cannot do so now. Captions do not wait for it."""

    code = "analyst_failed"


class StoreFailed(ParolaError):  # noqa: N818 - said of the store, as in the protocol
    """A log cannot be written or read now; what waits is kept and tried again."""

    code = "store_failed"


class Fenced(StoreFailed):
    """Another node has taken over some rooms: what was to be written into them never will be."""

    code = "fenced"

    def __init__(self, message: str, rooms: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.rooms = rooms


class DiskFull(ParolaError):  # noqa: N818 - said of the disk, as in the protocol
    """No room on the disk for an upload; nothing of it was kept."""

    code = "disk_full"


class Stopping(ParolaError):  # noqa: N818 - said of the server, as in the protocol
    """The server is about to stop and takes nothing new."""

    code = "stopping"


class RoomElsewhere(Stopping):
    """Another node speaks the room, or this one cannot know; the message names it."""

    code = "room_elsewhere"
