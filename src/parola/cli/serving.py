"""Runs the server from the command line: says when it is ready, and why if it cannot be."""

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.logging import RichHandler

from parola.cli.outcome import FAILED, MISSING, USAGE, CommandError
from parola.cli.ports import port_trouble
from parola.domain.errors import BadInput, ParolaError
from parola.server.deps import EngineFacts
from parola.server.first_links import FirstLink
from parola.wiring import Settings, raise_file_limit
from parola.wiring import serve as serve_until_stopped

logger = logging.getLogger(__name__)

HANGS_S = 8.0
"""What a stop may take beyond its time; SQLite itself waits up to 5 s for a file that is held."""


def read_settings(given: Mapping[str, Any]) -> Settings:
    """Return the settings: what is given, else PAROLA_… in the environment, else the default.

    Raises:
        CommandError: a value cannot be used; the message names its option and its variable.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        option, variable = f"--{name.replace('_', '-')}", f"PAROLA_{name.upper()}"
        message = f"{option} (or {variable}) cannot be {first['input']!r}: {first['msg']}."
        raise CommandError(message, USAGE) from error
    except SettingsError as error:
        raise CommandError(
            f"A PAROLA_… variable cannot be read ({error}); see docs/reference/settings.md.", USAGE
        ) from error


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        CommandError: it cannot start, or broke; the message says what to do.
    """
    log_to_stderr(logging.INFO)
    raise_file_limit()
    ready = _Ready(settings)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve_until_stopped(settings, ready.announce, end_anyway))
    except ParolaError as error:
        if isinstance(error, BadInput):
            raise CommandError(error.message, USAGE) from error
        raise CommandError(error.message, FAILED if ready.announced else MISSING) from error
    except OSError as error:
        if ready.announced:
            raise
        raise CommandError(_why_not_listening(settings, error), MISSING) from error


def end_anyway(within_s: float) -> None:
    """End this process, hard, if it has not ended by itself some seconds after its time.

    A disk that answers no more keeps a thread, and a process waits for its threads for ever.
    """

    def end() -> None:
        logger.critical("the stop took more than %g s: something hangs; ending all the same", limit)
        os._exit(FAILED)

    limit = within_s + HANGS_S
    timer = threading.Timer(limit, end)
    timer.daemon = True
    timer.start()


class _Ready:
    """Tells on stdout that the server serves; programs wait for these lines."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.announced = False

    def announce(
        self,
        urls: Sequence[str],
        engines: Sequence[EngineFacts] = (),
        links: Sequence[FirstLink] = (),
    ) -> None:
        """Print a line for each address, engine and first link; warn where strangers may come."""
        self.announced = True
        for url in urls:
            typer.echo(f"Parola is ready: {url}")
        for engine in engines:
            chosen = "auto took " if self._settings.engine == "auto" else ""
            typer.echo(f"Engine: {chosen}{engine.name}: {engine.note}.")
        for link in links:
            typer.echo(f"Link to {link.role}: {reachable(urls[0])}/enter?token={link.token}")
        if links:
            typer.echo("They are good for 30 days and shown once; make others by `parola token`.")
        if self._settings.policy == "everybody":
            typer.echo(
                f"Warning: anybody who reaches {self._settings.host} can speak, read and operate;"
                " without --open they need tokens.",
                err=True,
            )


def log_to_stderr(level: int) -> None:
    """Send log records to stderr, in colour on a terminal. They never hold transcript text."""
    handler: logging.Handler
    if sys.stderr.isatty():
        handler = RichHandler(console=Console(stderr=True), show_path=False, markup=False)
        handler.setFormatter(logging.Formatter("%(message)s", datefmt="%X"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    # Its lines about starting say less than ours.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def _why_not_listening(settings: Settings, error: OSError) -> str:
    troubles = (port_trouble(settings.host, port) for port in settings.port)
    return next(
        (trouble for trouble in troubles if trouble),
        f"The server cannot start ({error.strerror or error}); see `parola doctor`.",
    )


def reachable(url: str) -> str:
    """Return a server's address as other computers reach it, where it listens on all it has."""
    parts = urlsplit(url)
    if parts.hostname not in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return url
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            # Nothing is sent: the system only picks the address it would send from.
            sock.connect(("192.0.2.1", 9))
            host = str(sock.getsockname()[0])
        except OSError:
            host = socket.gethostname()
    return urlunsplit((parts.scheme, f"{host}:{parts.port}", "", "", ""))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
