"""`parola transcribe`: files to text, without a server."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from parola.cli.outcome import server_part
from parola.cli.output import Format
from parola.cli.terms import Phrases, Text, own_words
from parola.wire.engine_options import from_query


def transcribe(  # noqa: PLR0913, PLR0917 - one for each option
    files: Annotated[
        list[Path],
        typer.Argument(help="Recordings: any audio or video file.", metavar="FILE…"),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write, ending in .srt, .vtt, .txt or .json; or a folder, for several"
            " recordings. Without it, text goes to the screen.",
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What to write into a folder.")] = "srt",
    engine: Annotated[
        Literal["auto", "amazon", "sherpa", "pocketsphinx", "scripted"] | None,
        typer.Option(
            help="Recogniser: auto takes the best one available for the language.",
            show_default="auto",
        ),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language that is spoken.", show_default="en-US")
    ] = None,
    gate: Annotated[
        bool | None,
        typer.Option(
            "--gate/--no-gate",
            help="Voice detection before the engine. Off, noise turns into words.",
            show_default="on",
        ),
    ] = None,
    engine_option: Annotated[
        list[str] | None,
        typer.Option(
            "--engine-option",
            help="What the engine is asked for this time; repeat it for more.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    phrases: Phrases = None,
    text: Text = None,
) -> None:
    """Write down recordings as fast as the engine goes, here and without a server."""
    options = {"engine": engine, "language": language, "gate": gate}
    given = {name: value for name, value in options.items() if value is not None}
    with server_part():
        from parola.cli import serving, transcribing  # noqa: PLC0415 - needs the server's extra
    asked = transcribing.Asked(from_query(engine_option or ()), own_words(phrases, text))
    transcribing.transcribe(files, output, form, serving.read_settings(given), asked)
