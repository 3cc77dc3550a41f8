"""`parola terms` and `parola vocabulary`: a talk's own words to a room, or as a file for Amazon."""

from pathlib import Path
from typing import Annotated, Any

import typer

from parola.cli.outcome import MISSING, USAGE, CommandError
from parola.cli.output import whole_file
from parola.cli.room_settings import change_settings
from parola.domain.key_phrases import with_names
from parola.domain.terms import Terms
from parola.domain.vocabulary import language_tag, room_name
from parola.engines.amazon_vocabulary import amazon_vocabulary

Phrases = Annotated[
    Path | None,
    typer.Option(help="File with names and terms, one a line, the most important first."),
]
Text = Annotated[Path | None, typer.Option(help="File with running text: title, abstract, slides.")]


def terms(
    room: Annotated[str, typer.Argument(help="Room to set.", metavar="ROOM")],
    phrases: Phrases = None,
    text: Text = None,
    replacements: Annotated[
        Path | None, typer.Option(help="File with lines such as: grace hooper -> Grace Hopper.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the room, whatever a source says.")
    ] = None,
    server: Annotated[
        str, typer.Option(help="Server that has the room.", show_default="http://127.0.0.1:8000")
    ] = "http://127.0.0.1:8000",
) -> None:
    """Tell a room the talk's own words, before or while it is spoken; the rest stays as it is."""
    own: dict[str, Any] = {}
    if phrases:
        own["phrases"] = _lines(phrases)
    if text:
        own["text"] = _read(text)
    new: dict[str, Any] = {"terms": own} if own else {}
    if replacements:
        new["replacements"] = [_rule(line, replacements) for line in _lines(replacements)]
    if language:
        new["language"] = language_tag(language)
    if not new:
        raise CommandError("Nothing to tell; name --phrases, --text or another option.", USAGE)
    known = change_settings(server, room_name(room), new)
    typer.echo(
        f"{room} knows {len(known['terms']['phrases'])} phrases, "
        f"{len(known['terms']['text'])} characters of text "
        f"and {len(known['replacements'])} replacements."
    )


def vocabulary(
    phrases: Phrases = None,
    text: Text = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write. Without it, it goes to the screen."),
    ] = None,
    language: Annotated[
        str, typer.Option(help="Language that is spoken.", show_default="en-US")
    ] = "en-US",
) -> None:
    """Write a talk's own words as a custom vocabulary that Amazon Transcribe accepts."""
    if not phrases and not text:
        raise CommandError("Nothing to write; name --phrases, --text or both.", USAGE)
    made = amazon_vocabulary(own_words(phrases, text).phrases, language_tag(language))
    for sentence in made.left_out:
        typer.echo(sentence, err=True)
    if not output:
        typer.echo(made.table, nl=False)
        return
    with whole_file(output) as file:
        file.write(made.table.encode())


def own_words(phrases: Path | None, text: Path | None) -> Terms:
    """Return what the files say, and the names that stand in the text.

    Raises:
        CommandError: one of them cannot be read.
    """
    given = Terms(tuple(_lines(phrases)) if phrases else (), _read(text) if text else "")
    return with_names(given)


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in _read(path).splitlines() if line.strip()]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not in UTF-8; save it as UTF-8 text.", USAGE) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read ({error.strerror}).", MISSING) from error


def _rule(line: str, path: Path) -> dict[str, str]:
    heard, arrow, shown = line.partition("->")
    if not arrow:
        raise CommandError(f"{path}: {line!r} has no ->; write: heard -> shown", USAGE)
    return {"heard": heard.strip(), "shown": shown.strip()}
