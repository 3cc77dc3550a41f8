"""Listens to a device for as long as it takes, also when it is unplugged in mid-talk."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

from parola.audio.pcm import Resampler, is_clipping, level_dbfs, one_channel, to_mono
from parola.client.sources import Heard
from parola.domain.errors import ParolaError

REOPEN_EVERY_S = 1.0
"""How often a device that has gone is looked for."""

QUIET_S = 3.0
"""A device that gives nothing for so long, not even silence, has gone."""

Channel = Literal["mono", "left", "right", "mix"]
"""What of a device is heard: its own one channel, one of two, or the mean of all."""


class DeviceLost(ParolaError):  # noqa: N818 - said of the device
    """A device cannot be opened or has gone; the message says what to look at."""

    code = "device_lost"


class Recording(Protocol):
    """A device while it is open."""

    @property
    def rate_hz(self) -> int:
        """Frames per second."""

    @property
    def channels(self) -> int:
        """How many are interleaved."""

    @property
    def overflows(self) -> int:
        """How often sound was lost on its way so far, because this computer was too busy."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield whole frames of signed 16-bit little-endian samples for ever.

        Raises:
            DeviceLost: no more will come.
        """


Opening = Callable[[Channel], AbstractAsyncContextManager[Recording]]
"""Opens a device, looked up anew each time: its number may change when it is plugged in again.

Raises DeviceLost, and NotFound or AmbiguousDevice when its name does not say which is meant.
"""


class LiveSource:
    """A device as a source: what it hears from now on."""

    is_live = True

    def __init__(
        self,
        name: str,
        opening: Opening,
        channel: Channel,
        news: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._opening = opening
        self._channel: Channel = channel
        self._news = news
        self._sleep = sleep

    async def sound(self, from_frame: int = 0) -> AsyncGenerator[Heard]:  # noqa: ARG002 - live
        """Yield what is heard; a device that goes is told, and opened again when it is back.

        Raises:
            DeviceLost: it cannot be opened at first.
        """
        lost = ""
        was_open = False
        while True:
            try:
                async with self._opening(self._channel) as recording:
                    if lost:
                        self._news(f"{self.name} is back.")
                    lost, was_open = "", True
                    ear = _Ear(self.name, recording, self._channel, self._news)
                    async for pcm in recording.pieces():
                        yield ear.hear(pcm)
            except ParolaError as error:
                if not was_open:
                    raise
                if not lost:
                    self._news(f"{error.message} Waiting for {self.name} to come back.")
                lost = error.message
            await self._sleep(REOPEN_EVERY_S)


class _Ear:
    """Makes 16 kHz mono of one recording's pieces, and tells of overflows."""

    def __init__(
        self, name: str, recording: Recording, channel: Channel, news: Callable[[str], None]
    ) -> None:
        self._name = name
        self._recording = recording
        self._channel: Channel = channel
        self._news = news
        self._resampler = Resampler(recording.rate_hz)
        self._overflows = 0

    def hear(self, pcm: bytes) -> Heard:
        """Return a piece, measured as it came from the device."""
        if self._recording.overflows > self._overflows:
            self._overflows = self._recording.overflows
            self._news(
                f"This computer was too busy to hear all of {self._name}:"
                f" sound was lost {self._overflows} time(s)."
            )
        mono = pick(pcm, self._recording.channels, self._channel)
        return Heard(self._resampler.feed(mono), level_dbfs(mono), is_clipping(mono))


def pick(pcm: bytes, channels: int, channel: Channel) -> bytes:
    """Return the channel that is wanted of whole frames; of a single one, always that one.

    Raises:
        BadAudio: the bytes are not a whole number of frames.
    """
    if channels > 1 and channel in {"left", "right"}:
        return one_channel(pcm, channels, 0 if channel == "left" else 1)
    return to_mono(pcm, channels)
