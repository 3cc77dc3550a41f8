"""The local engine for real rooms: sherpa-onnx with whatever streaming models there are.

A model serves all its rooms from one worker process; one that falls over takes the words of a
moment along, never the server.
"""

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from parola.domain.errors import EngineFailed, NoEngine
from parola.domain.vocabulary import Language
from parola.engines.sherpa_loading_order import Load
from parola.engines.sherpa_model import Model, read_model
from parola.engines.sherpa_probe import try_model
from parola.engines.worker import Workers, WorkerStream
from parola.ports import StreamRequest

logger = logging.getLogger(__name__)

MAX_RTF = 0.7
"""Seconds of work for a second of sound; beyond that a talk's text falls behind whenever the
computer has anything else to do."""

HOST = "parola.engines.sherpa_worker"

INSTALL = "sherpa-onnx is not installed: pip install 'parola[sherpa]'."


class SherpaEngine:
    """Every model that loads here and is fast enough; the first that knows a language serves it.

    Rooms with words of their own are served by a second process of the same model, since only
    the beam search takes such words.
    """

    name = "sherpa"
    gated = True

    def __init__(self, models: Iterable[Model], max_rtf: float = MAX_RTF) -> None:
        """Try each model, one after the other.

        Raises:
            EngineFailed: sherpa-onnx is not installed, or no model can be used; says why.
        """
        if missing := self.missing():
            raise EngineFailed(missing)
        self.models: list[Model] = []
        self.rtf: dict[str, float] = {}
        """The real-time factor of each model, measured just now."""
        self.refused: list[str] = []
        """A sentence for each model that cannot be used."""
        for model in models:
            try:
                self.rtf[model.name] = try_model(model, max_rtf).rtf
            except EngineFailed as error:
                self.refused.append(error.message)
                logger.warning("%s", error.message)
            else:
                self.models.append(model)
        if not self.models:
            raise EngineFailed(" ".join(self.refused) or "There is no model for sherpa-onnx.")
        self._workers: dict[Load, Workers] = {}

    @staticmethod
    def missing() -> str | None:
        """Return what keeps the engine from running here and what to do, or None."""
        return None if find_spec("sherpa_onnx") else INSTALL

    @property
    def languages(self) -> tuple[str, ...]:
        """The base languages that its models know."""
        return tuple(sorted({tag for model in self.models for tag in model.languages}))

    def start(self, language: Language) -> None:
        """Load the language's model now, not with the first stream."""
        if model := self._model(language):
            self._process(Load(str(model.folder))).start()

    def close(self) -> None:
        """End its processes."""
        for workers in self._workers.values():
            workers.close()
        self._workers.clear()

    def knows(self, language: Language) -> bool:
        return self._model(language) is not None

    @asynccontextmanager
    async def open(self, request: StreamRequest) -> AsyncIterator[WorkerStream]:
        """Open a stream in the process of the language's model.

        Raises:
            NoEngine: no model here knows the language.
            EngineFailed: the process cannot start.
        """
        model = self._model(request.language)
        if model is None:
            raise NoEngine(
                f"No sherpa-onnx model here knows {request.language}: see `parola models list`."
            )
        wanted = bool(request.terms.phrases) and model.takes_hotwords
        workers = self._process(Load(str(model.folder), hotwords=wanted))
        async with workers.open(request) as stream:
            yield stream

    def _model(self, language: Language) -> Model | None:
        return next((model for model in self.models if model.knows(language)), None)

    def _process(self, order: Load) -> Workers:
        if order not in self._workers:
            self._workers[order] = Workers(self.name, order.text, HOST)
        return self._workers[order]


def read_models(folder: Path) -> tuple[list[Model], list[str]]:
    """Return the models in a folder's folders, by name, and a sentence for each unusable one."""
    models: list[Model] = []
    refused: list[str] = []
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in found:
        if path.name.startswith(".") or not path.is_dir():
            continue
        try:
            models.append(read_model(path))
        except EngineFailed as error:
            refused.append(error.message)
    return models, refused
