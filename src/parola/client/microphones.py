"""All devices of this computer in one list, and any of them as a recording."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from parola.blocking import in_thread
from parola.client import portaudio, pulse
from parola.client.capture import Channel, Recording
from parola.client.devices import PULSE, Device, choose
from parola.domain.errors import ParolaError


def every_device() -> list[Device]:
    """Return PortAudio's devices, then PulseAudio's sources.

    Raises:
        NoPortAudio: there is no PortAudio, and no PulseAudio either.
    """
    missing: ParolaError | None = None
    devices: list[Device] = []
    try:
        devices = portaudio.list_devices()
    except ParolaError as error:
        missing = error
    first_number = max((device.number for device in devices), default=-1) + 1
    devices += pulse.list_sources(first_number)
    if missing and not devices:
        raise missing
    return devices


@asynccontextmanager
async def open_recording(wanted: str | None, channel: Channel) -> AsyncIterator[Recording]:
    """Open the device that is meant, see `choose`.

    Raises:
        NoPortAudio, NotFound, AmbiguousDevice: it cannot be known.
        DeviceLost: it cannot be opened.
    """
    device = choose(await in_thread(every_device), wanted)
    async with open_listed(device, channel) as recording:
        yield recording


def open_listed(device: Device, channel: Channel) -> AbstractAsyncContextManager[Recording]:
    """Open a device of the last list.

    Raises:
        DeviceLost: it cannot be opened.
    """
    if device.api == PULSE:
        return pulse.open_source(device.name)
    return portaudio.open_device(device, channel)
