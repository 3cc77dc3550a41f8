"""The embedded engine: PocketSphinx with the American English model its package carries.

A demonstrator: it needs no network, no key and no download, and on real rooms it gets half of
the words wrong or worse (docs/reference/accuracy.md).
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from parola.domain.errors import EngineFailed, NoEngine
from parola.domain.vocabulary import Language, base_language
from parola.engines.worker import Workers, WorkerStream
from parola.ports import StreamRequest


class PocketSphinxEngine:
    """PocketSphinx in worker processes, one a stream.

    `close` ends the processes; so does forgetting the engine, and so does the end of the program.
    """

    name = "pocketsphinx"
    gated = True

    def __init__(self) -> None:
        """Make the engine ready to start.

        Raises:
            EngineFailed: the package is not installed.
        """
        if missing := self.missing():
            raise EngineFailed(missing)
        self._workers = Workers(self.name, "parola.engines.pocketsphinx_recogniser:make")

    @staticmethod
    def missing() -> str | None:
        """Return what keeps the engine from running here and what to do, or None."""
        if find_spec("pocketsphinx"):
            return None
        hint = "pip install 'parola[pocketsphinx]'"
        if sys.version_info[:2] not in {(3, 11), (3, 12), (3, 13)}:
            hint += "; ready-made packages exist for Python 3.11, 3.12 and 3.13 only, "
            hint += "on others pip needs a C compiler and CMake"
        return f"PocketSphinx is not installed: {hint}."

    def start(self) -> None:
        """Load the model now (0.6 s in a process of its own), not with the first stream."""
        self._workers.start()

    def close(self) -> None:
        """End its processes."""
        self._workers.close()

    def knows(self, language: Language) -> bool:
        """Return whether it is English; the accent asked for makes no difference."""
        return base_language(language) == "en"

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator[WorkerStream]:
        """Open a stream in a worker of its own.

        Raises:
            NoEngine: the language is not English.
            EngineFailed: the worker cannot start.
        """
        if not self.knows(request.language):
            raise NoEngine(
                f"PocketSphinx knows English only, not {request.language}: choose another engine."
            )
        async with self._workers.open(request) as stream:
            yield stream
