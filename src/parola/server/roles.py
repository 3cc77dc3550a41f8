"""Says for every endpoint who may use it; one that is not in the table is for operators only."""

from collections.abc import Mapping
from dataclasses import dataclass
from re import Pattern
from typing import Any, Literal

from starlette.datastructures import QueryParams
from starlette.routing import compile_path

from parola.domain.access import Role
from parola.domain.errors import BadRoomName
from parola.domain.vocabulary import DEFAULT_CALL, room_name

Where = Literal["room", "somewhere", "everywhere"]
"""In the room that the path names; in at least one room; in all rooms."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use one endpoint."""

    method: str
    """An HTTP method, or "WebSocket"."""

    path: str
    """As the router has it; everything below it, if it ends with a slash."""

    role: Role | None
    """None: anybody, always."""

    where: Where = "room"
    page: bool = False
    """Whether people open it in a browser: it may be asked with a token, and becomes a cookie."""

    upload: bool = False
    """Whether it bounds its body itself."""

    named_by: tuple[str, str] | None = None
    """The field of the query that names the room, and the room without it; None: the path does."""


RULES = (
    Rule("GET", "/enter", None),
    Rule("GET", "/static/", None),
    Rule("GET", "/livez", None),
    Rule("GET", "/healthz", None),
    Rule("GET", "/readyz", None),
    Rule("GET", "/", "read", "somewhere", page=True),
    Rule("GET", "/docs", "read", "somewhere", page=True),
    Rule("GET", "/openapi.json", "read", "somewhere"),
    Rule("GET", "/rooms/{room}", "read", page=True),
    Rule("GET", "/sala/{room}", "read", page=True),
    Rule("GET", "/rooms/{room}/phone", "read", page=True),
    Rule("GET", "/rooms/{room}/overlay", "read", page=True),
    Rule("GET", "/rooms/{room}/qr.svg", "read"),
    Rule("GET", "/mic", "speak", "somewhere", page=True),
    Rule("GET", "/rooms/{room}/mic", "speak", page=True),
    Rule("GET", "/p/{room}", "read", page=True),
    Rule("GET", "/metrics", "operate", "everywhere"),
    Rule("POST", "/api/drain", "operate", "everywhere"),
    Rule("POST", "/api/prune", "operate", "everywhere"),
    Rule("GET", "/api/audit", "operate", "everywhere"),
    Rule("GET", "/api/about", "read", "somewhere"),
    Rule("GET", "/api/rooms", "read", "somewhere"),
    Rule("GET", "/api/rooms/{room}", "read"),
    Rule("GET", "/api/rooms/{room}/transcript.{form}", "read"),
    Rule("GET", "/api/rooms/{room}/events", "read"),
    Rule("GET", "/api/rooms/{room}/mood", "read"),
    Rule("GET", "/api/rooms/{room}/captions.txt", "read"),
    Rule("GET", "/api/rooms/{room}/lines/{number}", "operate"),
    Rule("PUT", "/api/rooms/{room}/lines/{number}", "operate"),
    Rule("POST", "/api/rooms/{room}/lines/{number}/strike", "operate"),
    Rule("POST", "/api/rooms/{room}/lines/{number}/restore", "operate"),
    Rule("GET", "/api/rooms/{room}/recording", "read"),
    Rule("DELETE", "/api/rooms/{room}/recording", "operate"),
    Rule("GET", "/api/rooms/{room}/settings", "operate"),
    Rule("PUT", "/api/rooms/{room}/settings", "operate"),
    Rule("PUT", "/api/rooms/{room}/mode", "operate"),
    Rule("GET", "/api/rooms/{room}/withheld", "operate"),
    Rule("GET", "/archive", "read", "somewhere", page=True),
    Rule("GET", "/archive/{room}", "read", page=True),
    Rule("GET", "/api/talks", "read", "somewhere"),
    Rule("GET", "/api/search", "read", "somewhere"),
    Rule("GET", "/console", "operate", "somewhere", page=True),
    Rule("GET", "/api/event/settings", "operate", "everywhere"),
    Rule("PUT", "/api/event/settings", "operate", "everywhere"),
    Rule("POST", "/api/rooms/{room}/sample", "speak"),
    Rule("POST", "/api/rooms/{room}/files", "speak", upload=True),
    Rule("DELETE", "/api/rooms/{room}/playback", "speak"),
    Rule("WebSocket", "/ws/transcript/{room}", "read"),
    Rule("WebSocket", "/ws/audio/{room}", "speak"),
    # Recordings belong to no room.
    Rule("GET", "/jobs", "speak", "everywhere", page=True),
    Rule("POST", "/api/jobs", "speak", "everywhere", upload=True),
    Rule("GET", "/api/jobs", "speak", "everywhere"),
    Rule("GET", "/api/jobs/{job}", "speak", "everywhere"),
    Rule("DELETE", "/api/jobs/{job}", "speak", "everywhere"),
    Rule("GET", "/api/jobs/{job}/transcript.{form}", "speak", "everywhere"),
    Rule("GET", "/api/jobs/{job}/withheld", "operate", "everywhere"),
    Rule("WebSocket", "/ws/jobs/{job}", "speak", "everywhere"),
    # Older systems'. Uploads lie in one folder, whoever sent them: so in all rooms.
    Rule("GET", "/api/sale", "read", "somewhere"),
    Rule("POST", "/audio", "speak", "everywhere", upload=True),
    Rule("WebSocket", "/stream", "speak", "everywhere"),
    Rule("GET", "/api/stt/healthcheck", None),
    Rule("WebSocket", "/api/stt/connect", "read", named_by=("callId", DEFAULT_CALL)),
    Rule("WebSocket", "/api/stt/transcribe", "speak", named_by=("callId", DEFAULT_CALL)),
)
"""Every endpoint there is; a test compares it with the application, so that none is forgotten."""

UNKNOWN = Rule("", "", "operate", "everywhere")
"""What a new endpoint is until somebody has thought about it."""


def _pattern(path: str) -> Pattern[str]:
    below = path.endswith("/") and path != "/"
    return compile_path(f"{path}{{below:path}}" if below else path)[0]


_PATTERNS = tuple((rule, _pattern(rule.path)) for rule in RULES)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    rule: Rule
    method: str
    """As in rules; HEAD is GET."""

    room: str | None
    """The room in the path, as rooms are named; None where the path names none."""

    @property
    def is_safe(self) -> bool:
        """Whether it changes nothing, whoever asks. A socket is never safe."""
        return self.method == "GET"


def asked(scope: Mapping[str, Any]) -> Asked:
    """Return the rule for an ASGI scope, and the room it is about.

    Matched as the router matches it: same pattern, same decoded path, first fit first.
    """
    method = scope.get("method", "WebSocket")
    if method == "HEAD":
        method = "GET"
    for rule, pattern in _PATTERNS:
        if rule.method == method and (match := pattern.match(scope["path"])):
            return Asked(rule, method, _room(_named(rule, scope, match.groupdict())))
    return Asked(UNKNOWN, method, None)


def _named(rule: Rule, scope: Mapping[str, Any], in_path: Mapping[str, str]) -> str | None:
    if rule.named_by is None:
        return in_path.get("room")
    # Starlette's, as the endpoint reads it: of a field that comes twice, both see the same one.
    field, default = rule.named_by
    return QueryParams(scope["query_string"]).get(field, default)


def _room(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return room_name(text)
    except BadRoomName:
        return text  # no token is for it; whoever may everything hears what is wrong with it
