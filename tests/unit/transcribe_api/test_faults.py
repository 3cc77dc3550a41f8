from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.errors import BadMessage, NotFound
from parola.transcribe_api.faults import KINDS, Fault, Scenario, read_header, read_scenario
from parola.wire.transcribe import BadRequest, LimitExceeded, ServiceUnavailable

EXAMPLE = """
idle_s = 15
cap_s = 14400
time_scale = 60
streams = 2
starts_per_s = 3

[[fault]]
kind = "reset"
at_s = 2.5
stream = 3

[[fault]]
kind = "exception"
exception = "ServiceUnavailableException"
message = "Later."
"""


def test_a_scenario_is_read_as_it_is_written(tmp_path: Path) -> None:
    """Limits and faults come from the file; what is not in it is as the service has it."""
    file = tmp_path / "faults.toml"
    file.write_text(EXAMPLE)
    scenario = read_scenario(file)
    assert scenario == Scenario(
        idle_s=15,
        cap_s=14400,
        time_scale=60,
        streams=2,
        starts_per_s=3,
        faults=(
            Fault("reset", at_s=2.5, stream=3),
            Fault("exception", exception="ServiceUnavailableException", message="Later."),
        ),
    )
    assert scenario.for_stream(1) == scenario.faults[1:]
    assert scenario.for_stream(3) == scenario.faults
    assert isinstance(scenario.faults[1].error, ServiceUnavailable)
    file.write_text("")
    assert read_scenario(file) == Scenario()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("not TOML", "is not TOML"),
        ("colour = 'red'", "there is no 'colour'"),
        ("idle_s = 'long'", "idle_s cannot be 'long'"),
        ("idle_s = -1", "from 0 on"),
        ("time_scale = 0", "time_scale must be above 0"),
        ("streams = 1.5", "streams cannot be 1.5"),
        ("[[fault]]\nkind = 'sneeze'", "there is no fault 'sneeze'"),
        ("[[fault]]\nat_s = 1", "there is no fault None"),
        ("fault = 3", "as a table"),
        ("fault = [3]", "fault 1: there is no ''"),
        ("faults = []", "there is no 'faults'"),
    ],
)
def test_a_wrong_scenario_is_refused_with_the_place(text: str, why: str, tmp_path: Path) -> None:
    """The message names the file, what is wrong in it, and what is known."""
    file = tmp_path / "faults.toml"
    file.write_text(text)
    with pytest.raises(BadMessage, match=why) as refused:
        read_scenario(file)
    assert str(file) in refused.value.message


def test_a_missing_scenario_is_named(tmp_path: Path) -> None:
    """A file that is not there is said so."""
    with pytest.raises(NotFound, match=r"nowhere\.toml"):
        read_scenario(tmp_path / "nowhere.toml")


def test_a_header_names_faults_with_times_and_values() -> None:
    """Commas between faults, "@" before seconds, "=" before a value."""
    assert read_header("reset@2.5, close@4") == (Fault("reset", 2.5), Fault("close", 4))
    assert read_header("slow-reader=900") == (Fault("slow-reader", bytes_per_s=900),)
    late, *rest = read_header("exception=LimitExceededException@1")
    assert isinstance(late.error, LimitExceeded)
    assert not rest
    assert read_header(" ") == ()


def test_the_how_to_lists_every_fault() -> None:
    """The documentation's table is the code's own."""
    page = (Path(__file__).parents[3] / "docs" / "howto" / "transcribe-api.md").read_text()
    table = page.split("| Fault | What happens |\n|---|---|\n")[1].split("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()]
    assert {kind.strip("`"): what for kind, what in rows} == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_known_to_both(kind: str) -> None:
    """What is documented can be asked for."""
    assert read_header(f"{kind}@1")[0].kind == kind


NUMBERS = st.from_regex(r"-?[0-9]{1,11}(\.[0-9]{1,3})?|nan|1e9|inf|[+]1", fullmatch=True)
NEARLY = st.builds("{}={}@{}".format, st.sampled_from([*KINDS, "sneeze"]), NUMBERS, NUMBERS)


@given(st.text() | NEARLY)
def test_any_header_is_faults_or_a_bad_request(text: str) -> None:
    """Nothing a client writes breaks the endpoint; times and speeds make sense."""
    try:
        faults = read_header(text)
    except BadRequest:
        return
    assert all(fault.kind in KINDS for fault in faults)
    assert all(fault.at_s is None or 0 <= fault.at_s < 10**9 for fault in faults)
    assert all(0 < fault.bytes_per_s < 10**9 for fault in faults)
