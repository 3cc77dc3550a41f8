"""A job as the API, its socket and webhooks tell it. docs/reference/jobs.md."""

import json
from typing import Any

from parola.domain.captions import utc_iso
from parola.domain.jobs import Job


def job_fields(job: Job, done_s: float = 0.0, ahead: int = 0) -> dict[str, Any]:
    """Return a job for programs.

    Args:
        job: the job.
        done_s: seconds of its sound that are written down.
        ahead: how many jobs wait before it.
    """
    notice = job.notice
    return {
        "id": job.id,
        "name": job.name,
        "source": job.source or "upload",
        "language": job.language,
        "status": job.status,
        "ahead": ahead,
        "seconds": job.seconds,
        "done_s": round(job.seconds or 0.0 if job.status == "done" else done_s, 1),
        "created_at": utc_iso(job.created_ms),
        "started_at": _when(job.started_ms),
        "finished_at": _when(job.finished_ms),
        "withheld_words": job.withheld_words,
        "error": {"code": job.code, "message": job.message} if job.status == "failed" else None,
        "webhook": notice
        and {"outcome": notice.outcome, "tries": notice.tries, "detail": notice.detail},
    }


def job_message(job: Job, done_s: float, ahead: int) -> str:
    """Return the frame for who watches a job."""
    return _json({"type": "job", **job_fields(job, done_s, ahead)})


def notice_body(job: Job) -> str:
    """Return what a webhook is told; the text itself is not in it."""
    fields = job_fields(job)
    del fields["webhook"]
    return _json({"type": f"job.{job.status}", "timestamp": _when(job.finished_ms), "data": fields})


def _when(at_ms: int | None) -> str | None:
    return None if at_ms is None else utc_iso(at_ms)


def _json(fields: dict[str, Any]) -> str:
    # ASCII, because a file's name may hold half a surrogate pair.
    return json.dumps(fields, separators=(",", ":"))
