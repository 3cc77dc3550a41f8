"""Which microphones there are, and which of them is meant."""

from collections.abc import Sequence
from dataclasses import dataclass

from parola.domain.errors import BadInput, NotFound

PULSE = "PulseAudio"
"""The API of sources that PulseAudio or PipeWire lists, opened without PortAudio."""


class AmbiguousDevice(BadInput):
    """Several devices fit; the message lists them and says how to be exact."""

    code = "ambiguous_device"


@dataclass(frozen=True, slots=True)
class Device:
    """One entry under which sound can be had; a microphone often has several."""

    number: int
    """Its index at PortAudio; PulseAudio's sources are counted on behind."""

    name: str
    api: str
    """The sound system it belongs to: "ALSA", "JACK Audio Connection Kit", "PulseAudio"."""

    channels: int
    rate_hz: int
    """What it prefers."""

    is_default: bool = False

    @property
    def label(self) -> str:
        """What names it and no other."""
        return f"{self.name}, {self.api}"


def choose(devices: Sequence[Device], wanted: str | None) -> Device:
    """Return the device that is meant by a number, a name, or a part of one; case is no matter.

    A whole name goes before a part of one; "name, API" tells entries of the same name apart.
    Without a wish it is the system's default, else the first.

    Raises:
        NotFound: none fits, or there is none at all.
        AmbiguousDevice: several fit.
    """
    if not devices:
        raise NotFound("There is no device that sound can be had from; plug one in.")
    if wanted is None:
        return next((device for device in devices if device.is_default), devices[0])
    if wanted.strip().isdecimal():
        fitting = [device for device in devices if device.number == int(wanted)]
    else:
        fitting = _named(devices, wanted.strip().casefold())
    if not fitting:
        raise NotFound(f"No device is called {wanted!r}; there are:\n{listing(devices)}")
    if len(fitting) > 1:
        raise AmbiguousDevice(
            f"{wanted!r} fits {len(fitting)} devices; say the number, or name and system as here:\n"
            f"{listing(fitting)}"
        )
    return fitting[0]


def _named(devices: Sequence[Device], wanted: str) -> list[Device]:
    for fits in (
        lambda device: device.label.casefold() == wanted,
        lambda device: device.name.casefold() == wanted,
        lambda device: wanted in device.label.casefold(),
    ):
        if fitting := [device for device in devices if fits(device)]:
            return fitting
    return []


def listing(devices: Sequence[Device]) -> str:
    """Return a line for each device: number, what names it, channels and rate."""
    return "\n".join(
        f"{'*' if device.is_default else ' '}{device.number:3}  {device.label}"
        f"  ({device.channels} ch, {device.rate_hz} Hz)"
        for device in devices
    )
