"""Runs the Transcribe-compatible endpoint from the command line until it is told to stop."""

import asyncio
import logging
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.cli.outcome import MISSING, USAGE, CommandError
from parola.cli.ports import port_trouble
from parola.cli.serving import log_to_stderr, read_settings
from parola.transcribe_api.dev_ca import dev_certificate
from parola.transcribe_api.door import Setup
from parola.transcribe_api.faults import Scenario, read_scenario
from parola.transcribe_api.journal import Journal
from parola.transcribe_api.serving import Certificate, open_transcribe_api, run
from parola.transcribe_api.word_filters import named_words
from parola.wire.sigv4 import Credentials
from parola.wiring import EngineName, open_engines, raise_file_limit


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    host: str
    port: int
    dev_ca: Path | None
    engine: EngineName
    keys: tuple[str, ...]
    region: str | None
    vocabulary_filters: tuple[str, ...]
    faults: Path | None
    log: Path | None


def serve(options: Options) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        CommandError: it cannot start; the message says what to do.
        ParolaError: an engine or a file that was named cannot be used.
    """
    log_to_stderr(logging.INFO)
    raise_file_limit()
    with ExitStack() as opened:
        setup = opened.enter_context(_setup(options))
        certificate, ca = _certificate(options)
        try:
            run(_serve(options, setup, certificate, ca))
        except OSError as error:
            trouble = port_trouble(options.host, options.port)
            raise CommandError(
                trouble or f"The endpoint cannot start ({error.strerror or error}).", MISSING
            ) from error


@contextmanager
def _setup(options: Options) -> Iterator[Setup]:
    scenario = read_scenario(options.faults) if options.faults else Scenario()
    words = dict(named_words(text) for text in options.vocabulary_filters)
    keys = {one.access_key: one for one in map(_key, options.keys)}
    # A stand-in for Amazon's service never asks Amazon's service by itself.
    settings = read_settings({"engine": options.engine, "amazon": None})
    with ExitStack() as opened:
        log = opened.enter_context(options.log.open("a", encoding="utf-8")) if options.log else None
        engines = opened.enter_context(open_engines(settings))
        yield Setup(
            engines=[engine for engine, _ in engines],
            make_gate=lambda: Gate(SileroDetector()),
            monotonic=time.monotonic,
            keys=keys,
            region=options.region,
            words=words,
            scenario=scenario,
            journal=Journal(log),
        )


def _key(text: str) -> Credentials:
    access, equals, secret = text.partition("=")
    if not (equals and access and secret):
        # The text may hold a secret, so it is not repeated.
        raise CommandError("A key is written ACCESS=SECRET.", USAGE)
    return Credentials(access, secret)


def _certificate(options: Options) -> tuple[Certificate | None, Path | None]:
    if options.dev_ca is None:
        return None, None
    ca, certificate = dev_certificate(options.dev_ca, datetime.now(UTC))
    return certificate, ca


async def _serve(
    options: Options, setup: Setup, certificate: Certificate | None, ca: Path | None
) -> None:
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    opening = open_transcribe_api(setup, options.host, options.port, certificate)
    async with opening as url:
        _announce(url, [engine.name for engine in setup.engines], ca)
        await asked_to_stop.wait()


def _announce(url: str, engines: Sequence[str], ca: Path | None) -> None:
    typer.echo(f"Transcribe endpoint is ready: {url}")
    typer.echo(f"Engine: {', '.join(engines)}.")
    if ca is not None:
        typer.echo(f"Clients trust it with {ca.resolve()}, for instance in SSL_CERT_FILE.")
