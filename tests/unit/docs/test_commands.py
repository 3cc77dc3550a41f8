import pytest
import typer

from parola.cli import app
from parola.cli.outcome import EXIT_CODES
from parola.cli.output import Format
from parola.domain.captions import WRITERS
from parola.wiring import Settings
from tests.unit.docs.reference import page, rows, section

GROUP = typer.main.get_command(app)
COMMANDS = getattr(GROUP, "commands")  # noqa: B009 - typer's public types hide it


def options(name: str) -> dict[str, typer.core.TyperOption | typer.core.TyperArgument]:
    """Return a command's options and arguments by the names that people type."""
    found = {}
    for parameter in COMMANDS[name].params:
        names = [*parameter.opts, *parameter.secondary_opts]
        if parameter.param_type_name == "argument":
            names = [parameter.metavar]
        found[", ".join(names)] = parameter
    found.pop("--help, -h", None)
    return found


def test_every_command_is_described() -> None:
    """The page has a section for each command and none for another."""
    text = page("cli.md")
    headings = [line.removeprefix("## parola ") for line in text.splitlines() if "## " in line[:3]]
    assert headings == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_described_as_it_is(name: str) -> None:
    """Its help, and its options with help and default, are the program's own."""
    text = section(page("cli.md"), f"parola {name}")
    assert COMMANDS[name].help in text
    described = {row[0]: (row[1], row[2].replace("–", "")) for row in rows(text, "Option")}
    real = {}
    for names, option in options(name).items():
        default = option.show_default if isinstance(option.show_default, str) else option.default
        real[names] = (option.help, default if isinstance(default, str) else "")
    assert described == real


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    """An option's help is a sentence in plain words."""
    for names, option in options(name).items():
        assert option.help, names
        assert option.help.endswith("."), names


def test_exit_codes_are_described() -> None:
    """The page lists every exit code with its meaning."""
    described = {int(code): meaning for code, meaning in rows(page("cli.md"), "Exit code")}
    assert described == EXIT_CODES


def test_settings_are_described() -> None:
    """The page lists every setting with its option, variable, default and description."""
    described = {row[0]: row[1:] for row in rows(page("settings.md"), "Setting")}
    assert described == {
        name: [
            f"--{name.replace('_', '-')}",
            f"PAROLA_{name.upper()}",
            str(field.default).replace("True", "true").replace("False", "false"),
            field.description,
        ]
        for name, field in Settings.model_fields.items()
    }


def test_serve_has_an_option_for_each_setting() -> None:
    """`parola serve` takes every setting and no other option, with its help and default."""
    serve = {option.name: option for option in options("serve").values()}
    assert serve.keys() == Settings.model_fields.keys()
    for name, field in Settings.model_fields.items():
        option = serve[name]
        assert option.help == field.description
        shown = {"True": "on", "False": "off", "[]": "none", "[8000]": "8000", "None": "none"}.get(
            str(field.default), str(field.default)
        )
        assert option.show_default == shown
        assert option.default is None, "the environment counts where nothing is given"


def test_formats_are_the_writers() -> None:
    """The formats that commands offer are those that can be written."""
    assert set(Format.__args__) == set(WRITERS)  # type: ignore[attr-defined]
