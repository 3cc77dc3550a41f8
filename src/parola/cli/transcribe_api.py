"""`parola transcribe-api`: Amazon Transcribe Streaming on this computer."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from parola.cli.outcome import MISSING, CommandError


def transcribe_api(  # noqa: PLR0913, PLR0917 - one for each option
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8443")
    ] = 8443,
    dev_ca: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a development CA: serves https and wss; ca.pem in it is for clients.",
            metavar="DIR",
        ),
    ] = None,
    engine: Annotated[
        Literal["auto", "amazon", "sherpa", "pocketsphinx", "scripted"] | None,
        typer.Option(
            help="Recogniser: auto takes the best one available for the language.",
            show_default="auto",
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            help="Access key that may call; without any, signatures are not looked at.",
            metavar="ACCESS=SECRET",
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(help="Only region that requests may be signed for.", show_default="any"),
    ] = None,
    vocabulary_filter: Annotated[
        list[str] | None,
        typer.Option(
            help="Vocabulary filter: a file with a word on each line.", metavar="NAME=FILE"
        ),
    ] = None,
    faults: Annotated[
        Path | None,
        typer.Option(help="TOML file that says which limits hold and what goes wrong."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="File to add a JSON line to for whatever happens to a stream."),
    ] = None,
) -> None:
    """Speak Amazon Transcribe Streaming here, with a local engine and faults on demand."""
    try:
        from parola.cli import transcribe_api_serving  # noqa: PLC0415 - needs its extra
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("parola"):
            raise
        raise CommandError(
            "This needs the endpoint's part: pip install "
            "'parola[server,pocketsphinx,transcribe-api]'",
            MISSING,
        ) from error
    transcribe_api_serving.serve(
        transcribe_api_serving.Options(
            host=host,
            port=port,
            dev_ca=dev_ca,
            engine=engine or "auto",
            keys=tuple(key or ()),
            region=region,
            vocabulary_filters=tuple(vocabulary_filter or ()),
            faults=faults,
            log=log,
        )
    )
