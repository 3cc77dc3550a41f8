"""What a process is told to load, as text: free of sherpa-onnx, so that the server may say it."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What a worker process is told to load."""

    folder: str
    hotwords: bool = False
    """Whether for rooms with words of their own: they need the beam search, which others are
    spared – it is slower, and upstream knows it to write letters on silence (issue 845)."""

    @property
    def text(self) -> str:
        """The same as a process's argument."""
        return json.dumps(asdict(self))

    @staticmethod
    def of(text: str) -> "Load":
        """Return what `text` says."""
        return Load(**json.loads(text))
