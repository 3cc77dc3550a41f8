"""Sources of PulseAudio, and of PipeWire in its place, by the names that they have there.

PortAudio shows all of them as one device; its own programs `pactl` and `parec` tell them apart.
"""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

from parola.client.capture import QUIET_S, DeviceLost, Recording
from parola.client.devices import PULSE, Device

RATE_HZ = 48_000
CHANNELS = 2
PIECE_BYTES = RATE_HZ // 20 * CHANNELS * 2
"""A twentieth of a second."""

ANSWER_S = 5.0
"""How long the sound system may take to list its sources."""


def list_sources(first_number: int) -> list[Device]:
    """Return what PulseAudio lists, counted from a number on; nothing where it does not run."""
    pactl = shutil.which("pactl")
    if pactl is None or shutil.which("parec") is None:
        return []
    try:
        run = subprocess.run(  # noqa: S603 - its own path, no words of others
            [pactl, "list", "short", "sources"],
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return []
    lines = run.stdout.splitlines() if run.returncode == 0 else []
    names = [line.split("\t")[1] for line in lines if line.count("\t") >= 3]
    return [
        Device(first_number + index, name, PULSE, CHANNELS, RATE_HZ)
        for index, name in enumerate(names)
    ]


@asynccontextmanager
async def open_source(name: str) -> AsyncIterator[Recording]:
    """Open a source by its exact name.

    Raises:
        DeviceLost: there is no program `parec`.
    """
    format_ = ["--raw", "--format=s16le", f"--rate={RATE_HZ}", f"--channels={CHANNELS}"]
    try:
        process = await asyncio.create_subprocess_exec(
            "parec",
            f"--device={name}",
            "--latency-msec=50",
            "--client-name=parola",
            *format_,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise DeviceLost("There is no parec: apt-get install pulseaudio-utils.") from error
    try:
        yield _Parec(name, process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        # Reads what is left, else the pipe stays open.
        await process.communicate()


class _Parec:
    """The running program."""

    rate_hz = RATE_HZ
    channels = CHANNELS
    overflows = 0
    """It waits for us where we are slow; PulseAudio drops without a word then."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield what comes."""
        assert self._process.stdout  # noqa: S101 - asked for above
        assert self._process.stderr  # noqa: S101
        while True:
            try:
                async with asyncio.timeout(QUIET_S):
                    pcm = await self._process.stdout.readexactly(PIECE_BYTES)
            except TimeoutError:
                raise DeviceLost(f"{self._name} gives no sound any more.") from None
            except asyncio.IncompleteReadError:
                said = (await self._process.stderr.read()).decode(errors="replace").strip()
                reason = said.splitlines()[-1] if said else "it ended"
                raise DeviceLost(f"{self._name} cannot be heard ({reason}).") from None
            yield pcm
