"""What the endpoints for recordings are given."""

from dataclasses import dataclass

from parola.domain.errors import BadMessage
from parola.domain.jobs import s3_place
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

    sources: frozenset[str] = frozenset()
    """Buckets in S3 that recordings may be fetched from."""

    def check_source(self, uri: str) -> None:
        """Do nothing, if a recording may be fetched from there.

        The server reads S3 by its own rights, which are more than a stranger's: so only where
        the operator has said so.

        Raises:
            BadMessage: it is no address in S3, or in none of the buckets.
        """
        bucket, _ = s3_place(uri)
        if bucket not in self.sources:
            raise BadMessage(
                f"Recordings are not fetched from the bucket {bucket} here; have the server"
                f" started with --job-source {bucket}, or send the file itself."
            )
