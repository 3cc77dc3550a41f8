"""What the endpoints are given: the running services and how errors are answered.

Dependencies are `async`: FastAPI takes others to a thread and back, at every request.
"""

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from parola.domain import errors
from parola.domain.access import Rights
from parola.domain.vocabulary import Language
from parola.live.leaving import Leaving
from parola.live.moods import Moods
from parola.live.playback import Playbacks, Recording
from parola.live.protection import Protection
from parola.live.retention import Retention
from parola.live.rooms import Rooms
from parola.live.shipper import Shipper
from parola.live.textscreen import TextScreens
from parola.live.windows import Windows
from parola.server.access import Access, Visit
from parola.server.job_desk import JobDesk
from parola.server.limits import Shares
from parola.server.proxies import Network
from parola.server.uploads import Uploads


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What people should know of an engine here."""

    name: str
    note: str
    languages: tuple[str, ...]
    """Base languages such as "en"; empty means all."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the endpoints use; made by the wiring."""

    rooms: Rooms
    playbacks: Playbacks
    uploads: Uploads
    version: str
    engines: tuple[EngineFacts, ...]
    default_language: Language
    sample: Recording
    max_upload_bytes: int
    text_screens: TextScreens
    windows: Windows
    stream_in_real_time: bool
    """Whether `/stream` paces files by the clock (else: as fast as the engine goes)."""

    access: Access
    retention: Retention
    leaving: Leaving
    gate: str = "voice"
    """What stands before the engines: "voice" detection, "level" only, or "off"."""

    shares: Shares = field(default_factory=Shares)
    trusted_proxies: tuple[Network, ...] = ()

    protection: Protection | None = None
    """What keeps the host from ending us while talks run, where the host can be asked."""

    shipper: Shipper | None = None
    """What sends finals on, where a queue is set."""

    jobs: JobDesk | None = None
    """Where recordings are written down in the background."""

    moods: Moods | None = None
    """What reads how lines sound, where somebody does."""


async def services(connection: HTTPConnection) -> Services:
    """Return the running services (a FastAPI dependency)."""
    running: Services = connection.app.state.services
    return running


VISIT = "parola.visit"
"""Where the guard leaves a `Visit` in the scope."""


def visit(connection: HTTPConnection) -> Visit:
    """Return who asks."""
    found: Visit = connection.scope[VISIT]
    return found


async def rights(connection: HTTPConnection) -> Rights:
    """Return what the visitor may do (a FastAPI dependency)."""
    return visit(connection).rights


HTTP_STATUS: dict[type[errors.ParolaError], int] = {
    errors.TooLarge: 413,
    errors.TokenNeeded: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.SlowRequest: 408,
    errors.BadAudio: 415,
    errors.BadInput: 400,
    errors.EditConflict: 409,
    errors.Outdated: 412,
    errors.RoomBusy: 409,
    errors.TooMany: 429,
    errors.ServerFull: 503,
    errors.TooSlow: 503,
    errors.NoEngine: 422,
    errors.DiskFull: 507,
    errors.EngineFailed: 503,
    errors.AnalystFailed: 503,
    errors.HostFailed: 503,
    errors.StoreFailed: 503,
    errors.Stopping: 503,
    errors.ParolaError: 500,
}
"""The status that answers each error; the first class that fits counts."""

CLOSE_CODE: dict[type[errors.ParolaError], int] = {
    errors.TooLarge: 1009,
    errors.BadAudio: 1007,
    errors.BadInput: 1008,
    errors.RoomBusy: 1013,
    errors.TooMany: 1013,
    errors.ServerFull: 1013,
    errors.TooSlow: 1013,
    errors.NoEngine: 1008,
    errors.Stopping: 1012,
    errors.ParolaError: 1011,
}
"""The WebSocket close code for each error. Source: the IANA registry of close codes."""


def http_status(error: errors.ParolaError) -> int:
    """Return the HTTP status that answers the error."""
    return next(status for kind, status in HTTP_STATUS.items() if isinstance(error, kind))


def close_code(error: errors.ParolaError) -> int:
    """Return the WebSocket close code that answers the error."""
    return next(code for kind, code in CLOSE_CODE.items() if isinstance(error, kind))
