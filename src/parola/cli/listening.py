"""What `parola listen` does with its options: finds the source, streams it, minds Ctrl+C."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from parola.audio.decode import Decoder
from parola.audio.raw import Raw
from parola.cli.meter import Meter, bar
from parola.cli.outcome import FAILED, INTERRUPTED, MISSING, USAGE, CommandError, exit_code
from parola.client import given
from parola.client.capture import Channel, LiveSource
from parola.client.devices import choose, listing
from parola.client.impression import listen_briefly
from parola.client.microphones import every_device, open_recording
from parola.client.portaudio import NoPortAudio
from parola.client.remembered import default_path, remember_device, remembered_device
from parola.client.sources import Source
from parola.client.spool_folder import SpoolFolder, default_root
from parola.client.streaming import Storing, stream
from parola.client.uplink import Listener, Sent, Uplink
from parola.domain.audio import FRAME_BYTES, to_seconds
from parola.domain.errors import BadAudio, NotFound, ParolaError
from parola.domain.terms import Terms
from parola.domain.vocabulary import Language, RoomName

PROBE_S = 3.0

STDIN = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for."""

    server: str
    room: RoomName
    language: Language
    device: str | None
    file: str | None
    raw: Raw | None
    channel: Channel
    fast: bool
    spool: Path | None
    spool_mb: int
    engine_options: Mapping[str, str]
    terms: Terms


def list_them() -> None:
    """Print every device."""
    with _remedies():
        typer.echo(listing(every_device()))


def probe(wish: Wish) -> None:
    """Listen to the source for a moment, and say what it gives.

    Raises:
        CommandError: it gives nothing.
    """
    source, _ = _source(wish, lambda sentence: typer.echo(sentence, err=True))
    impression = asyncio.run(listen_briefly(source, PROBE_S))
    if impression.trouble:
        raise CommandError(impression.trouble, FAILED)
    typer.echo(f"{source.name}: {impression.verdict}, {bar(impression.level_dbfs)}")


def send(wish: Wish) -> None:
    """Stream until the source ends or is stopped, and say what is saved.

    Raises:
        CommandError: it cannot go on; or it was stopped at once, with Ctrl+C pressed twice.
    """
    with Meter(_length_s(wish)) as meter:
        source, pipe = _source(wish, meter.say)
        try:
            sent = asyncio.run(_Run(wish, source, pipe, meter).stream())
        except asyncio.CancelledError:
            kept = "the next `parola listen` into this room sends it" if wish.spool_mb else "lost"
            raise CommandError(f"Stopped; what is not saved yet: {kept}.", INTERRUPTED) from None
        except ParolaError as error:
            raise CommandError(error.message, FAILED) from error
    typer.echo(
        f"Sent {to_seconds(sent.end_frame):.1f} s to room {wish.room};"
        f" the text of {to_seconds(sent.safe_frame):.1f} s is saved."
    )


class _Run:
    """One stream, which Ctrl+C ends in order and Ctrl+C again at once."""

    def __init__(self, wish: Wish, source: Source, pipe: given.Pipe | None, meter: Meter) -> None:
        self._wish = wish
        self._source = source
        self._pipe = pipe
        self._meter = meter
        self._stop = asyncio.Event()
        self._task: asyncio.Task[Sent] | None = None

    async def stream(self) -> Sent:
        """Stream to the end."""
        self._task = asyncio.current_task()
        # Windows has no such handlers; there Ctrl+C ends it at once.
        with suppress(NotImplementedError):
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self._interrupt)
        wish = self._wish
        return await stream(
            self._source,
            Uplink(wish.server, wish.room, wish.engine_options, wish.terms),
            wish.language,
            _storing(wish),
            Listener(self._meter.show, self._meter.say),
            self._stop,
        )

    def _interrupt(self) -> None:
        if self._pipe:
            self._pipe.stop()
        if self._stop.is_set() and self._task:
            self._task.cancel()
            return
        self._stop.set()
        self._meter.say("Bringing the last words home; Ctrl+C again stops at once.")


def _storing(wish: Wish) -> Storing:
    if not wish.spool_mb:
        return Storing()
    budget_frames = wish.spool_mb * 1_000_000 // FRAME_BYTES
    root = wish.spool or default_root()
    return Storing(SpoolFolder(root, wish.server, wish.room, budget_frames), budget_frames)


def _source(wish: Wish, news: Callable[[str], None]) -> tuple[Source, given.Pipe | None]:
    """Return what is to be heard, and the pipe that it is heard from, if it is one."""
    if wish.file is None:
        with _remedies():
            return _microphone(wish, news), None
    if wish.file == "-":
        pipe = given.Pipe(STDIN)
        try:
            return given.pipe(pipe, wish.raw), pipe
        except BadAudio as error:
            raise CommandError(error.message, USAGE) from error
    address = given.address_of(wish.file)
    if address:
        return given.address(address), None
    return given.recording(Path(wish.file), real_time=not wish.fast, raw=wish.raw), None


def _microphone(wish: Wish, news: Callable[[str], None]) -> LiveSource:
    """Return the device that is meant, and remember it."""
    last = remembered_device(default_path())
    devices = every_device()
    try:
        device = choose(devices, wish.device or last)
    except NotFound:
        if wish.device or last is None:
            raise
        device = choose(devices, None)
        news(f"{last} is not there; listening to {device.label}.")
    if wish.device:
        remember_device(default_path(), device.label)
    return LiveSource(
        device.label, lambda channel: open_recording(device.label, channel), wish.channel, news
    )


def _length_s(wish: Wish) -> float | None:
    """Return how long a recording is; fails early where it cannot be read."""
    if wish.file in {None, "-"} or wish.raw or given.address_of(wish.file or ""):
        return None
    with Decoder(Path(wish.file or "")) as decoder:
        return decoder.duration_s


@contextmanager
def _remedies() -> Iterator[None]:
    """End with the exit code for what is missing where PortAudio is."""
    try:
        yield
    except NoPortAudio as error:
        raise CommandError(error.message, MISSING) from error
    except ParolaError as error:
        raise CommandError(error.message, exit_code(error)) from error
