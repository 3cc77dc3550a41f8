"""The command line: reads options, runs one command, ends with a documented exit code."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from parola import __version__
from parola.cli.backup import backup, restore
from parola.cli.cost import cost
from parola.cli.demo import demo
from parola.cli.devices import devices
from parola.cli.doctor import doctor
from parola.cli.drain import drain
from parola.cli.export import export
from parola.cli.follow import follow
from parola.cli.listen import listen
from parola.cli.models import models
from parola.cli.outcome import FAILED, USAGE, CommandError, exit_code
from parola.cli.prune import prune
from parola.cli.serve import serve
from parola.cli.terms import terms, vocabulary
from parola.cli.token import token
from parola.cli.transcribe import transcribe
from parola.cli.transcribe_api import transcribe_api
from parola.domain.errors import ParolaError

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"parola {__version__}")
        raise typer.Exit


@app.callback()
def parola(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Live captions and transcripts that write down only what was said."""


for command in (
    serve,
    transcribe,
    listen,
    devices,
    follow,
    export,
    models,
    doctor,
    demo,
    transcribe_api,
    terms,
    vocabulary,
    cost,
    token,
    drain,
    backup,
    restore,
    prune,
):
    app.command()(command)


def main() -> None:
    """Run the command that the program's arguments name, and end the process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; what goes wrong is one sentence on stderr."""
    try:
        code = app(list(arguments) or ["--help"], prog_name="parola", standalone_mode=False)
    except TyperException as error:
        return _say(f"{error.format_message().rstrip('.')}. See: parola --help", USAGE)
    except CommandError as error:
        return _say(error.message, error.exit_code)
    except ParolaError as error:
        return _say(error.message, exit_code(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _say(f"{place}{error.strerror or error}; see `parola doctor`.", FAILED)
    return code if isinstance(code, int) else 0


def _say(message: str, code: int) -> int:
    typer.echo(message, err=True)
    return code
