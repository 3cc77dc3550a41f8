"""Writes down whole recordings in a process of its own, at the lowest priority.

Live rooms go first: the system gives such a process what nobody else wants. And whatever a file
does to a decoder or a recogniser, it cannot do it to the server.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from parola.domain import errors
from parola.domain.errors import EngineFailed, NotFound, ParolaError
from parola.domain.jobs import Job, Written, check_length
from parola.domain.log import Withheld
from parola.domain.transcript import Segment, Word
from parola.domain.vocabulary import Language

LINE_BYTES = 2**20
"""The longest line that is taken from the process: one segment, with all its words."""

STALL_S = 300.0
"""A process that says nothing for so long is given up. It tells how far it is all the while; only
building a model, or a very long silence on a slow machine, takes some of it."""

_ERRORS: dict[str, type[ParolaError]] = {
    kind.code: kind
    for kind in (
        errors.BadAudio,
        errors.BadLanguage,
        errors.NoEngine,
        errors.NotFound,
        errors.StoreFailed,
        EngineFailed,
    )
}


class RecordingProcess:
    """A transcriber with the embedded engines; it holds nothing while no job runs."""

    def __init__(
        self,
        module: str,
        settings: Mapping[str, Any],
        max_s: float,
        check: Callable[[Language], object],
        *,
        stall_s: float = STALL_S,
    ) -> None:
        """Say what runs.

        Args:
            module: the program, which takes one order by its stdin and tells by its stdout.
            settings: what it is told of the server's settings; they can be written as JSON.
            max_s: how long a recording may be, in seconds.
            check: raises NoEngine for a language that no engine here knows.
            stall_s: how long it may say nothing.
        """
        self._module = module
        self._settings = dict(settings)
        self._max_s = max_s
        self._check = check
        self._stall_s = stall_s

    def check(self, language: Language) -> None:
        self._check(language)

    async def transcribe(
        self, job: Job, file: Path, on_progress: Callable[[float], None]
    ) -> Written:
        """Cancelled, it has ended the process."""
        return await self._done(job, file, on_progress, None)

    async def prove(
        self, job: Job, file: Path, text: bytes, on_progress: Callable[[float], None]
    ) -> Written:
        """Return what of a text that Amazon has written is in the recording; see `transcribe`."""
        return await self._done(job, file, on_progress, text)

    async def _done(
        self, job: Job, file: Path, on_progress: Callable[[float], None], text: bytes | None
    ) -> Written:
        order = {
            "file": _there(file),
            "settings": {**self._settings, "language": job.language},
            "text": None if text is None else {"job": job.id, "bytes": len(text)},
        }
        process = await self._start()
        try:
            await _give(process, json.dumps(order).encode() + b"\n" + (text or b""))
            return await self._told(process, on_progress)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def forget(self, job: Job) -> None:
        """Nothing is held elsewhere."""

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES,
            )
        except OSError as error:
            raise EngineFailed(
                f"The system starts no process for the recording ({error.strerror})."
            ) from error

    async def _told(
        self, process: asyncio.subprocess.Process, on_progress: Callable[[float], None]
    ) -> Written:
        """Return what the process says until it says that it is done."""
        segments: list[Segment] = []
        withheld: list[Withheld] = []
        while True:
            told = await self._next(process)
            if "segment" in told:
                segments.append(_segment(told["segment"]))
            elif "withheld" in told:
                withheld.append(Withheld(**told["withheld"]))
            elif "seconds" in told:
                return Written(tuple(segments), told["seconds"], tuple(withheld))
            elif "error" in told:
                raise _ERRORS.get(told["error"], EngineFailed)(told["message"])
            else:
                on_progress(told["done_s"])
                check_length(told["done_s"], self._max_s)

    async def _next(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        try:
            async with asyncio.timeout(self._stall_s):
                line = await process.stdout.readline()
            told: dict[str, Any] = json.loads(line)
        except TimeoutError as error:
            raise EngineFailed(
                f"The recogniser said nothing for {self._stall_s:.0f} s; it was ended."
            ) from error
        except ValueError as error:  # not JSON: no line any more, or one that is too long
            raise EngineFailed(
                "The process that wrote the recording down has died; the server's log may say why."
            ) from error
        return told


def _there(file: Path) -> str:
    """Return where the recording is.

    Raises:
        NotFound: there is no recording any more.
    """
    if not file.exists():
        raise NotFound("The recording is not here any more; please send it again.")
    return str(file.resolve())


async def _give(process: asyncio.subprocess.Process, order: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - it was started with a pipe
    try:
        process.stdin.write(order)
        await process.stdin.drain()
    except ConnectionError:
        return  # it has died; reading says so


def _segment(fields: dict[str, Any]) -> Segment:
    words = tuple(Word(**word) for word in fields.pop("words"))
    return Segment(words=words, **fields)
