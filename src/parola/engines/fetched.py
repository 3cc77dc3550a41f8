"""Fetches recordings from where they lie, for transcribers that need them here."""

from collections.abc import Callable
from pathlib import Path

from parola.domain.jobs import Job, Written
from parola.domain.vocabulary import Language
from parola.ports import Objects, Transcriber


class Fetched:
    """A transcriber that gets every recording as a file; what it fetched is an upload's equal."""

    def __init__(self, transcriber: Transcriber, objects: Objects, max_bytes: int) -> None:
        self._transcriber = transcriber
        self._objects = objects
        self._max_bytes = max_bytes

    def check(self, language: Language) -> None:
        self._transcriber.check(language)

    async def transcribe(
        self, job: Job, file: Path, on_progress: Callable[[float], None]
    ) -> Written:
        if job.source:
            await self._objects.fetch(job.source, file, self._max_bytes)
        return await self._transcriber.transcribe(job, file, on_progress)

    async def forget(self, job: Job) -> None:
        """The source is somebody's own and stays."""
        await self._transcriber.forget(job)
