"""Runs sessions over files, and writes what they say."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from parola.audio.decode import probe
from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.beside import beside
from parola.cli.outcome import USAGE, CommandError
from parola.cli.output import format_of, whole_file
from parola.cli.screen import Screen
from parola.cli.serving import log_to_stderr
from parola.domain.audio import RATE_HZ, to_seconds
from parola.domain.captions import WRITERS
from parola.domain.errors import NoEngine
from parola.domain.log import Body, Entry, StateChange, Withheld
from parola.domain.terms import Terms
from parola.domain.transcript import Segment
from parola.domain.vocabulary import Language, language_tag
from parola.live.options import check_options, of_recording
from parola.live.player import Player
from parola.live.session import Session, SessionPlan
from parola.ports import Engine, RoomState
from parola.wiring import Settings, open_engines


@dataclass(frozen=True, slots=True)
class Asked:
    """What one command asks of the engine."""

    options: Mapping[str, str] = field(default_factory=dict)
    """By its own setting names."""

    terms: Terms = field(default_factory=Terms)
    """The recordings' own words."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """What turns sound into text: an engine that knows the language, with or without a gate."""

    engine: Engine
    language: Language
    gated: bool
    asked: Asked = field(default_factory=Asked)


@contextmanager
def open_recogniser(settings: Settings, asked: Asked | None = None) -> Iterator[Recogniser]:
    """Open the engines and give the best one for the language.

    Raises:
        BadLanguage: the language is no language tag.
        NoEngine: no engine here knows it, or the one asked for cannot run here.
        BadMessage: the engine does not take the options.
    """
    language, asked = language_tag(settings.language), asked or Asked()
    with open_engines(settings) as opened:
        for engine, _ in opened:
            if engine.knows(language):
                check_options(engine, SessionPlan("", language, options=asked.options, channels=2))
                yield Recogniser(engine, language, settings.gate and engine.gated, asked)
                return
        names = ", ".join(engine.name for engine, _ in opened)
        raise NoEngine(
            f"No engine here knows {language} (engines: {names}); choose another --language."
        )


class Told:
    """A sink that hands what comes to functions. A failure ends the run, so states do not."""

    def __init__(
        self, on_segment: Callable[[Segment], None], on_withheld: Callable[[Withheld], None]
    ) -> None:
        self._on_segment = on_segment
        self._on_withheld = on_withheld

    async def show(self, segment: Segment) -> None:
        """Hand the segment on."""
        self._on_segment(segment)

    async def withhold(self, withheld: Withheld) -> None:
        """Hand it on."""
        self._on_withheld(withheld)

    async def tell(self, state: RoomState) -> None:
        """Say nothing: warnings go to the log."""


def unheard(withheld: Withheld) -> None:
    """Say nothing of what was withheld: a file holds what was said."""


def new_session(
    recogniser: Recogniser,
    on_segment: Callable[[Segment], None],
    rate_hz: int = RATE_HZ,
    channels: int = 1,
    on_withheld: Callable[[Withheld], None] = unheard,
) -> Session:
    """Return a session that tells a recording's segments to a function."""
    plan = SessionPlan(
        str(uuid4()),
        recogniser.language,
        terms=recogniser.asked.terms,
        options=recogniser.asked.options,
    )
    plan = of_recording(recogniser.engine, plan, rate_hz, channels)
    gate = Gate(SileroDetector()) if recogniser.gated else None
    return Session(plan, recogniser.engine, gate, Told(on_segment, on_withheld))


async def transcribe_file(
    path: Path,
    recogniser: Recogniser,
    on_segment: Callable[[Segment], None],
    on_progress: Callable[[float], None],
    on_withheld: Callable[[Withheld], None] = unheard,
) -> None:
    """Recognise a file as fast as the engine goes.

    Args:
        path: any sound or video file.
        recogniser: see `open_recogniser`.
        on_segment: gets every partial and final.
        on_progress: gets the seconds of sound that are done: final text, or known to hold none.
        on_withheld: gets what the engine wrote without speech under it.

    Raises:
        NotFound, BadAudio: the file cannot be read.
        EngineFailed: the engine broke for good.
    """
    player = Player(path, real_time=False, monotonic=time.monotonic)

    def progress() -> None:
        on_progress(to_seconds(max(player.position_frame - session.lag_frames, 0)))

    def heard(segment: Segment) -> None:
        on_segment(segment)
        progress()

    facts = probe(path)
    session = new_session(recogniser, heard, facts.rate_hz, facts.channels, on_withheld)
    async with beside(session.run()):
        await player.play(session, progress)
        session.end()
        await session.finished()
    on_progress(player.position_s)


