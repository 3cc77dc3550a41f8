"""Devices through PortAudio, which is loaded only when a device is wanted."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

from parola.audio.pcm import MAX_CHANNELS
from parola.blocking import in_thread
from parola.client.capture import QUIET_S, Channel, DeviceLost, Recording
from parola.client.devices import Device
from parola.domain.errors import ParolaError

PIECE_S = 0.05
"""How much sound PortAudio hands over at once."""

PIECES = 200
"""How many may wait for a busy program, ten seconds; of more, the oldest are lost and counted."""

OTHER_RATES_HZ = (48_000, 44_100, 16_000, 32_000, 96_000)
"""Tried where a device does not take the rate it says it prefers."""


class NoPortAudio(ParolaError):  # noqa: N818 - said of this computer
    """PortAudio or its Python side is not installed here."""

    code: ClassVar[str] = "no_portaudio"


def load() -> Any:  # noqa: ANN401 - sounddevice has no types
    """Return the sounddevice module.

    Raises:
        NoPortAudio: it cannot be loaded; the message is the command that helps.
    """
    try:
        with _quiet_stderr():
            import sounddevice  # noqa: PLC0415 - needs a library of the system
    except ModuleNotFoundError as error:
        raise NoPortAudio("Devices need sounddevice: pip install 'parola[audio]'") from error
    except OSError as error:
        raise NoPortAudio("Devices need PortAudio: apt-get install libportaudio2") from error
    # An error of its own while it starts, whose class cannot be named before it is there.
    except Exception as error:
        if type(error).__name__ != "PortAudioError":
            raise
        raise NoPortAudio(f"PortAudio cannot start ({error}); restart the sound system.") from error
    return sounddevice


def list_devices() -> list[Device]:
    """Return what sound can be had from, as PortAudio sees it now.

    Raises:
        NoPortAudio: there is no PortAudio.
        DeviceLost: it cannot tell.
    """
    sounddevice = load()
    try:
        with _quiet_stderr():
            # PortAudio looks for devices only when it starts.
            sounddevice._terminate()  # noqa: SLF001 - the way its documentation names
            sounddevice._initialize()  # noqa: SLF001
            apis = [api["name"] for api in sounddevice.query_hostapis()]
            default = sounddevice.default.device[0]
            return [
                Device(
                    number,
                    facts["name"],
                    apis[facts["hostapi"]],
                    facts["max_input_channels"],
                    round(facts["default_samplerate"]),
                    number == default,
                )
                for number, facts in enumerate(sounddevice.query_devices())
                if facts["max_input_channels"] > 0
            ]
    except sounddevice.PortAudioError as error:
        raise DeviceLost(f"PortAudio cannot list devices: {error}.") from error


@asynccontextmanager
async def open_device(device: Device, channel: Channel) -> AsyncIterator[Recording]:
    """Open a device of the last `list_devices`.

    Raises:
        DeviceLost: it cannot be opened; "busy" where another program holds it.
    """
    taking = _Taking(asyncio.get_running_loop(), device.name)
    stream = await in_thread(lambda: _open(device, channel, taking))
    try:
        taking.rate_hz, taking.channels = round(stream.samplerate), stream.channels
        yield taking
    finally:
        await in_thread(lambda: stream.close(ignore_errors=True))


class _Taking:
    """Sound between PortAudio's thread and the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self.rate_hz = 0
        self.channels = 0
        self.overflows = 0
        self._name = name
        self._loop = loop
        self._arrived = asyncio.Event()
        self._waiting: deque[bytes] = deque(maxlen=PIECES)

    def take(self, pcm: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ANN401, ARG002
        """Take what PortAudio's own thread gives; the loop must not be waited for there."""
        if status.input_overflow or len(self._waiting) == PIECES:
            self.overflows += 1
        self._waiting.append(bytes(pcm))
        # At the very end the loop may be closed before the stream is.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield what comes."""
        while True:
            self._arrived.clear()
            while self._waiting:
                yield self._waiting.popleft()
            try:
                await asyncio.wait_for(self._arrived.wait(), QUIET_S)
            except TimeoutError:
                raise DeviceLost(f"{self._name} gives no sound any more; see its cable.") from None


def _open(device: Device, channel: Channel, taking: _Taking) -> Any:  # noqa: ANN401
    """Return a running stream with the first settings that the device takes."""
    sounddevice = load()
    trouble: Exception | None = None
    for channels in _channel_counts(device.channels, channel):
        for rate_hz in dict.fromkeys((device.rate_hz, *OTHER_RATES_HZ)):
            try:
                with _quiet_stderr():
                    stream = sounddevice.RawInputStream(
                        samplerate=rate_hz,
                        blocksize=int(rate_hz * PIECE_S),
                        device=device.number,
                        channels=channels,
                        dtype="int16",
                        latency="high",
                        callback=taking.take,
                    )
                    stream.start()
            except sounddevice.PortAudioError as error:
                trouble = trouble or error
            else:
                return stream
    if trouble and "unavailable" in str(trouble).lower():
        raise DeviceLost(f"{device.name} is busy; close the program that uses it.") from trouble
    raise DeviceLost(f"{device.name} cannot be opened: {trouble}.") from trouble


def _channel_counts(most: int, channel: Channel) -> list[int]:
    """Return how many channels to ask for, the best first."""
    if channel == "mono":
        counts = [1, 2, most]
    elif channel == "mix":
        counts = [most, 2, 1]
    else:
        counts = [2, most]
    return list(dict.fromkeys(count for count in counts if count <= min(most, MAX_CHANNELS)))


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep ALSA from writing pages about plugins that are not there."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a descriptor is needed
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
