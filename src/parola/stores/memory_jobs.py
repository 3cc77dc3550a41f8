"""Keeps jobs in memory: for tests, where nothing has to outlive the process."""

from parola.domain.errors import StoreFailed
from parola.domain.jobs import Job, Written


class MemoryJobBook:
    """A job book that fails when a test says so."""

    def __init__(self) -> None:
        self.fail_with: str | None = None
        """While set, every call raises StoreFailed with this sentence."""
        self.puts: list[str] = []
        """The status of each job that was kept, one after the other."""
        self._jobs: dict[str, Job] = {}
        self._written: dict[str, Written] = {}

    async def put(self, job: Job, written: Written | None = None) -> None:
        self._fail_if_told()
        self.puts.append(job.status)
        self._jobs[job.id] = job
        if written:
            self._written[job.id] = written

    async def jobs(self) -> list[Job]:
        self._fail_if_told()
        return list(self._jobs.values())

    async def written(self, job_id: str) -> Written:
        self._fail_if_told()
        return self._written.get(job_id, Written((), 0.0))

    async def remove(self, job_id: str) -> None:
        self._fail_if_told()
        self._jobs.pop(job_id, None)
        self._written.pop(job_id, None)

    def _fail_if_told(self) -> None:
        if self.fail_with:
            raise StoreFailed(self.fail_with)