def transcribe(
    files: Sequence[Path],
    output: Path | None,
    form: str,
    settings: Settings,
    asked: Asked,
) -> None:
    """Write down files one after the other.

    Raises:
        CommandError, ParolaError: a file, an option or the engine cannot be used.
    """
    log_to_stderr(logging.WARNING)
    targets = _targets(files, output, form)
    lengths_s = [probe(file).duration_s for file in files]
    with open_recogniser(settings, asked) as recogniser:
        for file, target, length_s in zip(files, targets, lengths_s, strict=True):
            _transcribe_one(file, target, length_s, recogniser)


def _targets(files: Sequence[Path], output: Path | None, form: str) -> list[Path | None]:
    """Return where each file's text goes; None is the screen.

    Raises:
        CommandError: the output's name says no format, or two texts would have the same name.
    """
    if output is None:
        return [None for _ in files]
    if not output.is_dir():
        format_of(output)
        if len(files) > 1:
            raise CommandError(
                f"{output} can hold one recording's text; name a folder with -o.", USAGE
            )
        return [output]
    targets: list[Path | None] = [output / f"{file.stem}.{form}" for file in files]
    if len(set(targets)) < len(targets):
        raise CommandError("Two recordings have the same name; use a folder for each.", USAGE)
    return targets


def _transcribe_one(
    file: Path, target: Path | None, length_s: float | None, recogniser: Recogniser
) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        writer = None
        if target:
            opened = stack.enter_context(whole_file(target))
            writer = _FileWriter(file, format_of(target), opened)
        bar = _Bar(file.name, length_s, began)
        screen = stack.enter_context(Screen(bar.progress, plain_finals=target is None))
        words = 0

        def show(segment: Segment) -> None:
            nonlocal words
            if not segment.is_final:
                screen.guess(segment.text)
                return
            words += len(segment.text.split())
            screen.final(segment.text)
            if writer:
                writer.add(segment)

        done_s = asyncio.run(_followed(file, recogniser, show, bar.move))
        if writer:
            writer.end()
    took_s = max(time.monotonic() - began, 0.001)
    place = f" to {target}" if target else ""
    typer.echo(
        f"{file.name}: {words} words{place}; {done_s:.1f} s of sound in {took_s:.1f} s"
        f" ({done_s / took_s:.1f} times as fast as speech).",
        err=True,
    )


async def _followed(
    file: Path,
    recogniser: Recogniser,
    on_segment: Callable[[Segment], None],
    on_progress: Callable[[float], None],
) -> float:
    """Transcribe the file, and return how many seconds of sound it had."""
    done_s = 0.0

    def note(seconds: float) -> None:
        nonlocal done_s
        done_s = seconds
        on_progress(seconds)

    await transcribe_file(file, recogniser, on_segment, note)
    return done_s


class _Bar:
    """How far a file is, how fast it goes, and how long it will take."""

    def __init__(self, name: str, length_s: float | None, began: float) -> None:
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            auto_refresh=False,
        )
        self._task: TaskID = self.progress.add_task(name, total=length_s, pace="")
        self._began = began

    def move(self, done_s: float) -> None:
        """Show that so many seconds of sound are done."""
        pace = f"{done_s / max(time.monotonic() - self._began, 0.001):.1f}× real time"
        self.progress.update(self._task, completed=done_s, pace=pace)


class _FileWriter:
    """Writes one session's finals as a file."""

    def __init__(self, recording: Path, form: str, file: BinaryIO) -> None:
        self._file = file
        self._room = recording.stem
        self._number = 0
        self._writer = WRITERS[form](self._room)
        self._write(self._writer.begin())

    def add(self, segment: Segment) -> None:
        """Write a final."""
        if self._number == 0:
            self._enter(StateChange("session_started", segment.session, segment.language))
        self._enter(segment)

    def end(self) -> None:
        """Write the rest."""
        self._write(self._writer.end())

    def _enter(self, body: Body) -> None:
        self._number += 1
        entry = Entry(self._room, self._number, time.time_ns() // 1_000_000, body)
        self._write(self._writer.add(entry))

    def _write(self, text: str) -> None:
        self._file.write(text.encode())
