"""Listens to a source for a moment, and says what it gives."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from parola.audio.pcm import level_dbfs
from parola.client.sources import Heard, Source
from parola.domain.audio import FRAME_BYTES, RATE_HZ
from parola.domain.errors import ParolaError

FAINT_DBFS = -60.0
"""Below this a microphone's own noise is heard, and hardly a voice."""

PATIENCE_S = 4.0
"""How long a device may take until it has given a second of sound."""


@dataclass(frozen=True, slots=True)
class Impression:
    """What was heard."""

    level_dbfs: float = float("-inf")
    """Of the whole moment; -inf is digital silence."""

    is_clipping: bool = False
    trouble: str = ""
    """Why nothing was heard, if nothing was."""

    @property
    def verdict(self) -> str:
        """One word, or few: "sound", "clipping", "faint", "silent" or "error"."""
        if self.trouble:
            return "busy" if " is busy" in self.trouble else "error"
        if self.level_dbfs == float("-inf"):
            return "silent"
        if self.is_clipping:
            return "clipping"
        return "sound" if self.level_dbfs > FAINT_DBFS else "faint"


async def listen_briefly(source: Source, seconds: float) -> Impression:
    """Return what the source gives in its first seconds; never raises for a source's sake."""
    heard: list[Heard] = []
    try:
        async with asyncio.timeout(seconds + PATIENCE_S):
            await _collect(source, round(seconds * RATE_HZ), heard)
    except ParolaError as error:
        return Impression(trouble=error.message)
    except TimeoutError:
        if not heard:
            return Impression(trouble=f"{source.name} opens, but gives no sound.")
    level = level_dbfs(b"".join(piece.pcm for piece in heard))
    return Impression(level, any(piece.is_clipping for piece in heard))


async def _collect(source: Source, frames: int, heard: list[Heard]) -> None:
    async with aclosing(source.sound(0)) as sound:
        async for piece in sound:
            heard.append(piece)
            frames -= len(piece.pcm) // FRAME_BYTES
            if frames <= 0:
                return
