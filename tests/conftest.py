"""What every test may ask for."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests import broker, stand_ins

# Machines are noisy: how long an example takes says nothing of what it shows.
settings.register_profile("parola", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Whether a planted bug is caught is the question, not by how small an example.
settings.register_profile(
    "planted",
    settings.get_profile("parola"),
    phases=(Phase.explicit, Phase.generate),
    derandomize=False,  # in CI hypothesis would draw the same examples whatever the seed
)
settings.load_profile(os.environ.get("PAROLA_TEST_PROFILE", "parola"))

# What programs keep for their user stays out of the folders of whoever runs the tests.
HOME = tempfile.TemporaryDirectory(prefix="parola-tests-")
os.environ |= {"XDG_STATE_HOME": f"{HOME.name}/state", "XDG_CONFIG_HOME": f"{HOME.name}/config"}

# A job in the background of a shell ignores SIGINT, and so would every program that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

RECORDINGS = Path(__file__).parents[2] / "shared" / "audio"


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; they are never copied into the repository."""
    folder = Path(os.environ.get("PAROLA_TEST_AUDIO") or RECORDINGS)
    if not (folder / "manifest.tsv").exists():
        reason = f"no recordings at {folder}; PAROLA_TEST_AUDIO may name their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def ministack() -> Iterator[stand_ins.StandIn]:
    """AWS as MiniStack plays it, for the whole session."""
    with stand_ins.ministack() as running:
        yield running


@pytest.fixture(scope="session")
def dynalite() -> Iterator[stand_ins.StandIn]:
    """DynamoDB as dynalite plays it, for the whole session."""
    with stand_ins.dynalite() as running:
        yield running


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker.Broker]:
    """A real broker for the whole session; each test begins by emptying it."""
    with broker.running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running
