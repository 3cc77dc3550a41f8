"""What the tests of the official clients share: speech, and an endpoint that does as it is told."""

import wave
from dataclasses import dataclass, field
from pathlib import Path

from parola.domain.vocabulary import Language
from parola.engines.scripted import ScriptedEngine
from parola.transcribe_api.faults import CAP, CONFLICT, LIMIT, RAMP, Fault, Scenario
from parola.wire.transcribe import IDLE_TIMEOUT

SILENT, HANGS = "ends silently", "hangs"
"""How a stream looks that ended as if all were well, and one that does not end."""

EXCEPTIONS = {
    "idle": ("BadRequestException", IDLE_TIMEOUT),
    "cap": ("LimitExceededException", CAP),
    "limit": ("LimitExceededException", LIMIT),
    "ramp": ("LimitExceededException", RAMP),
    "conflict": ("ConflictException", CONFLICT),
    "exception=InternalFailureException": ("InternalFailureException", "unknown error"),
    "exception=ServiceUnavailableException": ("ServiceUnavailableException", "unknown error"),
}
"""What the service's model has, by fault; with what is said."""


class Scripted(ScriptedEngine):
    """Leaves English to the real recogniser."""

    def knows(self, language: Language) -> bool:
        return language != "en-US"


@dataclass(frozen=True, slots=True)
class Wanted(Scenario):
    """Lets a test say what goes wrong next, for clients that can send no header."""

    next: list[Fault] = field(default_factory=list)

    def for_stream(self, number: int) -> tuple[Fault, ...]:
        return tuple(self.next)


def sound(recordings: Path, name: str) -> bytes:
    """Return a recording's samples."""
    with wave.open(str(recordings / name)) as file:
        assert file.getframerate() == 16_000
        frames: bytes = file.readframes(file.getnframes())
        return frames


def reference(recordings: Path, name: str) -> str:
    """Return what is said in a recording."""
    lines = (recordings / "manifest.tsv").read_text(encoding="utf-8").splitlines()
    return next(line.split("\t")[4] for line in lines if line.startswith(name))
