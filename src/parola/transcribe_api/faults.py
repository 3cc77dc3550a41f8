"""What goes wrong on purpose: limits and faults, from a TOML file or a caller's header."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from parola.domain.errors import BadInput, BadMessage, NotFound
from parola.wire.transcribe import (
    IDLE_TIMEOUT,
    BadRequest,
    Conflict,
    IdleTimeout,
    LimitExceeded,
    Throttled,
    TranscribeError,
    error_of,
)

FaultKind = Literal[
    "idle",
    "cap",
    "conflict",
    "limit",
    "ramp",
    "throttle",
    "exception",
    "close",
    "oversized",
    "corrupt",
    "reset",
    "slow-reader",
    "black-hole",
]

KINDS: Mapping[str, str] = {
    "idle": "the service says that it heard nothing for 15 seconds",
    "cap": "the service says that the stream has reached its longest time",
    "conflict": "the service says that a newer stream has the same session id",
    "limit": "the service says that too many streams are open",
    "ramp": "the service says that streams are started too fast",
    "throttle": "the front of the service says that requests come too fast",
    "exception": "any exception by its name",
    "close": "the stream ends in order, without a word and before the client ended it",
    "oversized": "a frame that claims to be 32 MiB long",
    "corrupt": "a frame whose checksum is wrong",
    "reset": "the connection is reset in the middle of a frame",
    "slow-reader": "what the client sends is read slowly",
    "black-hole": "nothing is read or written any more, and the connection stays open",
}
"""Every fault and what it does; docs/howto/transcribe-api.md is compared with it."""

ON_THE_LINE = frozenset({"reset", "slow-reader", "black-hole"})
"""Faults of the connection: they hit everything on it, and need a `Wreck` before the server."""

CONFLICT = "A new stream started with the same session ID. The current stream has been terminated."
LIMIT = (
    "You have reached your limit of concurrent streams. Wait until one of them has ended, or"
    " request an increase."
)
RAMP = "The rate of new streams is too high. Increase the number of streams gradually."
CAP = (
    "Your client has exceeded one of the Amazon Transcribe limits. This is typically the audio "
    "length limit. Break your audio stream into smaller chunks and try your request again."
)
THROTTLE = "Rate exceeded"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong in a stream."""

    kind: FaultKind
    at_s: float | None = None
    """Seconds of audio after which it happens; None: before the stream, or at its very start."""

    stream: int | None = None
    """Only in the stream with this number, counted from 1 since the start; None: in every one."""

    exception: str = "InternalFailureException"
    """The name, for the kind `exception`."""

    message: str = "The request processing has failed because of an unknown error."
    """What the exception says, for the kind `exception`."""

    bytes_per_s: int = 4000
    """How fast is read, for the kind `slow-reader`."""

    @property
    def error(self) -> TranscribeError | None:
        """The exception that the client gets, where the fault is one."""
        errors: dict[str, TranscribeError] = {
            "idle": IdleTimeout(IDLE_TIMEOUT),
            "cap": LimitExceeded(CAP),
            "conflict": Conflict(CONFLICT),
            "limit": LimitExceeded(LIMIT),
            "ramp": LimitExceeded(RAMP),
            "throttle": Throttled(THROTTLE),
            "exception": error_of(self.exception, self.message),
        }
        return errors.get(self.kind)


@dataclass(frozen=True, slots=True)
class Scenario:
    """The limits of the service, which always hold, and the faults that are wanted."""

    idle_s: float = 15.0
    """A stream without new audio for so long ends. Source: docs of the service."""

    cap_s: float = 4 * 3600.0
    """The longest stream. Source: the service's quotas, 4 hours."""

    time_scale: float = 1.0
    """How many seconds of those two pass in one real second."""

    streams: int = 25
    """At the same time, over each of WebSocket and HTTP/2. Source: the service's quotas."""

    starts_per_s: int = 25
    """New streams within any second, over each of the two. Source: the service's quotas."""

    faults: tuple[Fault, ...] = field(default=())

    def for_stream(self, number: int) -> tuple[Fault, ...]:
        """Return the faults of one stream."""
        return tuple(fault for fault in self.faults if fault.stream in {None, number})


def read_scenario(path: Path) -> Scenario:
    """Return the scenario in a TOML file: the fields of `Scenario`, and `[[fault]]` tables.

    Raises:
        NotFound: there is no such file.
        BadMessage: it is not TOML, or a name or value in it is not known.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}; check its name.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"{path} is not TOML ({error}); see the faults' how-to.") from error
    found = table.pop("fault", [])
    if not isinstance(found, list):
        raise BadMessage(f"{path}: write each fault as a table [[fault]].")
    faults = tuple(Fault(**_checked(Fault, one, f"{path}, fault {n}")) for n, one in _each(found))
    return Scenario(**_checked(Scenario, table, str(path)), faults=faults)


def read_header(text: str) -> tuple[Fault, ...]:
    """Return the faults in a header `x-parola-fault`, such as "reset@2.5, close@4".

    After "=" stands the name of an exception or the bytes per second of a slow reader; after "@"
    the seconds of audio.

    Raises:
        BadRequest: it is not written so.
    """
    try:
        return tuple(_from_word(word.strip()) for word in text.split(",") if word.strip())
    except BadInput as error:
        raise BadRequest(f"x-parola-fault: {error.message}") from error


def _from_word(word: str) -> Fault:
    named, at, seconds = word.partition("@")
    kind, _, value = named.partition("=")
    given: dict[str, Any] = {"kind": kind}
    if at:
        given["at_s"] = _number(seconds)
    if value:
        given |= {"exception": value} if kind == "exception" else {"bytes_per_s": _number(value)}
    return Fault(**_checked(Fault, given, "the header"))


def _number(text: str) -> float:
    try:
        return float(text) if "." in text else int(text)
    except ValueError as error:
        raise BadMessage(f"{text!r} is not a number.") from error


_TYPES: Mapping[str, tuple[type, ...]] = {
    "kind": (str,),
    "exception": (str,),
    "message": (str,),
    "stream": (int,),
    "bytes_per_s": (int,),
    "streams": (int,),
    "starts_per_s": (int,),
}


def _each(found: Sequence[object]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, one in enumerate(found, 1):
        yield number, one if isinstance(one, dict) else {"": one}


def _checked(kind: type[Fault | Scenario], given: dict[str, Any], where: str) -> dict[str, Any]:
    """Return what was given, if all of it is known and makes sense.

    Raises:
        BadMessage: it is not; the message says what is.
    """
    known = {one.name for one in fields(kind)} - {"faults"}
    for name, value in given.items():
        if name not in known:
            raise BadMessage(
                f"{where}: there is no {name!r}; known are {', '.join(sorted(known))}."
            )
        wanted = _TYPES.get(name, (int, float))
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise BadMessage(f"{where}: {name} cannot be {value!r}.")
        if isinstance(value, int | float) and not 0 <= value < 10**9:
            raise BadMessage(f"{where}: {name} cannot be {value!r}; write a number from 0 on.")
    if kind is Fault and given.get("kind") not in get_args(FaultKind):
        raise BadMessage(
            f"{where}: there is no fault {given.get('kind')!r}; known are {', '.join(KINDS)}."
        )
    for name in ("time_scale", "bytes_per_s"):
        if given.get(name) == 0:
            raise BadMessage(f"{where}: {name} must be above 0.")
    return given
