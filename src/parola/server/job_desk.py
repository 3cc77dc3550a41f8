"""What the endpoints for recordings are given."""

from dataclasses import dataclass

from parola.live.jobs import Jobs
from parola.ports import Notifier
from parola.server.uploads import Uploads


@dataclass(frozen=True, slots=True)
class JobDesk:
    """Where recordings are taken in, and told of."""

    jobs: Jobs
    uploads: Uploads
    """Takes recordings in where `jobs` looks for them."""

    notifier: Notifier
    max_s: float
    """How long a recording may be, in seconds."""
