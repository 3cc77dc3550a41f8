"""Recordings that somebody wants written down, and how far each of them is. No clock, no waiting.

A job is queued, then running, then done or failed. A server that dies leaves it running: the next
one queues it again (`after_crash`).
"""

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from parola.domain.errors import BadMessage, ParolaError, TooLarge
from parola.domain.log import Withheld
from parola.domain.transcript import Segment
from parola.domain.vocabulary import Language

JobStatus = Literal["queued", "running", "done", "failed"]

JOB_STATUSES: tuple[JobStatus, ...] = get_args(JobStatus)

Outcome = Literal["waiting", "delivered", "given up"]

MAX_TRIES = 3
"""How often a job is begun; a recording that ends the server three times is not tried again."""

NOTICE_PAUSES_S = (5.0, 30.0, 300.0, 1800.0, 7200.0, 28_800.0)
"""The pauses between tries to tell a webhook, some eleven hours in all; then it is given up."""

_S3_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.{1,1024})")
"""Source: Amazon S3 User Guide, rules for the names of buckets and objects."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Whom to tell when a job is over, and whether that has worked."""

    url: str
    tries: int = 0
    due_ms: int = 0
    """When it is told next, in milliseconds since 1970."""

    outcome: Outcome = "waiting"
    detail: str = ""
    """Why the last try did not work; a sentence."""

    def after(self, detail: str, now_ms: int, *, is_hopeless: bool = False) -> "Notice":
        """Return the notice after a try that failed."""
        if is_hopeless or self.tries >= len(NOTICE_PAUSES_S):
            return replace(self, tries=self.tries + 1, outcome="given up", detail=detail)
        due_ms = now_ms + int(NOTICE_PAUSES_S[self.tries] * 1000)
        return replace(self, tries=self.tries + 1, due_ms=due_ms, detail=detail)

    def delivered(self) -> "Notice":
        """Return the notice after a try that worked."""
        return replace(self, tries=self.tries + 1, outcome="delivered", detail="")


@dataclass(frozen=True, slots=True)
class Job:
    """One recording to be written down."""

    id: str
    """Nobody can guess it."""

    name: str
    """What people call the recording."""

    language: Language
    created_ms: int
    source: str = ""
    """Where the recording is, such as "s3://bucket/key"; empty where it was uploaded."""

    status: JobStatus = "queued"
    tries: int = 0
    """How often it was begun."""

    seconds: float | None = None
    """How long the recording is, once that is known."""

    started_ms: int | None = None
    finished_ms: int | None = None
    code: str = ""
    """Why it failed: the error's word."""

    message: str = ""
    """Why it failed, a sentence."""

    notice: Notice | None = None
    withheld_words: int = 0
    """Words that its text does not have, since there is no speech under them."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.status in {"done", "failed"}

    def was_over(self, before_ms: int) -> bool:
        """Return whether it was over before a time, in milliseconds since 1970."""
        return self.finished_ms is not None and self.finished_ms < before_ms

    @property
    def tells(self) -> bool:
        """Whether somebody has still to be told that it is over."""
        return self.is_over and self.notice is not None and self.notice.outcome == "waiting"

    def begun(self, now_ms: int) -> "Job":
        """Return it as it is begun, once more perhaps."""
        return replace(self, status="running", tries=self.tries + 1, started_ms=now_ms)

    def put_back(self) -> "Job":
        """Return it as if this try had not been: the server is being stopped."""
        return replace(self, status="queued", tries=max(self.tries - 1, 0), started_ms=None)

    def queued_again(self) -> "Job":
        """Return it as it waits for its next try."""
        return replace(self, status="queued", started_ms=None)

    def after_crash(self, now_ms: int) -> "Job":
        """Return it as the server after a crash takes it up."""
        if self.status != "running":
            return self
        if self.tries < MAX_TRIES:
            return self.queued_again()
        died = ParolaError(
            f"The server ended {self.tries} times while this was being written down, so it is not"
            " tried again; look at the server's log and its memory."
        )
        return self.failed(died, now_ms)

    def done(self, written: "Written", now_ms: int) -> "Job":
        """Return it with its text there."""
        words = sum(len(withheld.text.split()) for withheld in written.withheld)
        done = replace(self, status="done", seconds=written.seconds, withheld_words=words)
        return self._over(done, now_ms)

    def failed(self, error: ParolaError, now_ms: int) -> "Job":
        """Return it with the reason why there is no text."""
        return self._over(
            replace(self, status="failed", code=error.code, message=error.message), now_ms
        )

    def _over(self, job: "Job", now_ms: int) -> "Job":
        notice = job.notice and replace(job.notice, due_ms=now_ms)
        return replace(job, finished_ms=now_ms, notice=notice)


@dataclass(frozen=True, slots=True)
class Written:
    """A recording's text."""

    segments: tuple[Segment, ...]
    seconds: float
    """How long the recording is."""

    withheld: tuple[Withheld, ...] = ()
    """What was written without speech under it, and is not in the text."""


def check_length(seconds: float | None, max_s: float) -> None:
    """Do nothing, if a recording of that length is taken; None where nobody knows yet.

    Raises:
        TooLarge: it is too long.
    """
    if seconds is not None and seconds > max_s:
        raise TooLarge(
            f"The recording is longer than {max_s / 3600:g} hours, the limit here; cut it into"
            " pieces."
        )


def s3_place(uri: str) -> tuple[str, str]:
    """Return bucket and key of an address such as "s3://bucket/talks/1.mp4".

    Raises:
        BadMessage: it is none.
    """
    if match := _S3_PLACE.fullmatch(uri):
        return match[1], match[2]
    raise BadMessage("A recording in S3 is written like s3://bucket/talks/monday.mp4.")
